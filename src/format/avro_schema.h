#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "format/json_doc.h"

namespace millrace::format {

enum class AvroKind : uint8_t {
  kNull,
  kBoolean,
  kInt,
  kLong,
  kFloat,
  kDouble,
  kBytes,
  kString,
  kFixed,
  kEnum,
  kArray,
  kMap,
  kUnion,
  kRecord,
};

/// What a value means beyond its kind. One that does not fit its kind is none, as the specification wants it.
enum class AvroLogical : uint8_t {
  kNone,
  kDecimal,
  kUuid,
  kDate,
  kTimeMillis,
  kTimeMicros,
  kTimestampMillis,
  kTimestampMicros,
  kTimestampNanos,
  kLocalTimestampMillis,
  kLocalTimestampMicros,
  kLocalTimestampNanos,
};

struct AvroField {
  std::string name;
  std::vector<std::string> aliases;
  uint32_t node = 0;
  std::optional<Json> otherwise;  // the schema's default
};

struct AvroNode {
  AvroKind kind = AvroKind::kNull;
  AvroLogical logical = AvroLogical::kNone;
  std::string name;                  // full name of a record, enum or fixed
  std::vector<AvroField> fields;     // of a record
  std::vector<std::string> symbols;  // of an enum
  std::vector<uint32_t> nodes;       // the branches of a union, the items of an array, the values of a map
  uint32_t size = 0;                 // bytes of a fixed
  int precision = 0, scale = 0;      // of a decimal
  bool is_empty = false;             // its values take no bytes
};

inline constexpr int kAvroDepthMax = 64;
inline constexpr size_t kAvroSchemaBytesMax = 1 << 20;
inline constexpr size_t kAvroNodesMax = 20'000;
inline constexpr size_t kAvroFieldsMax = 10'000;  // of all records together

/// An Avro schema (specification 1.12, "Schema Declaration"). A named type may contain itself; how deep its values go is for the
/// reader to bound. Threading: immutable.
class AvroSchema {
 public:
  /// `references`: schemas whose named types the text may use, each after those that it uses itself.
  /// Errors: kInvalidArgument (what is wrong with it), kResourceExhausted (size, depth, number of types or fields).
  static Result<std::shared_ptr<const AvroSchema>> parse(std::string_view text, std::span<const std::string> references = {});

  const AvroNode& node(uint32_t i) const { return nodes_[i]; }
  uint32_t root() const { return root_; }
  size_t node_count() const { return nodes_.size(); }

 private:
  friend class AvroSchemaReader;
  std::vector<AvroNode> nodes_;
  uint32_t root_ = 0;
};

/// `int`, `timestamp-millis`, `record`: how messages name it.
std::string_view avro_word(const AvroNode& node);
/// A letter or `_`, then those and digits.
bool is_avro_name(std::string_view name);

}  // namespace millrace::format
