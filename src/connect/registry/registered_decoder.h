#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "connect/registry/schema_cache.h"
#include "format/avro_decoder.h"
#include "format/json_columns.h"
#include "port/value_codec.h"

namespace millrace::connect::registry {

/// Reads values in the registry's wire format, each by the schema that it names. Faults beside those of the formats:
///   not_registered      no magic byte
///   unknown_schema      the registry has no schema of that id
///   unusable_schema     it has one that is broken or beyond a limit
///   unsupported_schema  it is neither Avro nor JSON Schema
class RegisteredDecoder : public port::ValueDecoder {
 public:
  RegisteredDecoder(std::shared_ptr<SchemaCache> schemas, std::string place, std::shared_ptr<const model::Schema> columns);

  Status append(std::string_view value, model::BatchBuilder& out) override;
  std::string_view fault() const override { return fault_; }

 private:
  static constexpr size_t kReadersMax = 256;

  Status read_avro(format::AvroDecoder& decoder, std::string_view payload, model::BatchBuilder& out);
  Status read_json(std::string_view payload, model::BatchBuilder& out);
  /// Null: the values of this id are JSON.
  Result<format::AvroDecoder*> reader(int32_t id);
  tl::unexpected<Error> refuse(std::string_view fault, std::string message, std::string hint = {});
  tl::unexpected<Error> refuse(Error error);

  std::shared_ptr<SchemaCache> schemas_;
  std::string place_;  // `subject users-value`, for messages
  std::shared_ptr<const model::Schema> columns_;
  std::unordered_map<int32_t, std::optional<format::AvroDecoder>> readers_;
  std::optional<format::JsonDecoder> json_;
  int32_t last_id_ = -1;
  format::AvroDecoder* last_ = nullptr;
  std::string_view fault_ = "none";
};

}  // namespace millrace::connect::registry
