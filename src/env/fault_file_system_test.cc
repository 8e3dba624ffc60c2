#include "env/fault_file_system.h"

#include <gtest/gtest.h>

#include <set>

namespace millrace::env {
namespace {

using Call = FaultFileSystem::Call;
using Failure = FaultFileSystem::Failure;
constexpr uint64_t kSeeds = 300;

std::unique_ptr<File> open_file(FaultFileSystem& fs, const std::string& path) {
  return std::move(*fs.open(path, OpenMode::kWrite));
}

TEST(FaultFileSystem, SyncedBytesOfASyncedNameSurviveEverySeed) {
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    FaultFileSystem fs;
    std::string durable(3000, 'd');
    auto file = open_file(fs, "/f");
    ASSERT_TRUE(file->write_at(0, durable));
    ASSERT_TRUE(file->sync());
    ASSERT_TRUE(fs.sync_directory("/"));
    ASSERT_TRUE(file->write_at(3000, std::string(5000, 'u')));
    fs.lose_power(seed);
    std::string left = read_file(fs, "/f").value();
    ASSERT_GE(left.size(), durable.size());
    ASSERT_LE(left.size(), 8000);
    EXPECT_EQ(left.substr(0, 3000), durable);
    EXPECT_EQ(left.substr(3000).find_first_not_of(std::string("u\0", 2)), std::string::npos);
  }
}

TEST(FaultFileSystem, UnsyncedSectorsAreKeptLostOrTorn) {
  std::set<std::string> outcomes;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    FaultFileSystem fs;
    auto file = open_file(fs, "/f");
    ASSERT_TRUE(file->write_at(0, std::string(1024, 'o')));
    ASSERT_TRUE(file->sync());
    ASSERT_TRUE(fs.sync_directory("/"));
    ASSERT_TRUE(file->write_at(0, std::string(1024, 'n')));
    fs.lose_power(seed);
    std::string left = read_file(fs, "/f").value();
    ASSERT_EQ(left.size(), 1024);
    std::string outcome;
    for (size_t sector : {0, 512}) {
      auto kept = std::count(left.begin() + sector, left.begin() + sector + 512, 'n');
      outcome += kept == 0 ? "lost " : kept == 512 ? "kept " : "torn ";
    }
    outcomes.insert(outcome);
  }
  EXPECT_EQ(outcomes.size(), 9);
}

TEST(FaultFileSystem, ALostTruncateBringsTheBytesBack) {
  std::set<size_t> sizes;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    FaultFileSystem fs;
    auto file = open_file(fs, "/f");
    ASSERT_TRUE(file->write_at(0, std::string(2000, 'a')));
    ASSERT_TRUE(file->sync());
    ASSERT_TRUE(fs.sync_directory("/"));
    ASSERT_TRUE(file->truncate(700));
    fs.lose_power(seed);
    std::string left = read_file(fs, "/f").value();
    EXPECT_EQ(left, std::string(left.size(), 'a'));
    sizes.insert(left.size());
  }
  EXPECT_EQ(sizes, (std::set<size_t>{700, 2000}));
}

TEST(FaultFileSystem, NamesNeedADirectorySync) {
  std::set<bool> created, removed;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    FaultFileSystem fs;
    ASSERT_TRUE(fs.create_directories("/d"));
    ASSERT_TRUE(fs.sync_directory("/"));
    ASSERT_TRUE(open_file(fs, "/d/old")->sync());
    ASSERT_TRUE(fs.sync_directory("/d"));
    ASSERT_TRUE(open_file(fs, "/d/new")->sync());
    ASSERT_TRUE(fs.remove("/d/old"));
    fs.lose_power(seed);
    created.insert(fs.exists("/d/new").value());
    removed.insert(!fs.exists("/d/old").value());
  }
  EXPECT_EQ(created.size(), 2);
  EXPECT_EQ(removed.size(), 2);
}

TEST(FaultFileSystem, RenameIsAtomic) {
  std::set<bool> renamed;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    FaultFileSystem fs;
    ASSERT_TRUE(open_file(fs, "/a")->sync());
    ASSERT_TRUE(fs.sync_directory("/"));
    ASSERT_TRUE(fs.rename("/a", "/b"));
    fs.lose_power(seed);
    EXPECT_NE(fs.exists("/a").value(), fs.exists("/b").value());
    renamed.insert(fs.exists("/b").value());
  }
  EXPECT_EQ(renamed.size(), 2);
}

// The property a caller of write_file_atomically relies on, with the power going at each of its calls.
TEST(FaultFileSystem, AtomicWritesShowTheOldOrTheNewContent) {
  const std::string before(1500, 'b'), after(2500, 'a');
  for (Call call : {Call::kOpen, Call::kWrite, Call::kSync, Call::kTruncate, Call::kRename, Call::kSyncDirectory}) {
    for (uint64_t seed = 0; seed < kSeeds; ++seed) {
      FaultFileSystem fs;
      ASSERT_TRUE(write_file_atomically(fs, "/f", before));
      fs.fail_call(call, 1, Failure::kPowerLoss);
      EXPECT_FALSE(write_file_atomically(fs, "/f", after));
      fs.lose_power(seed);
      std::string left = read_file(fs, "/f").value();
      EXPECT_TRUE(left == before || left == after) << left.size();
      // And it works again afterwards, whatever lies around.
      ASSERT_TRUE(write_file_atomically(fs, "/f", after));
      fs.lose_power(seed + 1);
      EXPECT_EQ(read_file(fs, "/f").value(), after);
    }
  }
}

TEST(FaultFileSystem, TheNthCallFails) {
  FaultFileSystem fs;
  auto file = open_file(fs, "/f");
  fs.fail_call(Call::kWrite, 2, Failure::kIo);
  fs.fail_call(Call::kWrite, 3, Failure::kNoSpace);
  fs.fail_call(Call::kWrite, 4, Failure::kShort);
  EXPECT_TRUE(file->write_at(0, "1"));
  EXPECT_EQ(file->write_at(1, "2").error().code, Errc::kIo);
  EXPECT_EQ(file->write_at(1, "2").error().code, Errc::kDiskFull);
  EXPECT_EQ(file->write_at(1, "2345").error().code, Errc::kIo);
  EXPECT_EQ(read_file(fs, "/f").value(), "123");
  EXPECT_TRUE(file->write_at(1, "2"));
  EXPECT_EQ(fs.calls(Call::kWrite), 5);
}

TEST(FaultFileSystem, AfterAFailedSyncALaterOneKeepsNothing) {
  bool lost = false;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    FaultFileSystem fs;
    auto file = open_file(fs, "/f");
    ASSERT_TRUE(fs.sync_directory("/"));
    ASSERT_TRUE(file->write_at(0, "x"));
    fs.fail_call(Call::kSync, 1, Failure::kIo);
    EXPECT_FALSE(file->sync());
    EXPECT_TRUE(file->sync());
    fs.lose_power(seed);
    lost |= read_file(fs, "/f").value() != "x";
  }
  EXPECT_TRUE(lost);
}

TEST(FaultFileSystem, FilesOpenAtThePowerLossAreDead) {
  FaultFileSystem fs;
  auto file = open_file(fs, "/f");
  ASSERT_TRUE(fs.sync_directory("/"));
  fs.lose_power(1);
  char byte;
  EXPECT_EQ(file->read_at(0, &byte, 1).error().code, Errc::kIo);
  EXPECT_EQ(file->write_at(0, "x").error().code, Errc::kIo);
  EXPECT_EQ(file->sync().error().code, Errc::kIo);
  EXPECT_TRUE(open_file(fs, "/f")->write_at(0, "x"));
}

TEST(FaultFileSystem, TheDiskFillsUp) {
  FaultFileSystem fs;
  auto file = open_file(fs, "/f");
  ASSERT_TRUE(file->write_at(0, "before"));
  fs.set_free_bytes(10);
  EXPECT_EQ(fs.space("/")->free_bytes, 10);
  EXPECT_TRUE(file->write_at(6, "0123456789"));
  EXPECT_TRUE(file->write_at(0, "in place"));
  EXPECT_EQ(file->write_at(16, "x").error().code, Errc::kDiskFull);
  ASSERT_TRUE(file->truncate(10));
  EXPECT_EQ(fs.space("/")->free_bytes, 6);
  ASSERT_TRUE(fs.remove("/f"));
  EXPECT_EQ(fs.space("/")->free_bytes, 16);
}

}  // namespace
}  // namespace millrace::env
