// rooms: base
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/check.h"
#include "base/printable.h"
#include "base/time.h"
#include "base/uuid.h"

/// Small values as text: what parses is written in a form that parses to the same.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace millrace;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  if (auto instant = parse_instant(text)) CHECK(parse_instant(format_instant(*instant)) == *instant, "instants round-trip");
  if (auto duration = parse_duration(text))
    CHECK(parse_duration(format_duration(*duration)) == *duration, "durations round-trip");
  if (auto uuid = parse_uuid(text)) CHECK(parse_uuid(format_uuid(*uuid)) == *uuid, "uuids round-trip");
  if (auto bytes = from_base64(text)) CHECK(from_base64(to_base64(*bytes)) == bytes, "base64 round-trips");
  if (auto bytes = from_hex(text)) CHECK(from_hex(to_hex(*bytes)) == bytes, "hex round-trips");
  std::string shown = printable(text);
  for (char c : shown) CHECK(static_cast<uint8_t>(c) >= 0x20 && c != 0x7f, "nothing drives the terminal");
  CHECK(is_utf8(shown) == is_utf8(text), "characters stay whole");
  return 0;
}
