#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "codec/cql/frame.h"
#include "codec/cql/primitive.h"

namespace millrace::codec::cql {

/// The numbers of [option] (native protocol v5, section 4.2.5.2); vector has none on the wire, there it is a custom class.
enum class CqlTypeId : uint16_t {
  kCustom = 0x0000,
  kAscii = 0x0001,
  kBigint = 0x0002,
  kBlob = 0x0003,
  kBoolean = 0x0004,
  kCounter = 0x0005,
  kDecimal = 0x0006,
  kDouble = 0x0007,
  kFloat = 0x0008,
  kInt = 0x0009,
  kTimestamp = 0x000B,
  kUuid = 0x000C,
  kText = 0x000D,
  kVarint = 0x000E,
  kTimeuuid = 0x000F,
  kInet = 0x0010,
  kDate = 0x0011,
  kTime = 0x0012,
  kSmallint = 0x0013,
  kTinyint = 0x0014,
  kDuration = 0x0015,
  kList = 0x0020,
  kMap = 0x0021,
  kSet = 0x0022,
  kUdt = 0x0030,
  kTuple = 0x0031,
  kVector = 0xFFFF,
};

/// A type may nest this deep, in text and on the wire.
inline constexpr int kTypeDepthMax = 16;

struct CqlType {
  CqlTypeId id = CqlTypeId::kText;
  /// Only known from text: the wire does not tell.
  bool frozen = false;
  /// list, set, vector: the element; map: key and value; tuple and udt: the fields. Those of a udt read from text are unknown
  /// until resolve_udts.
  std::vector<CqlType> args;
  std::vector<std::string> field_names;  // udt
  std::string keyspace;                  // udt, from the wire
  std::string name;                      // udt: as it is, without quotes; custom: the class
  uint32_t dimension = 0;                // vector

  friend bool operator==(const CqlType&, const CqlType&) = default;
};

/// Appends [option]. Before v5 duration goes out as its class, before v4 date, time, smallint and tinyint as well.
void put_type(std::string& out, Version version, const CqlType& type);
/// Reads [option]; classes that are types with a name of their own (duration, vector and what it holds) become those.
CqlType read_type(Reader& in);

/// The type in CQL, as system_schema.columns has it: `map<text, frozen<list<int>>>`, `frozen<"Address">`, `vector<float, 3>`,
/// `'org.example.MyType'`. Errors: kInvalidArgument with the place in the text.
Result<CqlType> parse_cql_type(std::string_view text);
std::string to_cql(const CqlType& type);
/// A name as CQL takes it: in double quotes, these doubled, unless it is a word in lower case that is not reserved.
std::string quote_cql_identifier(std::string_view name);

/// Gives each udt inside `type` its fields: `find(name)` is asked for the names and types of one (from system_schema.types, the
/// types as parsed) and gives a kUdt, or null when there is none. Errors: kNotFound, kInvalidArgument (nested too deep).
Status resolve_udts(CqlType& type, const std::function<const CqlType*(std::string_view name)>& find);

}  // namespace millrace::codec::cql
