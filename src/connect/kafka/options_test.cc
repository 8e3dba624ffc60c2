#include "connect/kafka/options.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "env/file.h"

namespace millrace::connect::kafka {
namespace {

constexpr const char* kUrl = "kafka://127.0.0.1:9092";

TEST(KafkaUrl, gives_the_brokers) {
  EXPECT_EQ(*bootstrap_servers("kafka://a:9092,b:9093"), "a:9092,b:9093");
  EXPECT_EQ(*bootstrap_servers("kafka://broker/"), "broker");
  EXPECT_EQ(*bootstrap_servers("kafka://[::1]:9092"), "[::1]:9092");
}

TEST(KafkaUrl, refuses_what_is_no_list_of_brokers) {
  for (const char* url : {"", "http://a:1", "kafka://", "kafka://a,,b", "kafka://:9092", "kafka://a:0", "kafka://a:65536",
                          "kafka://a:1x", "kafka://a/topic", "kafka://[::1", "kafka://[::1]9092", "kafka://a:1,"}) {
    EXPECT_FALSE(bootstrap_servers(url)) << url;
  }
}

TEST(KafkaUrl, does_not_show_a_password) {
  auto refused = bootstrap_servers("kafka://user:hunter2@a:9092");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message.find("hunter2"), std::string::npos);
  EXPECT_NE(refused.error().hint.find("sasl.password"), std::string::npos);
}

TEST(KafkaOptionList, every_option_is_one_that_the_library_has) {
  for (const OptionDoc& option : known_options()) {
    auto set = check_options(kUrl, {{std::string(option.name), "surely not a value"}});
    if (!set) EXPECT_EQ(set.error().message.find("No such configuration"), std::string::npos) << option.name;
    EXPECT_FALSE(option.about.empty()) << option.name;
  }
}

TEST(KafkaOptionList, takes_what_a_login_needs) {
  EXPECT_TRUE(check_options(kUrl, {{"security.protocol", "sasl_ssl"},
                                   {"sasl.mechanism", "SCRAM-SHA-512"},
                                   {"sasl.username", "u"},
                                   {"sasl.password", "p"},
                                   {"group.id", "g"},
                                   {"acks", "all"}}));
}

TEST(KafkaOptionList, suggests_the_nearest_name) {
  auto refused = check_options(kUrl, {{"sasl.pasword", "hunter2"}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kInvalidArgument);
  EXPECT_EQ(refused.error().message, "kafka has no option sasl.pasword");
  EXPECT_EQ(refused.error().hint, "did you mean sasl.password?");
}

TEST(KafkaOptionList, says_why_it_refuses_what_is_dangerous_or_set_already) {
  for (const char* name : {"ssl.ca.location",
                           "ssl.key.location",
                           "ssl.certificate.location",
                           "ssl.crl.location",
                           "ssl.keystore.location",
                           "plugin.library.paths",
                           "sasl.oauthbearer.token.endpoint.url",
                           "sasl.oauthbearer.assertion.file",
                           "ssl.engine.location",
                           "ssl.providers",
                           "interceptors",
                           "debug",
                           "https.ca.location",
                           "sasl.kerberos.kinit.cmd",
                           "enable.auto.commit",
                           "bootstrap.servers",
                           "transactional.id",
                           "partition.assignment.strategy",
                           "auto.offset.reset",
                           "log_cb",
                           "test.mock.num.brokers"}) {
    auto refused = check_options(kUrl, {{name, "x"}});
    ASSERT_FALSE(refused) << name;
    EXPECT_NE(refused.error().message.find("cannot be set"), std::string::npos) << name;
    EXPECT_FALSE(refused.error().hint.empty()) << name;
  }
}

TEST(KafkaOptionList, checks_values) {
  auto number = check_options(kUrl, {{"session.timeout.ms", "soon"}});
  ASSERT_FALSE(number);
  EXPECT_NE(number.error().message.find("session.timeout.ms"), std::string::npos);
  EXPECT_FALSE(check_options(kUrl, {{"acks", "1"}}));
  EXPECT_FALSE(check_options(kUrl, {{"sasl.mechanism", "GSSAPI"}}));
  EXPECT_FALSE(check_options(kUrl, {{"isolation.level", "read_some"}}));
}

TEST(KafkaOptionList, never_shows_a_secret) {
  for (const OptionDoc& option : known_options()) {
    if (!option.secret) continue;
    auto set = check_options(kUrl, {{std::string(option.name), "hunter2"}});
    if (!set) EXPECT_EQ((set.error().message + set.error().hint).find("hunter2"), std::string::npos) << option.name;
  }
}

TEST(KafkaOptions, the_page_lists_every_option) {
  auto page = env::read_file(env::real_file_system(), MILLRACE_SOURCE_DIR "/docs/connections.md");
  ASSERT_TRUE(page);
  for (const OptionDoc& option : known_options())
    EXPECT_NE(page->find(fmt::format("| `{}` | {} |", option.name, option.about)), std::string::npos) << option.name;
}

}  // namespace
}  // namespace millrace::connect::kafka
