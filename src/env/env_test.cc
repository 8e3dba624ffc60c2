#include "env/env.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <set>

#include "env/data_lock.h"
#include "env/machine.h"

namespace millrace::env {
namespace {

TEST(Machine, HasMemory) {
  EXPECT_GT(memory_bytes(), uint64_t{64} << 20);
  EXPECT_LE(memory_bytes(), static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE)));
}

TEST(Clock, TheRealOneGoesOn) {
  Clock& clock = real_clock();
  Duration before = clock.monotonic();
  EXPECT_GT(to_micros(clock.now()), 1'600'000'000'000'000);
  EXPECT_GE(clock.monotonic(), before);
}

TEST(Clock, TheFakeOneWaitsToBeMoved) {
  FakeClock clock(instant_from_millis(5));
  clock.advance(std::chrono::milliseconds(2));
  EXPECT_EQ(to_millis(clock.now()), 7);
  EXPECT_EQ(clock.monotonic(), std::chrono::milliseconds(2));
}

TEST(Random, TheSeedDecides) {
  SeededRandom a(1), b(1), c(2);
  std::set<uint64_t> seen;
  for (int i = 0; i < 1000; ++i) {
    uint64_t next = a.next();
    EXPECT_EQ(next, b.next());
    EXPECT_NE(next, c.next());
    seen.insert(next);
  }
  EXPECT_EQ(seen.size(), 1000);
  // Reference value of SplitMix64 with seed 0.
  EXPECT_EQ(SeededRandom(0).next(), 0xe220a8397b1dcdafu);
}

TEST(Random, UuidsAreOfVersion4) {
  std::set<Uuid> seen;
  for (int i = 0; i < 100; ++i) {
    Uuid uuid = make_uuid(real_random());
    EXPECT_EQ(uuid.bytes[6] >> 4, 4);
    EXPECT_EQ(uuid.bytes[8] >> 6, 2);
    EXPECT_TRUE(seen.insert(uuid).second);
  }
}

class DataLockTest : public testing::Test {
 protected:
  DataLockTest() : directory_(testing::TempDir() + "/data_lock_test_" + std::to_string(::getpid())) {
    std::filesystem::create_directories(directory_);
  }
  ~DataLockTest() override { std::filesystem::remove_all(directory_); }
  const std::string directory_;
};

TEST_F(DataLockTest, TheSecondIsToldWhoHoldsIt) {
  auto first = DataLock::acquire(directory_);
  ASSERT_TRUE(first);
  auto second = DataLock::acquire(directory_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::kUnavailable);
  EXPECT_NE(second.error().message.find("process " + std::to_string(::getpid())), std::string::npos);
}

TEST_F(DataLockTest, IsFreeAfterItsEndAndMoves) {
  {
    auto lock = DataLock::acquire(directory_);
    ASSERT_TRUE(lock);
    DataLock moved = std::move(*lock);
    EXPECT_FALSE(DataLock::acquire(directory_));
  }
  EXPECT_TRUE(DataLock::acquire(directory_));
  EXPECT_EQ(DataLock::acquire(directory_ + "/none").error().code, Errc::kNotFound);
}

TEST_F(DataLockTest, DiesWithItsProcess) {
  pid_t child = ::fork();
  if (child == 0) ::_exit(DataLock::acquire(directory_) ? 0 : 1);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(DataLock::acquire(directory_));
}

}  // namespace
}  // namespace millrace::env
