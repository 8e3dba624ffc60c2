#pragma once

#include <string>

#include "base/result.h"
#include "format/avro_schema.h"
#include "format/json_doc.h"

namespace millrace::format {

/// Appends a schema's default as a value of `node`: of a union the first branch, bytes as code points up to 255.
/// Errors: kInvalidArgument when it is none, or too large.
Status append_avro_default(const AvroSchema& schema, uint32_t node, const Json& json, std::string& out);

}  // namespace millrace::format
