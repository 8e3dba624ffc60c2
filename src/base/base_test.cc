#include <gtest/gtest.h>

#include "base/bytes.h"
#include "base/printable.h"
#include "base/time.h"
#include "base/uuid.h"

namespace millrace {
namespace {

TEST(Time, InstantsRoundTrip) {
  for (std::string_view text : {"2026-11-21T04:03:31Z", "1969-12-31T23:59:59.999999Z", "2038-01-19T03:14:08Z",
                                "0001-01-01T00:00:00Z", "2026-02-28T12:00:00.120Z"}) {
    auto parsed = parse_instant(text);
    ASSERT_TRUE(parsed) << text;
    EXPECT_EQ(format_instant(*parsed), text);
  }
}

TEST(Time, ZonesAreSubtracted) {
  EXPECT_EQ(format_instant(*parse_instant("2026-11-21T04:03:31+02:00")), "2026-11-21T02:03:31Z");
  EXPECT_EQ(format_instant(*parse_instant("2026-11-21 04:03-0330")), "2026-11-21T07:33:00Z");
  EXPECT_EQ(format_instant(*parse_instant("2026-11-21")), "2026-11-21T00:00:00Z");
}

TEST(Time, RefusesWhatIsNoTime) {
  for (std::string_view text : {"", "2026", "2026-13-01", "2026-02-30", "2026-01-01T25:00:00Z", "2026-01-01T00:00:00.Z",
                                "2026-01-01T00:00:00Zx", "-026-01-01", "2026-01-01T00:00:00+99:00"}) {
    EXPECT_FALSE(parse_instant(text)) << text;
  }
}

TEST(Time, Durations) {
  EXPECT_EQ(*parse_duration("1h30m"), std::chrono::minutes(90));
  EXPECT_EQ(*parse_duration("250ms"), std::chrono::milliseconds(250));
  EXPECT_EQ(*parse_duration("2w"), std::chrono::hours(24 * 14));
  EXPECT_EQ(format_duration(std::chrono::seconds(90)), "1m30s");
  EXPECT_EQ(format_duration(Duration(0)), "0s");
  for (std::string_view text : {"", "5", "s", "-5s", "5 s", "5x", "99999999999999999999d", "9999999999d"})
    EXPECT_FALSE(parse_duration(text)) << text;
}

TEST(Bytes, VarintsRoundTripAndStopAtTheEnd) {
  for (int64_t v : {int64_t{0}, int64_t{-1}, int64_t{63}, int64_t{-64}, int64_t{300}, INT64_MAX, INT64_MIN}) {
    std::string bytes;
    append_zigzag(bytes, v);
    ByteReader in(bytes);
    EXPECT_EQ(in.zigzag(), v);
    EXPECT_TRUE(in.ok() && in.empty());
    ByteReader cut(std::string_view(bytes).substr(0, bytes.size() - 1));
    cut.zigzag();
    EXPECT_FALSE(cut.ok());
  }
  ByteReader overlong(std::string_view("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11));
  overlong.varint();
  EXPECT_FALSE(overlong.ok());
}

TEST(Bytes, ReaderNeverPassesTheEnd) {
  std::string bytes;
  append_sized(bytes, "abc");
  bytes[0] = 100;
  ByteReader in(bytes);
  EXPECT_EQ(in.sized(), "");
  EXPECT_FALSE(in.ok());
  EXPECT_EQ(in.be<uint32_t>(), 0u);
}

TEST(Bytes, Base64AndHex) {
  for (std::string_view text : {"", "f", "fo", "foo", "foob", "fooba", "foobar"}) EXPECT_EQ(from_base64(to_base64(text)), text);
  EXPECT_EQ(to_base64("fooba"), "Zm9vYmE=");
  EXPECT_FALSE(from_base64("Zm9=YmE="));
  EXPECT_FALSE(from_base64("Zm9"));
  EXPECT_EQ(from_hex(to_hex("\x01\xff")), "\x01\xff");
  EXPECT_FALSE(from_hex("0g"));
}

TEST(Printable, WritesOutWhatDrivesATerminal) {
  EXPECT_EQ(printable("a\x1b[2J\n\t\r\x7f\0"), "a\\x1b[2J\\n\\t\\x0d\\x7f");
  EXPECT_EQ(printable("é\u0085\u009b2J\u202e\u2066\u2028"), "é\\u0085\\u009b2J\\u202e\\u2066\\u2028");
  EXPECT_EQ(printable("\xe2\x01\xae"), "\xe2\\x01\xae");
  EXPECT_EQ(printable("日本 \u2013 😀 \xff\xe2"), "日本 \u2013 😀 \xff\xe2");
}

TEST(Bytes, Utf8) {
  EXPECT_TRUE(is_utf8("añ€😀"));
  for (std::string_view bad : {"\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82", "\x80", "\xff"})
    EXPECT_FALSE(is_utf8(bad));
}

TEST(Uuid, ParsesEveryUsualForm) {
  Uuid uuid = *parse_uuid("123e4567-e89b-12d3-a456-426614174000");
  EXPECT_EQ(format_uuid(uuid), "123e4567-e89b-12d3-a456-426614174000");
  EXPECT_EQ(*parse_uuid("123E4567E89B12D3A456426614174000"), uuid);
  EXPECT_EQ(*parse_uuid("{123e4567-e89b-12d3-a456-426614174000}"), uuid);
  for (std::string_view bad : {"", "123e4567", "123e4567-e89b-12d3-a456-42661417400g", "123e4567ae89b-12d3-a456-426614174000"})
    EXPECT_FALSE(parse_uuid(bad)) << bad;
}

}  // namespace
}  // namespace millrace
