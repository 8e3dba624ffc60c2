#pragma once

#include <cstdint>
#include <string_view>

namespace millrace::format {

/// Why a text is not a row. The words of fault_name() are the codes of dead letters.
enum class JsonFault : uint8_t {
  kNone,
  kEmpty,      // nothing but white space
  kNotUtf8,    // bytes that are not UTF-8, or half of a surrogate pair
  kNotJson,    // breaks the grammar: cut off, garbage behind the end, control characters in a string
  kTooDeep,    // nests deeper than the limit
  kTooLarge,   // more bytes than the limit
  kNotObject,  // JSON, but not an object
  kType,       // a value of another kind than its column
  kRange,      // the right kind, but it does not fit
};

/// `not_json`, `type_mismatch`, ….
std::string_view fault_name(JsonFault fault);

}  // namespace millrace::format
