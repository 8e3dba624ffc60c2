#include "base/uuid.h"

#include "base/bytes.h"

namespace millrace {

std::string format_uuid(const Uuid& uuid) {
  std::string digits = to_hex(std::string_view(reinterpret_cast<const char*>(uuid.bytes.data()), uuid.bytes.size()));
  for (size_t hyphen : {8u, 13u, 18u, 23u}) digits.insert(hyphen, 1, '-');
  return digits;
}

Result<Uuid> parse_uuid(std::string_view text) {
  auto bad = [&] { return fail(Errc::kInvalidArgument, "'" + std::string(text.substr(0, 64)) + "' is not a uuid"); };
  std::string_view body = text;
  if (body.size() == 38 && body.front() == '{' && body.back() == '}') body = body.substr(1, 36);
  if (body.size() != 36 && body.size() != 32) return bad();
  bool hyphens = body.size() == 36;
  Uuid out;
  size_t at = 0;
  for (size_t i = 0; i < 16; ++i) {
    if (hyphens && (at == 8 || at == 13 || at == 18 || at == 23)) {
      if (body[at] != '-') return bad();
      ++at;
    }
    int high = hex_digit(body[at]), low = hex_digit(body[at + 1]);
    if (high < 0 || low < 0) return bad();
    out.bytes[i] = static_cast<uint8_t>(high << 4 | low);
    at += 2;
  }
  return out;
}

}  // namespace millrace
