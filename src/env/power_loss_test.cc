#include "env/power_loss.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <set>

#include "env/fault.h"
#include "env/file.h"

namespace millrace::env {
namespace {

class PowerLossTest : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = testing::TempDir() + "/power_loss_test_" + std::to_string(::getpid());
    std::filesystem::create_directories(directory_);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::string path(const std::string& name) const { return directory_ + "/" + name; }
  std::string content(const std::string& name) const { return read_file(files_, path(name)).value_or("(none)"); }
  std::unique_ptr<File> open(const std::string& name) { return std::move(*files_.open(path(name), OpenMode::kWrite)); }
  void write_durably(const std::string& name, std::string_view text) {
    ASSERT_TRUE(write_file_atomically(files_, path(name), text));
  }
  /// In a process of its own: does `work`, then the power is lost.
  void lose_after(const std::function<void()>& work, const char* seed = "") {
    EXPECT_EXIT(
        {
          (void)set_faults(std::string("log.roll=drop_unsynced") + seed);
          work();
          (void)fault("log.roll");
        },
        testing::ExitedWithCode(137), "");
  }

  FileSystem& files_ = real_file_system();
  std::string directory_;
};

TEST_F(PowerLossTest, TakesWhatWasAppendedAfterTheLastSync) {
  write_durably("f", "");
  lose_after([&] {
    auto file = open("f");
    (void)file->write_at(0, "durable");
    (void)file->sync();
    (void)file->write_at(7, " and not");
  });
  EXPECT_EQ(content("f"), "durable");
}

TEST_F(PowerLossTest, BringsBackWhatWasOverwrittenOrCut) {
  write_durably("over", "0123456789");
  write_durably("cut", "0123456789");
  lose_after([&] {
    auto over = open("over"), cut = open("cut");
    (void)over->write_at(2, "AB");
    (void)over->sync();
    (void)over->write_at(2, "xy");
    (void)over->write_at(2, "zz");
    (void)cut->truncate(4);
    (void)cut->write_at(4, "new");
  });
  EXPECT_EQ(content("over"), "01AB456789");
  EXPECT_EQ(content("cut"), "0123456789");
}

TEST_F(PowerLossTest, ASyncedFileWithoutASyncedNameIsGone) {
  write_durably("removed", "back again");
  write_durably("replaced", "old");
  lose_after([&] {
    auto file = open("fresh");
    (void)file->write_at(0, "synced");
    (void)file->sync();
    (void)files_.remove(path("removed"));
    auto next = open("next");
    (void)next->write_at(0, "new");
    (void)next->sync();
    (void)files_.rename(path("next"), path("replaced"));
  });
  EXPECT_EQ(files_.list(directory_).value(), (std::vector<std::string>{"removed", "replaced"}));
  EXPECT_EQ(content("removed"), "back again");
  EXPECT_EQ(content("replaced"), "old");
}

TEST_F(PowerLossTest, NamesStayOnceTheirDirectoryIsSynced) {
  write_durably("removed", "x");
  lose_after([&] {
    (void)files_.create_directories(path("a/b"));
    auto file = open("a/b/f");
    (void)file->write_at(0, "synced");
    (void)file->sync();
    (void)files_.remove(path("removed"));
    (void)files_.sync_directory(path("a/b"));
    (void)files_.sync_directory(directory_);
    auto lost = open("a/lost");
  });
  EXPECT_EQ(content("a/b/f"), "synced");
  EXPECT_EQ(content("removed"), "(none)");
  EXPECT_EQ(content("a/lost"), "(none)");
}

TEST_F(PowerLossTest, WithASeedAPartOfItStays) {
  write_durably("f", "");
  std::set<size_t> sizes;
  for (int seed = 1; seed <= 20; ++seed) {
    lose_after(
        [&] {
          auto file = open("f");
          (void)file->truncate(0);
          (void)file->sync();
          (void)file->write_at(0, "0123456789");
        },
        (",seed=" + std::to_string(seed)).c_str());
    std::string left = content("f");
    EXPECT_EQ(left, std::string("0123456789").substr(0, left.size()));
    sizes.insert(left.size());
  }
  EXPECT_GT(sizes.size(), 3u);
}

}  // namespace
}  // namespace millrace::env
