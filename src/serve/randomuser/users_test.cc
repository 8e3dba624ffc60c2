#include "serve/randomuser/users.h"

#include <gtest/gtest.h>

#include <chrono>
#include <regex>
#include <set>

#include "serve/randomuser/nations.h"
#include "serve/randomuser/server.h"

namespace millrace::serve::randomuser {
namespace {

const Instant kNow = *parse_instant("2026-11-21T05:00:00Z");

UserOptions options(std::string seed, int results = 1) { return {.seed = std::move(seed), .results = results, .now = kNow}; }

std::string text_of(const std::string& json, const std::string& name) {
  std::smatch found;
  return std::regex_search(json, found, std::regex("\"" + name + "\":\"([^\"]*)\"")) ? found[1].str() : "";
}

TEST(RandomUsers, SameSeedSamePeople) {
  EXPECT_EQ(random_users_json(options("abc", 20)), random_users_json(options("abc", 20)));
  EXPECT_NE(random_users_json(options("abc", 20)), random_users_json(options("abd", 20)));
  UserOptions second = options("abc", 20);
  second.page = 2;
  EXPECT_NE(random_users_json(options("abc", 20)), random_users_json(second));
}

TEST(RandomUsers, FieldsAndCountDoNotChangeAPerson) {
  UserOptions some = options("abc");
  some.fields = kLogin | kCell;
  std::string all = random_users_json(options("abc", 5)), few = random_users_json(some);
  for (const char* name : {"uuid", "md5", "cell", "salt"}) EXPECT_EQ(text_of(all, name), text_of(few, name)) << name;
  EXPECT_EQ(few.find("\"gender\""), std::string::npos);
}

/// A golden person: users of a seed stay who they are from version to version.
TEST(RandomUsers, HasTheDocumentedShape) {
  std::string json = random_users_json(options("millrace"));
  const std::string quoted = "\"[^\"]+\"", date = "\"\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z\"";
  std::string picture = "\"https://randomuser\\.me/api/portraits/";
  std::string shape =
      "\\{\"results\":\\[\\{\"gender\":\"(fe)?male\",\"name\":\\{\"title\":" + quoted + ",\"first\":" + quoted +
      ",\"last\":" + quoted + "\\},\"location\":\\{\"street\":\\{\"number\":\\d+,\"name\":" + quoted + "\\},\"city\":" + quoted +
      ",\"state\":" + quoted + ",\"country\":" + quoted + ",\"postcode\":(\\d+|" + quoted +
      "),\"coordinates\":\\{\"latitude\":\"-?\\d+\\.\\d{4}\",\"longitude\":\"-?"
      "\\d+\\.\\d{4}\"\\}" +
      ",\"timezone\":\\{\"offset\":" + quoted + ",\"description\":" + quoted +
      "\\}\\},\"email\":\"[a-z]+\\.[a-z]+@example\\.com\"" +
      ",\"login\":\\{\"uuid\":\"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-"
      "9a-f]{3}-[0-9a-f]{12}\",\"username\":\"[a-z]+\\d+\",\"password\":" +
      quoted + ",\"salt\":" + quoted +
      ",\"md5\":\"[0-9a-f]{32}\",\"sha1\":\"[0-9a-f]{40}\",\"sha256\":\"[0-9a-"
      "f]{64}\"\\},\"dob\":\\{\"date\":" +
      date + ",\"age\":\\d+\\},\"registered\":\\{\"date\":" + date + ",\"age\":\\d+\\},\"phone\":" + quoted +
      ",\"cell\":" + quoted + ",\"id\":\\{\"name\":\"[A-Z]*\",\"value\":(null|" + quoted +
      ")\\},\"picture\":\\{\"large\":" + picture + "(wo)?men/\\d+\\.jpg\",\"medium\":" + picture +
      "med/(wo)?men/\\d+\\.jpg\",\"thumbnail\":" + picture + "thumb/(wo)?men/\\d+\\.jpg\"\\},\"nat\":\"[A-Z]{2}\"\\}\\]," +
      "\"info\":\\{\"seed\":\"millrace\",\"results\":1,\"page\":1,\"version\":"
      "\"1.4\"\\}\\}";
  EXPECT_TRUE(std::regex_match(json, std::regex(shape))) << json;
}

TEST(RandomUsers, PostcodeIsNumberOrTextByNation) {
  for (auto [nat, is_text] : {std::pair{"US", false}, {"DE", false}, {"GB", true}, {"CA", true}, {"NL", true}}) {
    UserOptions one = options("p");
    one.nationalities = {nat};
    EXPECT_EQ(random_users_json(one).find("\"postcode\":\"") != std::string::npos, is_text) << nat;
  }
}

TEST(RandomUsers, AgesFollowTheClock) {
  UserOptions later = options("age");
  std::string before = random_users_json(later);
  Instant born = *parse_instant(text_of(before.substr(before.find("\"dob\"")), "date"));
  auto age_at = [&](Instant now) {
    later.now = now;
    std::string json = random_users_json(later);
    std::smatch found;
    std::regex_search(json, found, std::regex("\"dob\":\\{\"date\":\"[^\"]*\",\"age\":(\\d+)"));
    return std::stoi(found[1]);
  };
  using namespace std::chrono;
  year_month_day day(floor<days>(born));
  Instant birthday = Instant(sys_days((day.year() + years(40)) / day.month() / day.day())) + (born - floor<days>(born));
  EXPECT_EQ(age_at(birthday - microseconds(1)), 39);
  EXPECT_EQ(age_at(birthday), 40);
}

TEST(RandomUsers, EveryNationCanBeAskedFor) {
  EXPECT_GE(nationalities().size(), 10u);
  for (std::string_view nat : nationalities()) {
    UserOptions one = options("n", 30);
    one.nationalities = {std::string(nat)};
    one.female = true;
    std::string json = random_users_json(one);
    EXPECT_EQ(json.find("\"gender\":\"male\""), std::string::npos);
    EXPECT_NE(json.find("\"nat\":\"" + std::string(nat) + "\""), std::string::npos);
    EXPECT_EQ(json.find("\".@"), std::string::npos);
  }
  for (const Nation& nation : nations())
    for (const auto* list : {&nation.men, &nation.women, &nation.last})
      for (const Name& name : *list) EXPECT_GE(name.ascii.size(), 2u) << name.text;
}

TEST(FlatUser, HasTwelveTextFields) {
  size_t bytes = 0;
  std::set<std::string> ids;
  for (uint64_t i = 0; i < 1000; ++i) {
    std::string json = flat_user_json(7, i);
    EXPECT_EQ(std::count(json.begin(), json.end(), ':') >= 12, true);
    for (const char* name : {"id", "first_name", "last_name", "gender", "address", "post_code", "email", "username", "dob",
                             "registered_date", "phone", "picture"})
      ASSERT_NE(text_of(json, name), "") << name << " " << json;
    ids.insert(text_of(json, "id"));
    bytes += json.size();
  }
  EXPECT_EQ(ids.size(), 1000u);
  EXPECT_NEAR(static_cast<double>(bytes) / 1000, 440, 30);
  EXPECT_EQ(flat_user_json(7, 3), flat_user_json(7, 3));
}

http::Response ask(RandomUserApi& api, http::Pairs query, std::vector<std::string> segments = {"api", ""}) {
  return api.handle({.method = "GET", .path = "/api/", .segments = std::move(segments), .query = std::move(query)});
}

struct ApiTest : testing::Test {
  env::FakeClock clock{kNow};
  env::SeededRandom random{1};
};

TEST_F(ApiTest, ReadsParameters) {
  RandomUserApi api({}, clock, random);
  http::Response answer =
      ask(api, {{"results", "3"}, {"seed", "a\"b"}, {"nat", "gb, us"}, {"inc", "nat,name"}, {"exc", "name"}, {"page", "2"}});
  EXPECT_TRUE(std::regex_match(
      answer.body,
      std::regex(
          R"re(\{"results":\[(\{"nat":"(GB|US)"\},?){3}\],"info":\{"seed":"a\\"b","results":3,"page":2,"version":"1.4"\}\})re")))
      << answer.body;
  EXPECT_EQ(ask(api, {{"noinfo", ""}}).body.find("\"info\""), std::string::npos);
  EXPECT_NE(ask(api, {{"format", "pretty"}}).body.find("\n  \"results\": [\n"), std::string::npos);
  EXPECT_EQ(ask(api, {}, {}).status, 200);
  EXPECT_EQ(ask(api, {}, {"other"}).status, 404);
  for (auto bad :
       {std::pair{"results", "0"}, {"results", "5001"}, {"results", "x"}, {"page", "0"}, {"inc", "wings"}, {"format", "csv"}})
    EXPECT_EQ(ask(api, {bad}).status, 400) << bad.first;
}

TEST_F(ApiTest, WithoutSeedPeopleDiffer) {
  RandomUserApi api({}, clock, random);
  std::set<std::string> seen;
  for (int i = 0; i < 50; ++i) seen.insert(text_of(ask(api, {}).body, "uuid"));
  EXPECT_EQ(seen.size(), 50u);
}

TEST_F(ApiTest, MisbehavesAsAsked) {
  RandomUserApi api({.error_share = 0.3, .malformed_share = 0.5, .delay = std::chrono::seconds(2)}, clock, random);
  int errors = 0, html = 0, cut = 0;
  for (int i = 0; i < 1000; ++i) {
    http::Response answer = ask(api, {});
    EXPECT_EQ(answer.delay, Duration(std::chrono::seconds(2)));
    if (answer.status >= 500)
      ++errors;
    else if (answer.body.starts_with('<'))
      ++html;
    else if (!answer.body.ends_with("}}"))
      ++cut;
  }
  EXPECT_NEAR(errors, 300, 60);
  EXPECT_NEAR(html, 175, 50);
  EXPECT_NEAR(cut, 175, 50);
}

TEST_F(ApiTest, ServesOnAPort) {
  auto server = RandomUserServer::start({}, clock, random);
  ASSERT_TRUE(server);
  EXPECT_TRUE((*server)->url().starts_with("http://127.0.0.1:"));
  EXPECT_TRUE((*server)->url().ends_with("/api/"));
  (*server)->stop();
}

}  // namespace
}  // namespace millrace::serve::randomuser
