#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "codec/cql/type.h"

/// The two texts of a type that have no arguments: its CQL name and its Java class.
namespace millrace::codec::cql {

inline constexpr std::string_view kMarshalPackage = "org.apache.cassandra.db.marshal.";

/// `bigint`; empty for a type with arguments, a udt or a custom one.
std::string_view scalar_name(CqlTypeId id);
/// In either case; `varchar` is text.
std::optional<CqlTypeId> scalar_of_name(std::string_view name);
/// `LongType`, without the package.
std::string_view scalar_class(CqlTypeId id);

/// The class of a type with its arguments, as vectors are announced. Empty when it holds a udt.
std::string to_class(const CqlType& type);
/// What a class is; kCustom with the class as its name when it has no other, or nests too deep below `depth` types.
CqlType type_of_class(std::string_view class_name, int depth);

}  // namespace millrace::codec::cql
