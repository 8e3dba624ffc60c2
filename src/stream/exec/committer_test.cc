#include "stream/exec/committer.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>

namespace millrace::stream {
namespace {

using port::SinkKind;

/// A foreign system that remembers the number of the last epoch, and can break at each end of its commit.
class FarSink : public port::Sink {
 public:
  explicit FarSink(SinkKind kind) : kind_(kind) {}
  port::SinkTraits traits() const override { return {.kind = kind_}; }
  Result<port::SinkReport> stage(const model::ColumnBatch&, const std::vector<port::RowOrigin>&, bool) override {
    return port::SinkReport{};
  }
  Status commit(const port::Epoch& epoch, store::Batch&) override {
    if (dies_before) return fail(Errc::kUnavailable, "the connection was lost before the commit");
    last = epoch.number;
    ends = epoch.ends;
    if (on_commit) on_commit();
    if (dies_after) return fail(Errc::kUnavailable, "the connection was lost after the commit");
    return {};
  }
  void abandon() override {}
  Result<std::optional<uint64_t>> recover() override { return last; }

  bool dies_before = false, dies_after = false;
  std::optional<uint64_t> last;
  std::vector<port::PartitionEnd> ends;
  std::function<void()> on_commit;

 private:
  const SinkKind kind_;
};

class Group : public port::GroupSource {
 public:
  Result<port::SourceInfo> describe() override { return port::SourceInfo{}; }
  Result<port::OffsetRange> bounds(model::Partition) override { return port::OffsetRange{}; }
  Status seek(model::Partition, model::Offset) override { return {}; }
  Result<std::vector<model::RecordRun>> poll(const port::PollLimit&, Duration) override {
    return std::vector<model::RecordRun>();
  }
  void wake() override {}
  Status commit(const std::vector<port::PartitionEnd>& ends) override {
    if (on_commit) on_commit();
    if (moved) return fail(Errc::kFenced, "the partition has moved");
    committed = ends;
    return {};
  }
  Status rewind() override { return {}; }
  std::vector<model::Partition> owned() override { return {}; }

  bool moved = false;
  std::vector<port::PartitionEnd> committed;
  std::function<void()> on_commit;
};

class CommitterTest : public ::testing::Test {
 protected:
  CommitterTest() {
    std::string pattern = testing::TempDir() + "committer_test_XXXXXX";
    dir_ = mkdtemp(pattern.data());
    store_ = std::move(*store::Store::open({.path = dir_ + "/store"}));
  }
  ~CommitterTest() override {
    store_.reset();
    std::filesystem::remove_all(dir_);
  }

  static Position at(uint64_t epoch, int64_t offset) {
    Position position;
    position.partitions = {{model::Offset(offset), static_cast<uint64_t>(offset)}, {model::Offset(7), 7}};
    position.epoch = epoch;
    return position;
  }
  static store::Batch letter() {
    store::Batch batch;
    batch.put(store::Space::kDead, "letter", "bytes");
    return batch;
  }
  bool has_letter() { return store_->get(store::Space::kDead, "letter")->has_value(); }
  bool has_intent() { return store_->get(store::Space::kMeta, intent_key("q"))->has_value(); }
  std::optional<Position> stored() {
    auto bytes = *store_->get(store::Space::kMeta, position_key("q"));
    if (!bytes) return std::nullopt;
    return *decode_position(*bytes);
  }

  std::string dir_;
  std::unique_ptr<store::Store> store_;
};

TEST_F(CommitterTest, an_epoch_names_the_partitions_that_moved) {
  FarSink sink(SinkKind::kIdempotent);
  Committer committer("q", sink, *store_, nullptr);
  ASSERT_TRUE(committer.commit(at(1, 10), at(2, 20), letter()));
  EXPECT_EQ(sink.ends, (std::vector<port::PartitionEnd>{{model::Partition(0), model::Offset(20), 20}}));
  EXPECT_EQ(stored(), at(2, 20));
  EXPECT_TRUE(has_letter());
  EXPECT_FALSE(has_intent());
}

TEST_F(CommitterTest, a_transaction_is_announced_before_it_is_made) {
  FarSink sink(SinkKind::kTransactional);
  Committer committer("q", sink, *store_, nullptr);
  bool announced = false;
  sink.on_commit = [&] { announced = has_intent() && !has_letter() && !stored(); };
  ASSERT_TRUE(committer.commit(at(0, 0), at(1, 10), letter()));
  EXPECT_TRUE(announced);
  EXPECT_EQ(stored(), at(1, 10));
  EXPECT_TRUE(has_letter());
  EXPECT_FALSE(has_intent());
}

TEST_F(CommitterTest, a_transaction_that_was_not_made_is_forgotten) {
  FarSink sink(SinkKind::kTransactional);
  Committer committer("q", sink, *store_, nullptr);
  ASSERT_TRUE(committer.commit(at(0, 0), at(1, 10), {}));
  sink.dies_before = true;
  EXPECT_FALSE(committer.commit(at(1, 10), at(2, 20), letter()));
  auto position = committer.recover(at(1, 10));
  ASSERT_TRUE(position) << position.error().message;
  EXPECT_EQ(*position, at(1, 10));
  EXPECT_FALSE(has_letter());
  EXPECT_FALSE(has_intent());
}

TEST_F(CommitterTest, a_transaction_whose_answer_was_lost_is_taken_over_with_its_dead_letters) {
  FarSink sink(SinkKind::kTransactional);
  Committer committer("q", sink, *store_, nullptr);
  sink.dies_after = true;
  EXPECT_FALSE(committer.commit(at(0, 0), at(1, 10), letter()));
  EXPECT_FALSE(stored());
  auto position = committer.recover(at(0, 0));
  ASSERT_TRUE(position) << position.error().message;
  EXPECT_EQ(*position, at(1, 10));
  EXPECT_EQ(stored(), at(1, 10));
  EXPECT_TRUE(has_letter());
  EXPECT_FALSE(has_intent());
}

TEST_F(CommitterTest, a_new_data_directory_goes_on_with_the_numbers_of_the_output) {
  FarSink sink(SinkKind::kTransactional);
  sink.last = 57;
  Committer committer("q", sink, *store_, nullptr);
  auto position = committer.recover(at(0, 0));
  ASSERT_TRUE(position);
  EXPECT_EQ(position->epoch, 57u);
  EXPECT_EQ(position->partitions, at(0, 0).partitions);
}

TEST_F(CommitterTest, an_output_of_another_time_is_noticed) {
  FarSink sink(SinkKind::kTransactional);
  Committer committer("q", sink, *store_, nullptr);
  for (uint64_t there : {uint64_t{3}, uint64_t{9}}) {
    sink.last = there;
    auto position = committer.recover(at(5, 10));
    ASSERT_FALSE(position);
    EXPECT_EQ(position.error().code, Errc::kFailedPrecondition);
    EXPECT_FALSE(position.error().hint.empty());
  }
  sink.last.reset();  // Kafka forgets a group that nobody used for a week
  EXPECT_TRUE(committer.recover(at(5, 10)));
}

TEST_F(CommitterTest, a_group_moves_on_after_the_dead_letters_are_durable) {
  FarSink sink(SinkKind::kIdempotent);
  Group group;
  Committer committer("q", sink, *store_, &group);
  bool letter_first = false;
  sink.on_commit = [&] { letter_first = has_letter() && !stored(); };
  ASSERT_TRUE(committer.commit(at(0, 0), at(1, 10), letter()));
  EXPECT_TRUE(letter_first);
  EXPECT_EQ(group.committed, (std::vector<port::PartitionEnd>{{model::Partition(0), model::Offset(10), 10}}));
  EXPECT_EQ(stored(), at(1, 10));
}

TEST_F(CommitterTest, a_transaction_that_takes_the_offsets_of_a_group_along_comes_after_the_dead_letters) {
  FarSink sink(SinkKind::kTransactional);
  Group group;
  Committer committer("q", sink, *store_, &group);
  bool letter_first = false;
  sink.on_commit = [&] { letter_first = has_letter(); };
  ASSERT_TRUE(committer.commit(at(0, 0), at(1, 10), letter()));
  EXPECT_TRUE(letter_first);
  EXPECT_FALSE(has_intent());
}

TEST_F(CommitterTest, a_partition_that_moved_to_another_member_fails_the_epoch) {
  FarSink sink(SinkKind::kIdempotent);
  Group group;
  group.moved = true;
  Committer committer("q", sink, *store_, &group);
  Status done = committer.commit(at(0, 0), at(1, 10), {});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Errc::kFenced);
  EXPECT_FALSE(stored());
}

}  // namespace
}  // namespace millrace::stream
