#pragma once

#include <span>
#include <string_view>

#include "base/result.h"
#include "model/schema.h"

namespace millrace::format {

struct InferLimits {
  int depth_max = 16;        // what nests deeper is text
  size_t fields_max = 1000;  // of all structs together
};

/// The schema that sample records fit, fields in the order in which they were first seen.
///
/// Whole numbers are bigint (hugeint when one passes it), with any other number double, but text when a double would not hold one
/// of the whole numbers; true and false boolean. Strings are text,
/// but uuid, date or timestamptz when every sample is one in its canonical form (timestamp when none has a zone). Objects are
/// structs, arrays lists; null tells nothing. What only ever was null or an empty object, and what mixes kinds, is text. Of names
/// that differ in case only the first counts, as SQL cannot tell them apart. Errors: kInvalidArgument names the sample that is
/// not a JSON object, kResourceExhausted when there are too many fields.
Result<model::Schema> infer_schema(std::span<const std::string_view> samples, const InferLimits& limits = {});

}  // namespace millrace::format
