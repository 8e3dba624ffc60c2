#include "connect/cassandra/settings.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "env/file.h"

namespace millrace::connect::cassandra {
namespace {

TEST(CassandraSettings, ReadsHostsAndLogin) {
  auto settings = read_settings("cassandra://us%40er:p%3Aw:d@one,two:9043,[::1]:9044", {});
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(settings->contact_points, (std::vector<Endpoint>{{"one", 9042}, {"two", 9043}, {"::1", 9044}}));
  EXPECT_EQ(settings->user, "us@er");
  EXPECT_EQ(settings->password, "p:w:d");
  EXPECT_EQ(to_text(settings->contact_points[2]), "[::1]:9044");
  EXPECT_EQ(settings->consistency, codec::cql::Consistency::kLocalQuorum);
  EXPECT_FALSE(settings->nulls_unset);
}

TEST(CassandraSettings, RefusesWhatIsNoUrl) {
  for (const char* url : {"", "kafka://x", "cassandra://", "cassandra://a,,b", "cassandra://a:", "cassandra://a:0",
                          "cassandra://a:70000", "cassandra://a:b", "cassandra://a/ks", "cassandra://a?x=1", "cassandra://[::1",
                          "cassandra://[::1]x", "cassandra://u%4@a"}) {
    auto settings = read_settings(url, {});
    ASSERT_FALSE(settings) << url;
    EXPECT_EQ(settings.error().code, Errc::kInvalidArgument);
  }
}

TEST(CassandraSettings, ReadsEveryOption) {
  std::map<std::string, std::string> options = {{"user", "u"},
                                                {"password", "p"},
                                                {"local_dc", "west"},
                                                {"consistency", "each_quorum"},
                                                {"replication", "dc1:3,dc2:2"},
                                                {"tls", "on"},
                                                {"tls_ca", "PEM"},
                                                {"tls_host", "off"},
                                                {"compression", "lz4"},
                                                {"requests_in_flight", "77"},
                                                {"connections_per_node", "2"},
                                                {"connect_timeout", "1s"},
                                                {"request_timeout", "2s"},
                                                {"protocol", "4"},
                                                {"nulls", "unset"}};
  EXPECT_EQ(options.size(), option_list().size());
  auto settings = read_settings("cassandra://h", options);
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(settings->local_dc, "west");
  EXPECT_EQ(settings->consistency, codec::cql::Consistency::kEachQuorum);
  EXPECT_EQ(settings->replication->per_dc, (std::map<std::string, int32_t>{{"dc1", 3}, {"dc2", 2}}));
  EXPECT_TRUE(settings->tls && !settings->tls_host && settings->lz4 && settings->nulls_unset);
  EXPECT_EQ(settings->in_flight_max, 77u);
  EXPECT_EQ(settings->protocol, 4);
  EXPECT_EQ(settings->request_timeout, std::chrono::seconds(2));
}

TEST(CassandraSettings, NamesTheOptionThatIsWrongAndNoSecret) {
  struct Case {
    const char* name;
    const char* value;
  };
  for (Case c : {Case{"consistency", "SERIAL"},
                 {"consistency", "most"},
                 {"replication", "0"},
                 {"replication", "dc1:x"},
                 {"replication", "dc1:1,dc1:2"},
                 {"tls", "yes"},
                 {"compression", "snappy"},
                 {"requests_in_flight", "0"},
                 {"requests_in_flight", "99999"},
                 {"request_timeout", "soon"},
                 {"protocol", "3"},
                 {"nulls", "no"}}) {
    auto settings = read_settings("cassandra://h", {{c.name, c.value}});
    ASSERT_FALSE(settings) << c.name << "=" << c.value;
    EXPECT_NE(settings.error().message.find(c.name), std::string::npos) << settings.error().message;
  }
  auto unknown = read_settings("cassandra://h", {{"pasword", "hush-hush"}});
  ASSERT_FALSE(unknown);
  EXPECT_NE(unknown.error().message.find("pasword"), std::string::npos);
  EXPECT_EQ((unknown.error().message + unknown.error().hint).find("hush-hush"), std::string::npos);
  EXPECT_FALSE(read_settings("cassandra://h", {{"password", "p"}}));
  EXPECT_FALSE(read_settings("cassandra://h", {{"tls_ca", "PEM"}}));
}

TEST(CassandraSettings, ThePageListsEveryOption) {
  auto page = env::read_file(env::real_file_system(), MILLRACE_SOURCE_DIR "/docs/connections.md");
  ASSERT_TRUE(page);
  for (const OptionInfo& option : option_list())
    EXPECT_NE(page->find(fmt::format("| `{}` | {} | {} |", option.name, option.values, option.about)), std::string::npos)
        << option.name;
}

}  // namespace
}  // namespace millrace::connect::cassandra
