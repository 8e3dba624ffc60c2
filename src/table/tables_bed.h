#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>

#include "table/tables.h"

/// A store with its tables in a folder of the test's own.
namespace millrace::table {

class TablesBed : public testing::Test {
 protected:
  void SetUp() override {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    options_.path = testing::TempDir() + test->test_suite_name() + "_" + test->name() + "_" + std::to_string(getpid());
    std::filesystem::remove_all(options_.path);
    open();
  }
  void TearDown() override {
    tables_.reset();
    store_.reset();
    std::filesystem::remove_all(options_.path);
  }
  /// Closes what is open first.
  void open() {
    tables_.reset();
    store_.reset();
    auto store = store::Store::open(options_);
    ASSERT_TRUE(store) << store.error().message;
    store_ = std::move(*store);
    auto tables = Tables::open(*store_);
    ASSERT_TRUE(tables) << tables.error().message;
    tables_ = std::move(*tables);
  }

  store::Options options_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<Tables> tables_;
};

}  // namespace millrace::table
