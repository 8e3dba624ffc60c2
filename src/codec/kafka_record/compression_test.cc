#include "codec/kafka_record/compression.h"

#include <gtest/gtest.h>
#include <lz4frame.h>
#include <snappy.h>
#include <zstd.h>

#include <random>

namespace millrace::codec::kafka_record {
namespace {

constexpr Compression kPacking[] = {Compression::kGzip, Compression::kSnappy, Compression::kLz4, Compression::kZstd};

Result<std::string> unpack(Compression compression, std::string_view packed, size_t limit = 1 << 30) {
  Unpacked out(limit);
  TRY_DO(decompress(compression, packed, out));
  out.finish();
  if (out.view().empty()) return std::string();
  EXPECT_EQ(std::string_view(out.end(), kReadAheadBytes), std::string(kReadAheadBytes, '\0'));
  return std::string(out.view());
}

std::string pack(Compression compression, std::string_view body) {
  std::string out = "before";
  EXPECT_TRUE(compress(compression, body, out));
  EXPECT_EQ(out.substr(0, 6), "before");
  return out.substr(6);
}

TEST(Compression, NamesRoundTrip) {
  for (auto name : {"none", "gzip", "snappy", "lz4", "zstd"}) EXPECT_EQ(compression_name(*parse_compression(name)), name);
  EXPECT_FALSE(parse_compression("LZ4"));
  EXPECT_FALSE(parse_compression(""));
}

TEST(Compression, TheLimitIsExact) {
  std::mt19937_64 random(3);
  for (size_t size : {size_t{1}, size_t{1000}, size_t{65536}, size_t{200'000}}) {
    std::string body(size, '\0');
    for (char& c : body) c = static_cast<char>(random() % 5);
    for (Compression compression : kPacking) {
      SCOPED_TRACE(compression_name(compression));
      std::string packed = pack(compression, body);
      EXPECT_EQ(unpack(compression, packed, size).value_or("refused"), body);
      auto refused = unpack(compression, packed, size - 1);
      ASSERT_FALSE(refused);
      EXPECT_EQ(refused.error().code, Errc::kResourceExhausted);
    }
  }
}

TEST(Compression, BombsStopAtTheLimit) {
  std::string body(64 << 20, '\0');
  for (Compression compression : kPacking) {
    auto refused = unpack(compression, pack(compression, body), 1 << 20);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::kResourceExhausted);
  }
}

TEST(Compression, EveryCutIsAnError) {
  std::string body;
  for (int i = 0; i < 500; ++i) body += std::to_string(i * i);
  for (Compression compression : kPacking) {
    std::string packed = pack(compression, body);
    for (size_t size = 0; size < packed.size(); ++size) {
      auto cut = unpack(compression, std::string_view(packed).substr(0, size));
      // A framed snappy stream has no end mark: between blocks (here after its head) a cut is a shorter stream.
      if (compression == Compression::kSnappy && size == 16) continue;
      ASSERT_FALSE(cut) << compression_name(compression) << " at " << size;
      EXPECT_EQ(cut.error().code, Errc::kCorruption);
    }
  }
}

TEST(Compression, FlippedBitsNeverCrash) {
  std::string body;
  for (int i = 0; i < 2000; ++i) body += std::to_string(i);
  std::mt19937_64 random(5);
  for (Compression compression : kPacking) {
    const std::string packed = pack(compression, body);
    for (int i = 0; i < 2000; ++i) {
      std::string broken = packed;
      broken[random() % broken.size()] ^= static_cast<char>(1 << (random() % 8));
      auto unpacked = unpack(compression, broken, 1 << 20);
      if (unpacked) EXPECT_LE(unpacked->size(), size_t{1} << 20);
    }
  }
}

TEST(Compression, RawSnappyAsLibrdkafkaWritesIt) {
  std::string packed;
  snappy::Compress("abcabcabcabc", 12, &packed);
  EXPECT_EQ(unpack(Compression::kSnappy, packed).value_or("refused"), "abcabcabcabc");
  // A length that no block of this size can have takes no memory.
  auto lie = unpack(Compression::kSnappy, std::string("\xff\xff\xff\xff\x0f\0", 6));
  EXPECT_EQ(lie.error().code, Errc::kCorruption);
}

TEST(Compression, GzipMembersAndLz4FramesMayFollowOneAnother) {
  for (Compression compression : {Compression::kGzip, Compression::kLz4, Compression::kZstd}) {
    EXPECT_EQ(unpack(compression, pack(compression, "one") + pack(compression, "two")).value_or("refused"), "onetwo");
    EXPECT_FALSE(unpack(compression, pack(compression, "one") + "garbage behind it"));
  }
}

TEST(Compression, ZstdWithoutContentSize) {
  std::string body(300'000, 'z'), packed(ZSTD_compressBound(body.size()), '\0');
  std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context(ZSTD_createCCtx(), ZSTD_freeCCtx);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_contentSizeFlag, 0);
  packed.resize(ZSTD_compress2(context.get(), packed.data(), packed.size(), body.data(), body.size()));
  ASSERT_EQ(ZSTD_getFrameContentSize(packed.data(), packed.size()), ZSTD_CONTENTSIZE_UNKNOWN);
  EXPECT_EQ(unpack(Compression::kZstd, packed).value_or("refused"), body);
  EXPECT_EQ(unpack(Compression::kZstd, packed, 1000).error().code, Errc::kResourceExhausted);
}

TEST(Compression, Lz4BlocksAreIndependentBecauseJavaReadsNoOthers) {
  std::string packed = pack(Compression::kLz4, std::string(100'000, 'l'));
  EXPECT_EQ(packed.substr(0, 4), "\x04\x22\x4d\x18");
  EXPECT_NE(packed[4] & 0x20, 0);
}

}  // namespace
}  // namespace millrace::codec::kafka_record
