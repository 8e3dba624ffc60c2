#include "format/text.h"

#include <fmt/format.h>

#include "base/bytes.h"
#include "format/json_columns.h"
#include "format/json_tokens.h"
#include "format/scalar.h"

namespace millrace::format {

Status append_text_as(model::ColumnBuilder& column, std::string_view text) {
  using model::TypeId;
  switch (column.type().id) {
    case TypeId::kText:
      if (!is_utf8(text)) return fail(Errc::kInvalidArgument, "expected text, got bytes that are not UTF-8");
      column.append_text(text);
      return {};
    case TypeId::kList:
    case TypeId::kStruct: return append_json_as(column, text);
    default: break;
  }
  JsonFault fault = append_scalar(column, text);
  if (fault == JsonFault::kNone) return {};
  std::string shown = is_utf8(text) ? shorten(text) : "bytes that are not UTF-8";
  return fail(Errc::kInvalidArgument, fmt::format("expected {}, got \"{}\"{}", type_word(column.type()), shown,
                                                  fault == JsonFault::kRange ? ", which is out of range" : ""));
}

}  // namespace millrace::format
