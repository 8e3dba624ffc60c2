#include "format/json_fault.h"

namespace millrace::format {

std::string_view fault_name(JsonFault fault) {
  switch (fault) {
    case JsonFault::kNone: return "none";
    case JsonFault::kEmpty: return "empty";
    case JsonFault::kNotUtf8: return "not_utf8";
    case JsonFault::kNotJson: return "not_json";
    case JsonFault::kTooDeep: return "too_deep";
    case JsonFault::kTooLarge: return "too_large";
    case JsonFault::kNotObject: return "not_object";
    case JsonFault::kType: return "type_mismatch";
    case JsonFault::kRange: return "out_of_range";
  }
  return "unknown";
}

}  // namespace millrace::format
