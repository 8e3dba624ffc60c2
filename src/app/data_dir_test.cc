#include "app/data_dir.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "app/seal.h"

namespace millrace::app {
namespace {

namespace fs = std::filesystem;

class DataDirTest : public testing::Test {
 protected:
  void SetUp() override {
    fs::remove_all(path_);
    ASSERT_TRUE(DataDir::open(env::real_env(), path_, false));
  }
  void TearDown() override { fs::remove_all(path_); }

  /// Puts a value into the store behind the back of a closed directory, as another version would.
  void put(std::string_view key, std::string_view value) {
    ASSERT_TRUE(break_seal(env::real_file_system(), path_));
    auto store = store::Store::open({.path = store_path(path_)});
    ASSERT_TRUE(store);
    store::Batch batch;
    batch.put(store::Space::kMeta, key, value);
    ASSERT_TRUE((*store)->commit(std::move(batch), store::Durability::kSync));
  }
  std::map<std::string, std::string> contents() {
    std::map<std::string, std::string> out;
    for (const auto& entry : fs::recursive_directory_iterator(path_)) {
      if (!entry.is_regular_file() || entry.path().filename() == "LOCK") continue;
      std::ostringstream bytes;
      bytes << std::ifstream(entry.path(), std::ios::binary).rdbuf();
      out[entry.path()] = bytes.str();
    }
    return out;
  }

  const std::string path_ = testing::TempDir() + "data_dir_test_" + std::to_string(getpid());
};

TEST_F(DataDirTest, IsSealedFromOneUseToTheNext) {
  EXPECT_TRUE(fs::exists(seal_path(path_)));
  {
    auto dir = DataDir::open(env::real_env(), path_, false);
    ASSERT_TRUE(dir) << dir.error().message;
    EXPECT_FALSE(fs::exists(seal_path(path_)));
  }
  EXPECT_TRUE(fs::exists(seal_path(path_)));
  auto before = contents();
  ASSERT_TRUE(DataDir::open(env::real_env(), path_, true));
  EXPECT_EQ(contents(), before);
}

TEST_F(DataDirTest, RefusesNewerFormatsInTheStoreUntouched) {
  for (std::string key : {"query/q/position", "topic/t", "table/k.t"}) {
    put(key, std::string("\2") + std::string(64, '\0'));
    auto before = contents();
    for (bool read_only : {false, true}) {
      if (read_only && key.starts_with("query/")) continue;  // who reads can tell what the rest says
      auto refused = DataDir::open(env::real_env(), path_, read_only);
      ASSERT_FALSE(refused) << key;
      EXPECT_EQ(refused.error().code, Errc::kFailedPrecondition) << key << ": " << refused.error().message;
    }
    EXPECT_EQ(contents(), before) << key;
    fs::remove_all(path_);
    ASSERT_TRUE(DataDir::open(env::real_env(), path_, false));
  }
}

}  // namespace
}  // namespace millrace::app
