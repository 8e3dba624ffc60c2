#include "base/size.h"

#include <gtest/gtest.h>

namespace millrace {
namespace {

TEST(Size, ReadsBytesWithAUnit) {
  EXPECT_EQ(parse_size("4096"), 4096);
  EXPECT_EQ(parse_size("64KiB"), 64 << 10);
  EXPECT_EQ(parse_size("10MB"), 10'000'000);
  EXPECT_EQ(parse_size("0"), 0);
}

TEST(Size, RefusesTheRest) {
  for (const char* text : {"", "-1", "1.5MB", "MB", "10 MB", "10mb", "9223372036854775807KiB", "99999999999999999999"})
    EXPECT_FALSE(parse_size(text)) << text;
}

}  // namespace
}  // namespace millrace
