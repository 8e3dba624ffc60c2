#pragma once

#include <duckdb.h>

#include <utility>

#include "base/result.h"
#include "model/schema.h"

namespace millrace::sql {

/// Owns a duckdb_logical_type.
class LogicalType {
 public:
  explicit LogicalType(duckdb_logical_type type) : type_(type) {}
  LogicalType(LogicalType&& other) noexcept : type_(std::exchange(other.type_, nullptr)) {}
  LogicalType& operator=(LogicalType&&) = delete;
  ~LogicalType() { duckdb_destroy_logical_type(&type_); }
  duckdb_logical_type get() const { return type_; }

 private:
  duckdb_logical_type type_;
};

LogicalType to_duckdb(const model::Type& type);

/// Errors: kUnimplemented for a type that Millrace does not have, naming it and the nearest that it has.
Result<model::Type> from_duckdb(duckdb_logical_type type);

}  // namespace millrace::sql
