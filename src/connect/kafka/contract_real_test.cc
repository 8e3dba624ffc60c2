#include <fmt/format.h>

#include <cstdlib>
#include <random>

#include "connect/kafka/topics.h"
#include "port/topic_store_contract.h"

namespace millrace::port {
namespace {

/// Against the broker that MILLRACE_TEST_KAFKA names. The topics stay there: their server is the tests' own.
TopicsUnderTest make_topics() {
  TopicsUnderTest under_test;
  const char* server = std::getenv("MILLRACE_TEST_KAFKA");
  if (server == nullptr) return under_test;
  std::random_device random;
  std::string name = fmt::format("contract-{:08x}{:08x}", random(), random());
  auto opened = connect::kafka::KafkaTopics::open({fmt::format("kafka://{}", server), {}, name});
  EXPECT_TRUE(opened) << opened.error().message;
  under_test.store = std::move(*opened);
  under_test.topic = name;
  return under_test;
}

}  // namespace
INSTANTIATE_TEST_SUITE_P(Kafka, TopicStoreContract, testing::Values(MakeTopics(make_topics)));
}  // namespace millrace::port
