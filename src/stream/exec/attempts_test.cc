#include "stream/exec/attempts.h"

#include <gtest/gtest.h>

#include <filesystem>

namespace millrace::stream {
namespace {

class AttemptsTest : public testing::Test {
 protected:
  AttemptsTest() {
    std::string pattern = testing::TempDir() + "attempts_test_XXXXXX";
    dir_ = mkdtemp(pattern.data());
    topic_ = *parse_uuid("123e4567-e89b-42d3-a456-426614174000");
    start();
  }
  ~AttemptsTest() override { std::filesystem::remove_all(dir_); }

  void start() { attempts_ = std::move(Attempts::open(dir_ + "/q", topic_).value()); }
  /// The process dies of what is noted, and the next one starts.
  void crash() {
    *attempts_->crash_note() = 1;
    start();
  }
  void kill() { start(); }

  std::string dir_;
  model::TopicId topic_;
  std::unique_ptr<Attempts> attempts_;
  const std::vector<RecordRange> slice_ = {{0, 10, 20}, {1, 5, 6}};
};

TEST_F(AttemptsTest, ACleanEndLeavesNothing) {
  attempts_->begin(slice_);
  attempts_->end();
  start();
  EXPECT_FALSE(attempts_->suspects(slice_));
}

TEST_F(AttemptsTest, ARecordOfTwoCrashesIsCondemned) {
  attempts_->begin(slice_);
  crash();
  EXPECT_TRUE(attempts_->suspects({{0, 0, 11}}));
  EXPECT_FALSE(attempts_->suspects({{0, 0, 10}, {1, 6, 9}}));
  EXPECT_FALSE(attempts_->condemns(0, 12));
  attempts_->begin_alone(0, 12);
  crash();
  EXPECT_TRUE(attempts_->condemns(0, 12));
  EXPECT_FALSE(attempts_->condemns(0, 13));
  EXPECT_TRUE(attempts_->suspects(slice_));
}

TEST_F(AttemptsTest, AnEndOfUnknownCauseCountsHalf) {
  attempts_->begin(slice_);
  kill();
  EXPECT_FALSE(attempts_->suspects(slice_));
  attempts_->begin({{0, 0, 40}});
  kill();
  EXPECT_TRUE(attempts_->suspects(slice_));
  attempts_->begin_alone(0, 12);
  kill();
  EXPECT_FALSE(attempts_->condemns(0, 12));
  EXPECT_TRUE(attempts_->suspects(slice_));
  attempts_->begin_alone(0, 12);
  kill();
  EXPECT_TRUE(attempts_->condemns(0, 12));
}

TEST_F(AttemptsTest, KillsAtDifferentRecordsCondemnNone) {
  attempts_->begin(slice_);
  crash();
  for (int64_t offset = 10; offset < 20; ++offset) {
    attempts_->begin_alone(0, offset);
    kill();
    EXPECT_FALSE(attempts_->condemns(0, offset));
  }
}

TEST_F(AttemptsTest, AnotherTopicOrAnotherPlaceInnocent) {
  attempts_->begin(slice_);
  crash();
  attempts_->begin(slice_);
  topic_.bytes[0] ^= 1;
  crash();
  EXPECT_FALSE(attempts_->suspects(slice_));
  attempts_->begin({{0, 0, 10}});
  kill();
  attempts_->begin(slice_);
  kill();
  EXPECT_FALSE(attempts_->suspects(slice_));
}

TEST_F(AttemptsTest, TextAndBack) {
  Attempt attempt{topic_, slice_, RecordRange{0, 12, 13}, 1};
  EXPECT_EQ(decode_attempt(encode_attempt(attempt)), attempt);
  std::string bytes = encode_attempt(attempt);
  for (size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(decode_attempt(bytes.substr(0, size)));
}

using AttemptsDeathTest = AttemptsTest;
TEST_F(AttemptsDeathTest, ACrashIsNotedBeforeTheProcessEnds) {
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
  GTEST_SKIP() << "the sanitizer has the signals";
#endif
#endif
  EXPECT_DEATH(
      {
        env::CrashNote note(attempts_->crash_note());
        attempts_->begin(slice_);
        std::abort();
      },
      "");
  start();
  EXPECT_TRUE(attempts_->suspects(slice_));
}

}  // namespace
}  // namespace millrace::stream
