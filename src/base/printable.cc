#include "base/printable.h"

#include <fmt/format.h>

namespace millrace {
namespace {

/// The code point of the three bytes at the front when it separates lines or overrides the direction, else 0.
unsigned hidden_character(std::string_view text) {
  if (text.size() < 3 || text[0] != '\xe2' || (text[1] != '\x80' && text[1] != '\x81')) return 0;
  auto last = static_cast<uint8_t>(text[2]);
  if ((last & 0xc0) != 0x80) return 0;
  unsigned point = (text[1] == '\x80' ? 0x2000U : 0x2040U) + (last & 0x3fU);
  bool hidden = (point >= 0x2028 && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069);
  return hidden ? point : 0;
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    auto c = static_cast<uint8_t>(text[i]);
    bool c1 =
        c == 0xc2 && i + 1 < text.size() && static_cast<uint8_t>(text[i + 1]) >= 0x80 && static_cast<uint8_t>(text[i + 1]) < 0xa0;
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c < 0x20 || c == 0x7f) {
      out += fmt::format("\\x{:02x}", c);
    } else if (c1) {
      out += fmt::format("\\u{:04x}", static_cast<uint8_t>(text[++i]));
    } else if (unsigned point = hidden_character(text.substr(i)); point != 0) {
      out += fmt::format("\\u{:04x}", point);
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

}  // namespace millrace
