#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "connect/postgres/connection.h"
#include "connect/postgres/options.h"
#include "env/env.h"

namespace millrace::connect::postgres {

/// Where a server for tests is, with the rights to make databases; empty: there is none, and the test is skipped.
inline std::string server_url() {
  const char* url = std::getenv("MILLRACE_TEST_POSTGRES");
  return url == nullptr ? "" : url;
}

/// The url with another database behind its last slash.
inline std::string with_database(const std::string& url, const std::string& name) {
  return url.substr(0, url.rfind('/') + 1) + name;
}

inline std::unique_ptr<Connection> connect_to(const std::string& url, const std::string& name = "test") {
  auto target = read_options({url, {}});
  EXPECT_TRUE(target) << target.error().message;
  auto connection = Connection::open(*target, name, std::make_shared<Interrupt>(), env::real_clock());
  EXPECT_TRUE(connection) << connection.error().message;
  return connection ? std::move(*connection) : nullptr;
}

/// A database of its own, gone with the object.
class TestDatabase {
 public:
  TestDatabase() {
    static int count = 0;
    name_ = "millrace_test_" + std::to_string(getpid()) + "_" + std::to_string(++count);
    auto made = connect_to(server_url())->execute("CREATE DATABASE " + name_);
    EXPECT_TRUE(made) << made.error().message;
  }
  ~TestDatabase() { (void)connect_to(server_url())->execute("DROP DATABASE IF EXISTS " + name_ + " WITH (FORCE)"); }
  TestDatabase(const TestDatabase&) = delete;
  std::string url() const { return with_database(server_url(), name_); }
  const std::string& name() const { return name_; }

  /// The rows as `a|b` lines.
  std::string ask(const std::string& sql) {
    if (connection_ == nullptr) connection_ = connect_to(url(), "asker");
    auto rows = connection_->execute(sql);
    if (!rows) return rows.error().message;
    std::string out;
    for (size_t row = 0; row < rows->size(); ++row) {
      if (row > 0) out += '\n';
      for (size_t column = 0; column < rows->columns(); ++column) {
        if (column > 0) out += '|';
        out += rows->is_null(row, column) ? std::string_view("NULL") : rows->text(row, column);
      }
    }
    return out;
  }

 private:
  std::string name_;
  std::unique_ptr<Connection> connection_;
};

/// Tests that need a server are skipped without one.
class RealPostgres : public testing::Test {
 protected:
  void SetUp() override {
    if (server_url().empty()) GTEST_SKIP() << "MILLRACE_TEST_POSTGRES is not set";
    database_ = std::make_unique<TestDatabase>();
  }
  std::unique_ptr<TestDatabase> database_;
};

/// Polls until it holds; false after half a minute.
inline bool wait_until(const std::function<bool()>& holds) {
  for (int i = 0; i < 3000; ++i) {
    if (holds()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

}  // namespace millrace::connect::postgres
