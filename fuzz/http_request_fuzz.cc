// rooms: serve/http net/http
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/bytes.h"
#include "net/http/client.h"
#include "net/http/retry.h"
#include "serve/http/guard.h"
#include "serve/http/message.h"
#include "serve/http/target.h"

using namespace millrace;

/// The parsers of header values and targets that are ours; the framing is
/// Beast's and curl's.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  if (auto target = serve::http::parse_target(text)) {
    for (const std::string& segment : target->segments)
      if (segment == "." || segment == ".." || segment.find('\0') != std::string::npos) std::abort();
    if (!target->path.starts_with('/')) std::abort();
  }
  serve::http::Request request{.path = "/", .headers = {{"host", std::string(text)}, {"origin", "http://" + std::string(text)}}};
  serve::http::refuse({.any_ip_literal = true, .bearer_token = "t"}, request);
  serve::http::split_host(text);
  if (!is_utf8(serve::http::error_response(400, text, text).body)) std::abort();
  Instant now = instant_from_millis(1'795'237'200'000);
  auto wait = net::http::parse_retry_after(text, now);
  if (wait && *wait < Duration(0)) std::abort();
  net::http::redact_url(text);
  return 0;
}
