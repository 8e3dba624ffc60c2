// rooms: format
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "format/json_doc.h"
#include "format/json_path.h"

using namespace millrace;

// The path is what stands before the first line feed, the document what follows. Every match is JSON by itself.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  size_t line = input.find('\n');
  auto path = format::JsonPath::parse(input.substr(0, line));
  if (!path || line == std::string_view::npos) return 0;
  std::string_view document = input.substr(line + 1);
  auto status = format::select(document, *path, [](std::string_view raw) -> Status {
    if (!format::parse_json(raw, {.depth_max = 128})) std::abort();
    return {};
  });
  if (status.has_value() != format::select_text(document, *path).has_value()) std::abort();
  return 0;
}
