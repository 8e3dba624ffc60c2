#include "codec/cql/frame.h"

#include <gtest/gtest.h>

#include "base/bytes.h"
#include "codec/cql/primitive.h"
#include "codec/cql/response.h"
#include "codec/cql/segment.h"

namespace millrace::codec::cql {
namespace {

std::string options(Version version, int16_t stream) {
  std::string out;
  end_envelope(out, begin_envelope(out, version, false, stream, Opcode::kOptions));
  return out;
}

std::string envelope_of(size_t body_bytes, int16_t stream, Version version = Version::kV5) {
  std::string out;
  size_t at = begin_envelope(out, version, true, stream, Opcode::kResult);
  for (size_t i = 0; i < body_bytes; ++i) out += static_cast<char>('a' + (i + static_cast<size_t>(stream)) % 23);
  end_envelope(out, at);
  return out;
}

/// What comes out when `bytes` go in `step` at a time.
Result<std::vector<std::pair<int16_t, std::string>>> read_all(FrameReader& reader, std::string_view bytes, size_t step) {
  std::vector<std::pair<int16_t, std::string>> out;
  for (size_t at = 0; at < bytes.size(); at += step) {
    reader.feed(bytes.substr(at, step));
    while (true) {
      TRY(auto envelope, reader.next());
      if (!envelope) break;
      out.emplace_back(envelope->stream, std::string(envelope->body));
    }
  }
  return out;
}

TEST(CqlFrame, HeaderIsNineBytes) { EXPECT_EQ(to_hex(options(Version::kV4, 258)), "040001020500000000"); }

TEST(CqlFrame, EnvelopesComeOutHoweverTheBytesArrive) {
  const std::string bytes =
      envelope_of(300, 1, Version::kV4) + envelope_of(0, 2, Version::kV4) + envelope_of(7, -1, Version::kV4);
  for (size_t step : {size_t{1}, size_t{5}, size_t{100}, bytes.size()}) {
    FrameReader reader;
    auto out = read_all(reader, bytes, step);
    ASSERT_TRUE(out) << out.error().message;
    ASSERT_EQ(out->size(), 3u);
    EXPECT_EQ((*out)[0].second, bytes.substr(9, 300));
    EXPECT_EQ((*out)[1].second, "");
    EXPECT_EQ((*out)[2].first, kEventStream);
    EXPECT_EQ(reader.buffered_bytes(), 0u);
  }
}

TEST(CqlFrame, TooLongABodyIsRefusedAtItsHeader) {
  FrameReader reader(100);
  reader.feed(std::string_view(envelope_of(101, 1, Version::kV4)).substr(0, 9));
  EXPECT_EQ(reader.next().error().code, Errc::kResourceExhausted);
  EXPECT_FALSE(reader.next()) << "it stays failed";
}

TEST(CqlFrame, CompressedBodies) {
  std::string bytes = options(Version::kV4, 3);
  const size_t at = bytes.size();
  bytes += envelope_of(5000, 1, Version::kV4);
  const std::string body = bytes.substr(at + 9);
  compress_envelope(bytes, at);
  EXPECT_LT(bytes.size(), 1000u);
  FrameReader plain;
  plain.feed(bytes);
  ASSERT_TRUE(plain.next());
  EXPECT_EQ(plain.next().error().code, Errc::kCorruption) << "nobody agreed on compression";
  FrameReader reader;
  reader.use_body_compression();
  auto out = read_all(reader, bytes, 11);
  ASSERT_TRUE(out);
  EXPECT_EQ(out->at(1).second, body);
}

TEST(CqlFrame, UnpackedLengthsThatLieAreRefused) {
  for (std::string_view length : {"7fffffff", "00010000"}) {
    std::string bytes;
    size_t at = begin_envelope(bytes, Version::kV4, true, 1, Opcode::kResult, kFlagCompressed);
    bytes += *from_hex(length) + "ab";
    end_envelope(bytes, at);
    FrameReader reader;
    reader.use_body_compression();
    reader.feed(bytes);
    EXPECT_FALSE(reader.next());
  }
}

TEST(CqlFrame, SmallBodiesStayAsTheyAre) {
  std::string bytes = options(Version::kV4, 0);
  const std::string before = bytes;
  compress_envelope(bytes, 0);
  EXPECT_EQ(bytes, before);
}

TEST(CqlSegment, GoldenBytes) {
  std::string out;
  append_segments(out, options(Version::kV5, 0), Compression::kNone);
  EXPECT_EQ(to_hex(out), "090002a4c8c10500000005000000001086284d");
  out.clear();
  append_segments(out, options(Version::kV5, 0), Compression::kLz4);
  EXPECT_EQ(to_hex(out), "0900000004c2b8950500000005000000001086284d");
}

TEST(CqlSegment, SmallEnvelopesShareASegmentAndLongOnesTakeSeveral) {
  std::string envelopes;
  for (int16_t i = 0; i < 200; ++i) envelopes += envelope_of(1000, i);
  envelopes += envelope_of(300'000, 200) + envelope_of(10, 201);
  for (Compression compression : {Compression::kNone, Compression::kLz4}) {
    std::string bytes;
    append_segments(bytes, envelopes, compression);
    for (size_t step : {size_t{1000}, bytes.size()}) {
      FrameReader reader;
      reader.use_segments(compression);
      auto out = read_all(reader, bytes, step);
      ASSERT_TRUE(out) << out.error().message;
      ASSERT_EQ(out->size(), 202u);
      EXPECT_EQ(out->at(200).second, std::string_view(envelopes).substr(200 * 1009 + 9, 300'000));
      EXPECT_EQ(out->at(201).first, 201);
    }
  }
  std::string scratch;
  std::string bytes;
  append_segments(bytes, envelopes, Compression::kNone);
  std::vector<size_t> sizes;
  for (size_t at = 0; at < bytes.size(); at += sizes.back()) {
    sizes.push_back((*read_segment(std::string_view(bytes).substr(at), Compression::kNone, scratch))->bytes);
  }
  EXPECT_EQ(sizes.size(), 2u + 3u + 1u);
}

TEST(CqlSegment, SegmentsBeginBehindReady) {
  std::string ready;
  encode(ready, Version::kV5, 0, Response(ReadyResponse{}));
  std::string bytes = ready;
  append_segments(bytes, envelope_of(5, 7), Compression::kNone);
  FrameReader reader;
  reader.feed(bytes);
  auto first = reader.next();
  ASSERT_TRUE(first && *first);
  EXPECT_EQ((*first)->opcode, Opcode::kReady);
  reader.use_segments(Compression::kNone);
  auto second = reader.next();
  ASSERT_TRUE(second && *second);
  EXPECT_EQ((*second)->stream, 7);
}

TEST(CqlSegment, EveryFlippedBitIsNoticed) {
  for (Compression compression : {Compression::kNone, Compression::kLz4}) {
    std::string bytes;
    append_segments(bytes, envelope_of(100, 1), compression);
    for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
      std::string broken = bytes;
      broken[bit / 8] = static_cast<char>(broken[bit / 8] ^ 1 << bit % 8);
      std::string scratch;
      EXPECT_FALSE(read_segment(broken, compression, scratch)) << bit;
    }
  }
}

std::string plain_segment(std::string_view payload, bool self_contained) {
  std::string header;
  append_le(header, static_cast<uint32_t>(payload.size() | uint32_t{self_contained} << 17));
  header.resize(3);
  std::string crc;
  append_le(crc, crc24(header));
  std::string out = header + crc.substr(0, 3) + std::string(payload);
  append_le(out, payload_crc32(payload));
  return out;
}

TEST(CqlSegment, EnvelopesMustNotCrossSelfContainedSegments) {
  const std::string envelope = envelope_of(100, 1);
  for (auto [first, second] : {std::pair(true, true), std::pair(true, false), std::pair(false, true)}) {
    FrameReader reader;
    reader.use_segments(Compression::kNone);
    reader.feed(plain_segment(std::string_view(envelope).substr(0, 50), first));
    reader.feed(plain_segment(std::string_view(envelope).substr(50), second));
    auto envelope_read = reader.next();
    ASSERT_FALSE(envelope_read);
    EXPECT_EQ(envelope_read.error().code, Errc::kCorruption);
  }
}

TEST(CqlFrame, TheCompressedFlagMeansNothingInV5) {
  std::string bytes = envelope_of(20, 1);
  bytes[1] = static_cast<char>(kFlagCompressed);
  FrameReader reader;
  reader.feed(bytes);
  auto envelope = reader.next();
  ASSERT_TRUE(envelope && *envelope);
  EXPECT_EQ((*envelope)->body, std::string_view(bytes).substr(kHeaderBytes));
}

TEST(CqlFrame, UnknownVersionsAreHandedOutForTheAnswer) {
  struct Case {
    std::string_view hex;
    uint8_t version;
    std::string_view answer;
  };
  for (auto [hex, version, answer] :
       {Case{"420000070500000000", 0x42, "850000070000"}, Case{"0100070500000000", 1, "81000700"}}) {
    FrameReader reader;
    reader.feed(*from_hex(hex));
    auto envelope = reader.next();
    ASSERT_TRUE(envelope && *envelope) << hex;
    EXPECT_EQ((*envelope)->version(), std::nullopt);
    EXPECT_EQ((*envelope)->version_byte, version);
    EXPECT_EQ((*envelope)->stream, 7);
    EXPECT_FALSE(reader.next()) << "nothing behind it is read";
    std::string out;
    append_unsupported_version(out, version, (*envelope)->stream);
    EXPECT_TRUE(to_hex(out).starts_with(answer)) << to_hex(out);
    EXPECT_NE(out.find(unsupported_version_text(version)), std::string::npos);
  }
}

TEST(CqlFrame, UnsupportedVersionTexts) {
  EXPECT_EQ(unsupported_version_text(66),
            "Invalid or unsupported protocol version (66); supported versions are (3/v3, 4/v4, 5/v5)");
  EXPECT_TRUE(is_unsupported_version(unsupported_version_text(5)));
  EXPECT_TRUE(is_unsupported_version("Invalid or unsupported protocol version: 5")) << "Scylla";
  EXPECT_FALSE(is_unsupported_version("unconfigured table"));
}

TEST(CqlFrame, PrefixOfTheBody) {
  std::string bytes;
  size_t at = begin_envelope(bytes, Version::kV4, true, 1, Opcode::kResult, kFlagTracing | kFlagWarnings | kFlagCustomPayload);
  put_uuid(bytes, *parse_uuid("01234567-89ab-4cde-8f01-23456789abcd"));
  put_string_list(bytes, {"Batch is large"});
  put_short(bytes, 1);
  put_string(bytes, "key");
  put_bytes(bytes, "payload");
  put_int(bytes, 1);
  end_envelope(bytes, at);
  FrameReader reader;
  reader.feed(bytes);
  auto envelope = **reader.next();
  auto prefix = read_prefix(envelope);
  ASSERT_TRUE(prefix);
  EXPECT_EQ(format_uuid(*prefix->tracing_id), "01234567-89ab-4cde-8f01-23456789abcd");
  EXPECT_EQ(prefix->warnings, std::vector<std::string_view>{"Batch is large"});
  EXPECT_EQ(prefix->custom_payload.at(0).second, "payload");
  EXPECT_TRUE(std::holds_alternative<VoidResult>(*decode_response(envelope)));
  Envelope request{.version_byte = 4, .flags = kFlagTracing, .opcode = Opcode::kOptions};
  EXPECT_TRUE(read_prefix(request)) << "a request only asks for tracing";
}

}  // namespace
}  // namespace millrace::codec::cql
