#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>

#include "base/mutex.h"
#include "base/result.h"
#include "base/time.h"
#include "connect/registry/api.h"
#include "env/clock.h"
#include "format/avro_schema.h"

namespace millrace::connect::registry {

/// A schema that values can be read by.
struct UsableSchema {
  std::shared_ptr<const format::AvroSchema> avro;  // null: the values are JSON
};

/// Schemas by id. What an id names never changes, so it is asked for once; that an id is unknown or its schema of no use is
/// remembered for kForgetAfter. Threading: any thread.
class SchemaCache {
 public:
  static constexpr Duration kForgetAfter = std::chrono::seconds(60);
  static constexpr size_t kSchemasMax = 10'000;

  SchemaCache(RegistrySettings settings, env::Clock& clock) : api_(std::move(settings)), clock_(clock) {}

  Api& api() { return api_; }
  /// Errors: those of Api; kNotFound: the registry has no such schema; kInvalidArgument, kResourceExhausted: it cannot be read
  /// by; kUnimplemented: it is neither Avro nor JSON Schema.
  Result<UsableSchema> get(int32_t id) EXCLUDES(mutex_);
  /// An Avro schema with what it refers to.
  Result<std::shared_ptr<const format::AvroSchema>> parse_avro(const Registered& schema);

 private:
  struct Failure {
    Error error;
    Duration until;
  };
  Result<UsableSchema> fetch(int32_t id);

  Api api_;
  env::Clock& clock_;
  Mutex mutex_;
  std::unordered_map<int32_t, UsableSchema> schemas_ GUARDED_BY(mutex_);
  std::unordered_map<int32_t, Failure> failures_ GUARDED_BY(mutex_);
};

}  // namespace millrace::connect::registry
