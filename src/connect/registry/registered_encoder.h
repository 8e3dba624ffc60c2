#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "connect/registry/schema_cache.h"
#include "format/avro_encoder.h"
#include "port/value_codec.h"

namespace millrace::connect::registry {

/// Writes values in the registry's wire format, all by one schema whose id is known once it is made.
class RegisteredEncoder : public port::ValueEncoder {
 public:
  /// Registers or finds the schema, as the settings say. Errors: see port::SchemaRegistry::encoder, and those of Api.
  static Result<std::unique_ptr<RegisteredEncoder>> make(SchemaCache& schemas, const std::string& topic, bool of_key,
                                                         port::ValueFormat format, std::shared_ptr<const model::Schema> columns);

  Status append(std::string& out, const model::ColumnBatch& rows, size_t row) override;

 private:
  RegisteredEncoder(int32_t id, std::optional<format::AvroEncoder> avro);

  std::string head_;
  std::optional<format::AvroEncoder> avro_;  // without it: JSON
};

}  // namespace millrace::connect::registry
