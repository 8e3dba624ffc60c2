#include "app/disk_mark.h"

#include <gtest/gtest.h>

namespace millrace::app {
namespace {

constexpr uint64_t kMiB = 1 << 20, kGiB = 1 << 30;

TEST(DiskMark, OpensAgainAQuarterAboveTheMark) {
  DiskMark mark(100);
  const std::pair<uint64_t, bool> steps[] = {{1000, false}, {100, false}, {99, true}, {100, true}, {124, true},
                                             {125, false},  {100, false}, {0, true},  {50, true},  {1000, false}};
  for (auto [free, low] : steps) EXPECT_EQ(mark.is_low(free), low) << free;
}

TEST(DiskMark, AMarkOfZeroNeverCloses) {
  DiskMark mark(0);
  EXPECT_FALSE(mark.is_low(0));
  EXPECT_FALSE(mark.is_low(1));
}

TEST(DiskMark, TheDefaultFollowsTheSizeOfTheDisk) {
  EXPECT_EQ(DiskMark::default_min_free(10 * kGiB), 10 * kGiB / 100);
  EXPECT_EQ(DiskMark::default_min_free(2 * kGiB), 64 * kMiB);
  EXPECT_EQ(DiskMark::default_min_free(64 * kMiB), 64 * kMiB / 10);
  EXPECT_EQ(DiskMark::default_min_free(16 * 1024 * kGiB), kGiB);
  EXPECT_EQ(DiskMark::default_min_free(0), 0u);
}

}  // namespace
}  // namespace millrace::app
