// rooms: format
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "format/json_write.h"
#include "format/text.h"
#include "model/column_builder.h"

using namespace millrace;
using model::Type;
using model::TypeId;

namespace {

std::string shown(const Type& type, std::string_view text) {
  model::Arena arena;
  model::ColumnBuilder column(type, arena);
  if (!format::append_text_as(column, text)) {
    if (column.size() != 0) std::abort();
    return "!";
  }
  std::string out;
  format::append_value_text(out, column.view(), 0);
  return out;
}

}  // namespace

// The first byte picks the type, the second a decimal's shape. What is shown reads back as the same value.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  Type type{.id = static_cast<TypeId>(1 + data[0] % 22)};
  if (type.id == TypeId::kDecimal) {
    type.width = static_cast<uint8_t>(1 + data[1] % 38);
    type.scale = static_cast<uint8_t>(data[1] / 38 % (type.width + 1));
  }
  if (type.id == TypeId::kList) type.fields = {{"element", {.id = TypeId::kDouble}}};
  std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);
  std::string first = shown(type, text);
  // Text is shown with its control characters escaped, a list's NaN without quotes: neither is meant to be read.
  bool reads_back = type.id != TypeId::kText && type.id != TypeId::kList;
  if (first != "!" && reads_back && shown(type, first) != first) std::abort();
  return 0;
}
