#include "serve/http/json_text.h"

#include "base/bytes.h"

namespace millrace::serve::http {
namespace {

/// Bytes of the well-formed UTF-8 character at the front; 0 when there is none.
size_t character_size(std::string_view text) {
  for (size_t n = 1; n <= 4 && n <= text.size(); ++n)
    if (is_utf8(text.substr(0, n))) return n;
  return 0;
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  out += '"';
  while (!text.empty()) {
    auto c = static_cast<unsigned char>(text[0]);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += text[0];
    } else if (c < 0x20) {
      out += "\\u00";
      out += kHex[c >> 4];
      out += kHex[c & 15];
    } else if (c < 0x80) {
      out += text[0];
    } else if (size_t n = character_size(text); n != 0) {
      out += text.substr(0, n);
      text.remove_prefix(n - 1);
    } else {
      out += "\xEF\xBF\xBD";
    }
    text.remove_prefix(1);
  }
  out += '"';
}

}  // namespace millrace::serve::http
