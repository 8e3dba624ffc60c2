#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "codec/cql/type.h"
#include "model/schema.h"

/// What encoder and decoder know of types alike.
namespace millrace::codec::cql {

/// Bytes of tinyint … bigint and counter; 0 for other types.
size_t integer_bytes(CqlTypeId id);
/// Bits that hold every value of the SQL integer type with its sign; 0 for other types.
size_t integer_bits(model::TypeId id);
bool is_list_like(CqlTypeId id);  // list, set, vector

/// Bytes of each value when a vector holds them without a length (AbstractType.valueLengthIfFixed); 0: with one.
size_t vector_element_bytes(const CqlType& element);

/// The names of a udt's or tuple's fields in SQL (see natural_sql_type), different from each other without case.
std::vector<std::string> sql_field_names(const CqlType& type);

/// `a VARCHAR can be written to text, ascii or inet`: for the hint of a pair that does not fit.
std::string writable_to(const model::Type& from);

}  // namespace millrace::codec::cql
