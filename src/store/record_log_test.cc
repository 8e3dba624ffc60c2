#include "store/record_log.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "store/store.h"
#include "store/verify.h"

namespace millrace::store {
namespace {

namespace fs = std::filesystem;

std::string read(const fs::path& path) {
  std::ostringstream bytes;
  bytes << std::ifstream(path, std::ios::binary).rdbuf();
  return bytes.str();
}

void write(const fs::path& path, std::string_view bytes) { std::ofstream(path, std::ios::binary) << bytes; }

RecordLogScan scan(std::string_view bytes) {
  RecordLogScanner scanner;
  for (; bytes.size() > kRecordBlockBytes; bytes.remove_prefix(kRecordBlockBytes))
    scanner.feed(bytes.substr(0, kRecordBlockBytes));
  scanner.feed(bytes);
  return scanner.end();
}

/// A store that was left as a killed process leaves it: everything in the write-ahead log, in records of some blocks and of less.
class RecordLogTest : public testing::Test {
 protected:
  void SetUp() override {
    options_.path = testing::TempDir() + "record_log_test_" + std::to_string(getpid());
    fs::remove_all(options_.path);
    auto store = Store::open(options_);
    ASSERT_TRUE(store) << store.error().message;
    for (size_t i = 0; i < kCommits; ++i) {
      Batch batch;
      batch.put(Space::kRows, "key" + std::to_string(i), std::string(i == 3 ? 100'000 : 300 * i, static_cast<char>('a' + i)));
      ASSERT_TRUE((*store)->commit(std::move(batch), Durability::kLog));
    }
    store->reset();
    for (const auto& entry : fs::directory_iterator(options_.path)) {
      if (entry.path().extension() == ".log") log_ = entry.path();
      if (entry.path().filename().string().starts_with("MANIFEST-")) manifest_ = entry.path();
    }
  }
  void TearDown() override { fs::remove_all(options_.path); }

  static constexpr size_t kCommits = 12;
  Options options_;
  fs::path log_;
  fs::path manifest_;
};

TEST_F(RecordLogTest, ReadsWhatRocksDbWrites) {
  for (const fs::path& path : {log_, manifest_}) {
    std::string bytes = read(path);
    RecordLogScan found = scan(bytes);
    EXPECT_FALSE(found.broken) << path << " " << found.broken->position << found.broken->what;
    EXPECT_EQ(found.whole_bytes, bytes.size());
    EXPECT_GE(found.records, path == log_ ? kCommits : 2);
  }
}

TEST_F(RecordLogTest, EveryFlippedBitIsSeen) {
  std::string bytes = read(log_);
  size_t last = 0;  // where the last record begins
  for (size_t cut = bytes.size() - 1; last == 0; --cut) last = scan(std::string_view(bytes).substr(0, cut)).whole_bytes;
  for (size_t i = 0; i < bytes.size(); i += i % 97 == 0 ? 1 : 96) {
    bytes[i] ^= static_cast<char>(1 << (i % 8));
    RecordLogScan found = scan(bytes);
    ASSERT_TRUE(found.broken) << "byte " << i;
    EXPECT_LE(found.broken->position, i);
    if (i < last) {
      EXPECT_TRUE(found.is_damaged()) << "byte " << i;
    }
    bytes[i] ^= static_cast<char>(1 << (i % 8));
  }
}

TEST_F(RecordLogTest, ATornEndIsNoDamage) {
  std::string bytes = read(log_);
  for (size_t size = 0; size < bytes.size(); size += size < bytes.size() - 40 ? 131 : 1) {
    RecordLogScan found = scan(std::string_view(bytes).substr(0, size));
    ASSERT_FALSE(found.is_damaged()) << size;
    EXPECT_EQ(found.broken.has_value(), found.whole_bytes < size);
    // Room that was reserved and never written.
    EXPECT_FALSE(scan(bytes.substr(0, size) + std::string(5000, '\0')).is_damaged()) << size;
  }
}

TEST_F(RecordLogTest, DamagedLogsAreRefusedAndTornOnesCut) {
  for (const fs::path& path : {log_, manifest_}) {
    std::string whole = read(path), bytes = whole;
    bytes[20] ^= 1;
    write(path, bytes);
    auto refused = Store::open(options_);
    ASSERT_FALSE(refused) << path;
    EXPECT_EQ(refused.error().code, Errc::kCorruption);
    EXPECT_NE(refused.error().message.find(path.string()), std::string::npos) << refused.error().message;
    auto report = verify(options_.path);
    ASSERT_TRUE(report) << report.error().message;
    ASSERT_FALSE(report->damage.empty());
    EXPECT_EQ(report->damage[0].file, path.string());
    EXPECT_EQ(report->damage[0].position, 0u);
    EXPECT_EQ(read(path), bytes);
    write(path, whole);
  }
  fs::resize_file(log_, fs::file_size(log_) - 3);
  auto store = Store::open(options_);
  ASSERT_TRUE(store) << store.error().message;
  EXPECT_TRUE(*(*store)->get(Space::kRows, "key10"));
  EXPECT_FALSE(*(*store)->get(Space::kRows, "key11"));
}

TEST_F(RecordLogTest, AStoreWithoutItsManifestIsNoNewStore) {
  fs::remove(options_.path + "/CURRENT");
  auto refused = Store::open(options_);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("CURRENT"), std::string::npos);
  write(options_.path + "/CURRENT", "MANIFEST-999999\n");
  EXPECT_FALSE(Store::open(options_));
  EXPECT_FALSE(fs::exists(options_.path + "/MANIFEST-999999"));
}

}  // namespace
}  // namespace millrace::store
