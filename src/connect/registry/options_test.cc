#include "connect/registry/options.h"

#include <gtest/gtest.h>

namespace millrace::connect::registry {
namespace {

using Options = std::map<std::string, std::string>;

std::string message(const std::string& url, const Options& options) {
  Status checked = check_options(url, options);
  return checked ? "" : checked.error().message + "|" + checked.error().hint;
}

TEST(RegistryOptions, a_url_alone_is_enough) {
  auto settings = read_options("http://localhost:8081/", {});
  ASSERT_TRUE(settings);
  EXPECT_EQ(settings->url, "http://localhost:8081");
  EXPECT_EQ(settings->authorization, "");
  EXPECT_TRUE(settings->register_schemas);
  EXPECT_FALSE(settings->use_latest);
  EXPECT_EQ(subject_name(*settings, "users", false, "r"), "users-value");
  EXPECT_EQ(subject_name(*settings, "users", true, "r"), "users-key");
}

TEST(RegistryOptions, the_user_stands_in_the_url_or_in_an_option) {
  auto url = read_options("https://me:p%40ss@registry.example/apis/ccompat/v7", {});
  ASSERT_TRUE(url);
  EXPECT_EQ(url->url, "https://registry.example/apis/ccompat/v7");
  EXPECT_EQ(url->authorization, "Basic bWU6cEBzcw==");
  auto option = read_options("http://h", {{"basic.auth.user.info", "me:p@ss"}});
  ASSERT_TRUE(option);
  EXPECT_EQ(option->authorization, url->authorization);
  EXPECT_EQ(message("http://a:b@h", {{"basic.auth.user.info", "me:secret"}}),
            "option 'basic.auth.user.info' of the registry: the URL names a user too|give the user in one place");
}

TEST(RegistryOptions, all_are_read) {
  auto settings =
      read_options("http://h", {{"auto.register.schemas", "false"},
                                {"use.latest.version", "true"},
                                {"normalize.schemas", "true"},
                                {"key.subject.name.strategy", "RecordNameStrategy"},
                                {"value.subject.name.strategy", "io.confluent.kafka.serializers.subject.TopicRecordNameStrategy"},
                                {"ssl.ca.pem", "-----BEGIN CERTIFICATE-----\n"},
                                {"request.timeout.ms", "250"}});
  ASSERT_TRUE(settings);
  EXPECT_FALSE(settings->register_schemas);
  EXPECT_TRUE(settings->use_latest && settings->normalize);
  EXPECT_EQ(subject_name(*settings, "users", true, "a.R"), "a.R");
  EXPECT_EQ(subject_name(*settings, "users", false, "a.R"), "users-a.R");
  EXPECT_EQ(settings->timeout, std::chrono::milliseconds(250));
}

TEST(RegistryOptions, what_is_wrong_is_named_without_secrets) {
  EXPECT_EQ(message("http://h", {{"use.lastest.version", "true"}}),
            "option 'use.lastest.version' of the registry: there is no such option|did you mean 'use.latest.version'?");
  EXPECT_NE(message("http://h", {{"something", ""}}).find("known are basic.auth.user.info, "), std::string::npos);
  EXPECT_EQ(message("http://h", {{"auto.register.schemas", "yes"}}),
            "option 'auto.register.schemas' of the registry: expected true or false|");
  EXPECT_EQ(message("http://h", {{"request.timeout.ms", "0"}}),
            "option 'request.timeout.ms' of the registry: expected milliseconds from 1 to 60000|");
  EXPECT_EQ(message("http://h", {{"value.subject.name.strategy", "Mine"}}).find("secret"), std::string::npos);
  EXPECT_EQ(message("http://h", {{"basic.auth.user.info", "secret"}}).find("secret"), std::string::npos);
  EXPECT_NE(message("http://h", {{"ssl.ca.pem", "/etc/ca.pem"}}).find("expected certificates in PEM"), std::string::npos);
  for (std::string url : {"", "localhost:8081", "kafka://h", "http://", "http:///x", "http://secret@h", "http://a:secret@h?x=1",
                          "http://h h", "http://a:%zz@h"}) {
    std::string words = message(url, {});
    EXPECT_TRUE(words.starts_with("the registry's URL ")) << url;
    EXPECT_EQ(words.find("secret"), std::string::npos) << words;
  }
}

}  // namespace
}  // namespace millrace::connect::registry
