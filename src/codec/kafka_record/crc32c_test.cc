#include "codec/kafka_record/crc32c.h"

#include <gtest/gtest.h>

#include <random>

#include "codec/kafka_record/record_batch.h"

namespace millrace::codec::kafka_record {
namespace {

TEST(Crc32c, VectorsOfRfc3720) {
  std::string ascending, descending;
  for (int i = 0; i < 32; ++i) ascending += static_cast<char>(i);
  descending.assign(ascending.rbegin(), ascending.rend());
  for (auto crc : {crc32c, crc32c_by_table}) {
    EXPECT_EQ(crc(std::string(32, '\0'), 0), 0x8a9136aau);
    EXPECT_EQ(crc(std::string(32, '\xff'), 0), 0x62a8ab43u);
    EXPECT_EQ(crc(ascending, 0), 0x46dd794eu);
    EXPECT_EQ(crc(descending, 0), 0x113fdb5cu);
    EXPECT_EQ(crc("123456789", 0), 0xe3069283u);
    EXPECT_EQ(crc("", 0), 0u);
  }
}

TEST(Crc32c, InstructionAndTableAgreeAtEverySizeAndContinuation) {
  std::mt19937_64 random(7);
  std::string bytes(8000, '\0');
  for (char& c : bytes) c = static_cast<char>(random());
  for (size_t size = 0; size < bytes.size(); size += size < 64 ? 1 : 61) {
    std::string_view view = std::string_view(bytes).substr(3, size);
    uint32_t whole = crc32c(view);
    ASSERT_EQ(whole, crc32c_by_table(view)) << size;
    ASSERT_EQ(whole, crc32c(view.substr(size / 3), crc32c(view.substr(0, size / 3)))) << size;
  }
}

}  // namespace
}  // namespace millrace::codec::kafka_record
