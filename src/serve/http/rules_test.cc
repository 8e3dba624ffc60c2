#include <gtest/gtest.h>

#include "serve/http/guard.h"
#include "serve/http/metrics.h"
#include "serve/http/target.h"

namespace millrace::serve::http {
namespace {

TEST(Target, TakesItApart) {
  auto target = parse_target("http://h:1/a/b%20c/?q=%3D&flag&&z=a%2Bb+c#f");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->authority, "h:1");
  EXPECT_EQ(target->path, "/a/b c/");
  EXPECT_EQ(target->segments, (std::vector<std::string>{"a", "b c", ""}));
  EXPECT_EQ(target->query, (Pairs{{"q", "="}, {"flag", ""}, {"z", "a+b c"}}));
  EXPECT_TRUE(parse_target("/")->segments.empty());
  EXPECT_EQ(parse_target("http://h")->path, "/");
}

TEST(Target, RefusesWhatIsNotAPath) {
  std::string many = "/?";
  for (int i = 0; i < 300; ++i) many += "a=1&";
  std::string deep;
  for (int i = 0; i < 300; ++i) deep += "/a";
  for (const std::string& bad : {std::string(), std::string("*"), std::string("h:1"), std::string("/%"), std::string("/%4"),
                                 std::string("/%00"), std::string("/a/.."), std::string("/%2e/a"), std::string("/?a=%x"),
                                 std::string("http:///"), std::string("/a b"), many, deep})
    EXPECT_FALSE(parse_target(bad)) << bad.substr(0, 40);
}

TEST(Guard, SplitsHosts) {
  EXPECT_EQ(split_host("a.b:80")->name, "a.b");
  EXPECT_EQ(split_host("[::1]:80")->name, "[::1]");
  EXPECT_EQ(split_host("[::1]:80")->port, "80");
  for (std::string_view bad : {"", ":80", "[::1", "a:b", "a/b", "u@h", "[::1]x", "a:123456"})
    EXPECT_FALSE(split_host(bad)) << bad;
}

TEST(Guard, AcceptsTheHostsItShould) {
  auto status = [](const Guard& guard, std::string host) {
    auto refusal = refuse(guard, Request{.headers = {{"host", std::move(host)}}});
    return refusal ? refusal->status : 200;
  };
  EXPECT_EQ(status({}, "LOCALHOST:1"), 200);
  EXPECT_EQ(status({}, "[::1]:1"), 200);
  EXPECT_EQ(status({}, "10.0.0.1"), 421);
  EXPECT_EQ(status({.any_ip_literal = true}, "10.0.0.1"), 200);
  EXPECT_EQ(status({.any_ip_literal = true}, "10.0.0.1.evil.example"), 421);
  EXPECT_EQ(status({.allowed_hosts = {"millrace"}}, "millrace:80"), 200);
  EXPECT_EQ(status({.allowed_hosts = {"*"}}, "anything"), 200);
}

TEST(Guard, ComparesTokens) {
  EXPECT_TRUE(equal_in_constant_time("abc", "abc"));
  for (std::string_view other : {"", "ab", "abd", "abcabc", "abca"}) EXPECT_FALSE(equal_in_constant_time(other, "abc")) << other;
  EXPECT_FALSE(equal_in_constant_time("a", ""));
}

TEST(Metrics, WritesTheTextFormat) {
  std::string text = metrics_text({{"a_total", "first\nline", MetricType::kCounter, {{.labels = {{"l", "q\"\\\n"}}, .value = 3}}},
                                   {"h", "hist", MetricType::kHistogram, {{.buckets = {{0.5, 1}}, .sum = 2.5, .count = 2}}}});
  EXPECT_NE(text.find("# HELP a_total first\\nline\n# TYPE a_total "
                      "counter\na_total{l=\"q\\\"\\\\\\n\"} 3\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("h_bucket{le=\"0.5\"} 1\n"), std::string::npos) << text;
  EXPECT_NE(text.find("h_bucket{le=\"+Inf\"} 2\n"), std::string::npos) << text;
  EXPECT_NE(text.find("h_sum 2.5\n"), std::string::npos) << text;
}

}  // namespace
}  // namespace millrace::serve::http
