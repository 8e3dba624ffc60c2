#include "connect/postgres/options.h"

#include <gtest/gtest.h>

namespace millrace::connect::postgres {
namespace {

std::string parameter(const Target& target, std::string_view name) {
  for (const auto& [key, value] : target.parameters) {
    if (key == name) return value;
  }
  return "-";
}

TEST(PostgresOptions, the_url_becomes_parameters) {
  auto target = read_options({"postgresql://ada:p%40ss@db.example:6432/app?sslmode=require", {{"application_name", "mine"}}});
  ASSERT_TRUE(target) << target.error().message;
  EXPECT_EQ(parameter(*target, "host"), "db.example");
  EXPECT_EQ(parameter(*target, "port"), "6432");
  EXPECT_EQ(parameter(*target, "user"), "ada");
  EXPECT_EQ(parameter(*target, "password"), "p@ss");
  EXPECT_EQ(parameter(*target, "dbname"), "app");
  EXPECT_EQ(parameter(*target, "sslmode"), "require");
  EXPECT_EQ(parameter(*target, "connect_timeout"), "5");
  EXPECT_EQ(target->application_name, "mine");
  EXPECT_EQ(target->shown, "postgresql://db.example:6432/app");
}

TEST(PostgresOptions, several_hosts_and_the_one_that_takes_writes) {
  auto target = read_options({"postgres://u@a:1,b:2/x", {{"target_session_attrs", "read-write"}}});
  ASSERT_TRUE(target) << target.error().message;
  EXPECT_EQ(parameter(*target, "host"), "a,b");
  EXPECT_EQ(parameter(*target, "port"), "1,2");
}

TEST(PostgresOptions, options_stand_above_the_url) {
  auto target = read_options({"postgresql://h/d?sslmode=require", {{"sslmode", "disable"}}});
  ASSERT_TRUE(target);
  EXPECT_EQ(parameter(*target, "sslmode"), "disable");
}

TEST(PostgresOptions, what_reads_files_or_is_unknown_is_refused) {
  for (const char* name : {"service", "passfile", "sslcert", "sslkey", "sslcrl", "krbsrvname", "options", "host", "hostaddr",
                           "dbname", "password", "user", "gsslib", "sslpassword", "require_peer", "%73ervice", ""}) {
    Status in_url = check_options(std::string("postgresql://h/d?") + name + "=x", {});
    ASSERT_FALSE(in_url) << name;
    EXPECT_EQ(in_url.error().code, Errc::kInvalidArgument) << name;
    EXPECT_FALSE(check_options("postgresql://h/d", {{name, "x"}})) << name;
  }
  EXPECT_EQ(check_options("postgresql://h/d", {{"ssl_mode", "require"}}).error().hint, "did you mean 'sslmode'?");
  EXPECT_EQ(check_options("postgresql://h/d?sslmodes=require", {}).error().hint, "did you mean 'sslmode'?");
}

TEST(PostgresOptions, values_are_checked) {
  EXPECT_FALSE(check_options("postgresql://h/d?sslmode=on", {}));
  EXPECT_FALSE(check_options("postgresql://h/d?connect_timeout=0", {}));
  EXPECT_FALSE(check_options("postgresql://h/d?connect_timeout=1e1", {}));
  EXPECT_FALSE(check_options("postgresql://h/d?connect_timeout=61", {}));
  EXPECT_TRUE(check_options("postgresql://h/d?connect_timeout=60", {}));
  Status unverified = check_options("postgresql://h/d?sslmode=verify-full", {});
  ASSERT_FALSE(unverified);
  EXPECT_NE(unverified.error().hint.find("sslrootcert"), std::string::npos);
  EXPECT_FALSE(check_options("postgresql://h/d", {{"sslrootcert", "/etc/passwd"}}));
  EXPECT_TRUE(check_options("postgresql://h/d?sslmode=verify-full", {{"sslrootcert", "-----BEGIN CERTIFICATE-----\n"}}));
}

TEST(PostgresOptions, no_message_shows_the_password) {
  for (const char* url : {"postgresql://ada:secret@h:x:y/d?sslmode=nope", "postgresql://ada:secret@[h/d",
                          "mysql://ada:secret@h/d", "postgresql://ada:secret@h/d?password=secret",
                          "postgresql://ada:secret%zz@h/d", "ada:secret", "postgresql://ada:a?secret@h/d",
                          "postgresql://ada:a/secret@h/d", "postgresql://ada:a@secret@h/d", "postgresql://ada:secret"}) {
    Status checked = check_options(url, {});
    ASSERT_FALSE(checked) << url;
    EXPECT_EQ(checked.error().message.find("secret"), std::string::npos) << checked.error().message;
    EXPECT_EQ(checked.error().hint.find("secret"), std::string::npos) << checked.error().hint;
  }
}

TEST(PostgresOptions, names_that_are_near) {
  EXPECT_EQ(nearest_name("post_code", {"postcode", "email"}), "postcode");
  EXPECT_EQ(nearest_name("Emial", {"postcode", "email"}), "email");
  EXPECT_EQ(nearest_name("id", {"at", "by"}), "");
}

}  // namespace
}  // namespace millrace::connect::postgres
