#include "connect/kafka/topics.h"

#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>

#include "connect/kafka/fetcher.h"
#include "connect/kafka/group_source.h"

namespace millrace::connect::kafka {
namespace {

TEST(KafkaErrors, have_the_code_that_the_caller_acts_on) {
  EXPECT_EQ(errc_of(RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION), Errc::kFenced);
  EXPECT_EQ(errc_of(RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID), Errc::kFenced);
  EXPECT_EQ(errc_of(RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID), Errc::kFenced);
  EXPECT_EQ(errc_of(RD_KAFKA_RESP_ERR__FENCED), Errc::kFenced);
  EXPECT_EQ(errc_of(RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH), Errc::kFenced);
  EXPECT_EQ(errc_of(RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART), Errc::kNotFound);
  EXPECT_EQ(errc_of(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED), Errc::kPermissionDenied);
  EXPECT_EQ(errc_of(RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED), Errc::kPermissionDenied);
  EXPECT_EQ(errc_of(RD_KAFKA_RESP_ERR__TIMED_OUT), Errc::kUnavailable);
  EXPECT_EQ(errc_of(RD_KAFKA_RESP_ERR__TRANSPORT), Errc::kUnavailable);
}

TEST(KafkaErrors, out_of_range_says_how_much_is_gone_and_what_is_kept) {
  auto text = [](int64_t offset, int64_t start, int64_t end) {
    return out_of_range("users", 3, offset, {model::Offset(start), model::Offset(end)}).message;
  };
  EXPECT_EQ(text(100, 150, 901), "offsets 100 to 149 of users-3 are gone: the topic keeps 150 to 900");
  EXPECT_EQ(text(100, 150, 150), "offsets 100 to 149 of users-3 are gone: the topic is empty and goes on at 150");
  EXPECT_EQ(text(950, 150, 901), "offset 950 of users-3 is behind its end: the topic keeps 150 to 900");
}

TEST(KafkaCommitNote, comes_back_as_written) {
  CommitNote note{1'700'000'000'123'456, *parse_uuid("01890a5d-ac96-774b-bcce-b302099a8057")};
  EXPECT_EQ(write_commit_note(note), "v1 1700000000123456 01890a5d-ac96-774b-bcce-b302099a8057");
  EXPECT_EQ(read_commit_note(write_commit_note(note)), note);
}

TEST(KafkaCommitNote, of_another_program_is_none) {
  for (const char* text : {"", "v1", "v1 ", "v1 12", "v1 12 ", "v1 x 01890a5d-ac96-774b-bcce-b302099a8057", "v2 1 a", "Hello",
                           "v1 99999999999999999999999 01890a5d-ac96-774b-bcce-b302099a8057"}) {
    EXPECT_EQ(read_commit_note(text), CommitNote()) << text;
  }
  EXPECT_EQ(read_commit_note(std::string(5000, 'v')), CommitNote());
}

TEST(KafkaTopicId, is_derived_where_the_broker_gives_none) {
  EXPECT_EQ(derived_topic_id("c", "t"), derived_topic_id("c", "t"));
  EXPECT_NE(derived_topic_id("c", "t"), derived_topic_id("c", "u"));
  EXPECT_NE(derived_topic_id("c", "t"), derived_topic_id("d", "t"));
}

TEST(KafkaOpen, takes_the_logins_that_are_promised) {
  for (const char* mechanism : {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"}) {
    auto store = KafkaTopics::open(
        {"kafka://127.0.0.1:1",
         {{"security.protocol", "sasl_ssl"}, {"sasl.mechanism", mechanism}, {"sasl.username", "u"}, {"sasl.password", "hunter2"}},
         "p"});
    EXPECT_TRUE(store) << store.error().message;
  }
  auto bad = KafkaTopics::open({"kafka://127.0.0.1:1", {{"security.protocol", "ssl"}, {"ssl.key.pem", "hunter2"}}, "p"});
  ASSERT_FALSE(bad);
  EXPECT_EQ((bad.error().message + bad.error().hint).find("hunter2"), std::string::npos) << bad.error().message;
}

}  // namespace
}  // namespace millrace::connect::kafka
