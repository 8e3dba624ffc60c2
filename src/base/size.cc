#include "base/size.h"

#include <fmt/format.h>

#include <charconv>

namespace millrace {
namespace {

struct SizeUnit {
  std::string_view name;
  int64_t bytes;
};
constexpr SizeUnit kSizeUnits[] = {
    {"", 1},
    {"B", 1},
    {"kB", 1000},
    {"KB", 1000},
    {"MB", 1000 * 1000},
    {"GB", 1000LL * 1000 * 1000},
    {"TB", 1000LL * 1000 * 1000 * 1000},
    {"KiB", 1LL << 10},
    {"MiB", 1LL << 20},
    {"GiB", 1LL << 30},
    {"TiB", 1LL << 40},
};

}  // namespace

Result<int64_t> parse_size(std::string_view text) {
  int64_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && number >= 0) {
    std::string_view unit(end, static_cast<size_t>(text.data() + text.size() - end));
    for (const SizeUnit& known : kSizeUnits) {
      int64_t bytes = 0;
      if (known.name == unit && !__builtin_mul_overflow(number, known.bytes, &bytes)) return bytes;
    }
  }
  constexpr size_t kShownMax = 80;
  return fail(Errc::kInvalidArgument, fmt::format("'{}' is not a size", text.substr(0, kShownMax)),
              "write bytes, such as 4096, 64MiB or 10GB");
}

}  // namespace millrace
