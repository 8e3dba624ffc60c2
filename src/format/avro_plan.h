#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "format/avro_schema.h"
#include "model/schema.h"

namespace millrace::format {

/// What becomes of a writer's value in a column: worked out once for a schema, then followed for every record.
struct AvroRead {
  enum class Act : uint8_t {
    kMismatch,  // a fault whenever such a value comes
    kNull,
    kUnion,   // parts: one a branch
    kStruct,  // fields and missing
    kList,    // parts: the items
    kText,    // string or bytes into text
    kSymbol,
    kBlob,
    kBoolean,
    kInteger,  // int or long into any number
    kFloat,
    kDouble,
    kDecimal,
    kUuid,
    kDate,
    kTime,   // and timestamps
    kParse,  // a string by the rules of text.h
    kJson,   // anything into text
  };
  static constexpr uint32_t kSkip = UINT32_MAX;

  Act act = Act::kMismatch;
  uint32_t node = 0;
  std::vector<AvroRead> parts;
  /// Of a record, in the writer's order: the column of each field, or kSkip; its part stands at the same place.
  std::vector<uint32_t> columns;
  /// The columns that no field fills.
  std::vector<uint32_t> missing;
};

/// The plan for a whole value: records (also within a union) fill `columns` by name, anything else the only one.
Result<AvroRead> plan_avro_row(const AvroSchema& writer, const model::Schema& columns);

}  // namespace millrace::format
