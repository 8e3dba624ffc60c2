#include "codec/cql/type_name.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace millrace::codec::cql {
namespace {

struct Scalar {
  CqlTypeId id;
  std::string_view name;
  std::string_view class_name;
};

constexpr Scalar kScalars[] = {
    {CqlTypeId::kAscii, "ascii", "AsciiType"},
    {CqlTypeId::kBigint, "bigint", "LongType"},
    {CqlTypeId::kBlob, "blob", "BytesType"},
    {CqlTypeId::kBoolean, "boolean", "BooleanType"},
    {CqlTypeId::kCounter, "counter", "CounterColumnType"},
    {CqlTypeId::kDecimal, "decimal", "DecimalType"},
    {CqlTypeId::kDouble, "double", "DoubleType"},
    {CqlTypeId::kFloat, "float", "FloatType"},
    {CqlTypeId::kInt, "int", "Int32Type"},
    {CqlTypeId::kTimestamp, "timestamp", "TimestampType"},
    {CqlTypeId::kUuid, "uuid", "UUIDType"},
    {CqlTypeId::kText, "text", "UTF8Type"},
    {CqlTypeId::kVarint, "varint", "IntegerType"},
    {CqlTypeId::kTimeuuid, "timeuuid", "TimeUUIDType"},
    {CqlTypeId::kInet, "inet", "InetAddressType"},
    {CqlTypeId::kDate, "date", "SimpleDateType"},
    {CqlTypeId::kTime, "time", "TimeType"},
    {CqlTypeId::kSmallint, "smallint", "ShortType"},
    {CqlTypeId::kTinyint, "tinyint", "ByteType"},
    {CqlTypeId::kDuration, "duration", "DurationType"},
};

constexpr size_t kAnyNumber = SIZE_MAX;
struct Nested {
  std::string_view class_name;
  CqlTypeId id;  // custom: a mark on the type inside
  size_t arguments;
};
constexpr Nested kNested[] = {
    {"ListType", CqlTypeId::kList, 1},     {"SetType", CqlTypeId::kSet, 1},
    {"MapType", CqlTypeId::kMap, 2},       {"TupleType", CqlTypeId::kTuple, kAnyNumber},
    {"FrozenType", CqlTypeId::kCustom, 1}, {"ReversedType", CqlTypeId::kCustom, 1},
};

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

/// Reads `Class(argument, argument)`; none when it meets something that it does not know.
class ClassParser {
 public:
  explicit ClassParser(std::string_view text) : rest_(text) {}

  std::optional<CqlType> whole(int depth) {
    auto type = one(depth);
    skip_spaces();
    return rest_.empty() ? type : std::nullopt;
  }

 private:
  std::optional<CqlType> one(int depth) {
    if (depth > kTypeDepthMax) return std::nullopt;
    skip_spaces();
    std::string_view name = rest_.substr(0, rest_.find_first_of("(), "));
    rest_.remove_prefix(name.size());
    if (name.starts_with(kMarshalPackage)) name.remove_prefix(kMarshalPackage.size());
    for (const Scalar& scalar : kScalars) {
      if (scalar.class_name == name) return CqlType{.id = scalar.id};
    }
    return name == "VectorType" ? vector(depth) : nested(name, depth);
  }

  std::optional<CqlType> nested(std::string_view name, int depth) {
    const Nested* known = std::ranges::find(kNested, name, &Nested::class_name);
    if (known == std::end(kNested) || !take('(')) return std::nullopt;
    CqlType type{.id = known->id};
    do {
      auto argument = one(depth + 1);
      if (!argument) return std::nullopt;
      type.args.push_back(std::move(*argument));
    } while (take(','));
    if (!take(')') || (known->arguments != kAnyNumber && type.args.size() != known->arguments)) return std::nullopt;
    if (known->id != CqlTypeId::kCustom) return type;
    CqlType inner = std::move(type.args[0]);
    inner.frozen = inner.frozen || name == "FrozenType";
    return inner;
  }

  std::optional<CqlType> vector(int depth) {
    if (!take('(')) return std::nullopt;
    auto element = one(depth + 1);
    if (!element || !take(',')) return std::nullopt;
    skip_spaces();
    uint32_t dimension = 0;
    auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), dimension);
    if (error != std::errc() || dimension == 0) return std::nullopt;
    rest_.remove_prefix(static_cast<size_t>(end - rest_.data()));
    if (!take(')')) return std::nullopt;
    CqlType type{.id = CqlTypeId::kVector, .dimension = dimension};
    type.args.push_back(std::move(*element));
    return type;
  }

  void skip_spaces() {
    while (rest_.starts_with(' ')) rest_.remove_prefix(1);
  }
  bool take(char c) {
    skip_spaces();
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }

  std::string_view rest_;
};

std::string joined_classes(const CqlType& type) {
  std::string out;
  for (const CqlType& argument : type.args) {
    std::string one = to_class(argument);
    if (one.empty()) return {};
    if (!out.empty()) out += ",";
    out += one;
  }
  return out;
}

}  // namespace

std::string_view scalar_name(CqlTypeId id) {
  for (const Scalar& scalar : kScalars) {
    if (scalar.id == id) return scalar.name;
  }
  return {};
}

std::optional<CqlTypeId> scalar_of_name(std::string_view name) {
  std::string lowered;
  for (char c : name) lowered += lower(c);
  if (lowered == "varchar") return CqlTypeId::kText;
  for (const Scalar& scalar : kScalars) {
    if (scalar.name == lowered) return scalar.id;
  }
  return std::nullopt;
}

std::string_view scalar_class(CqlTypeId id) {
  for (const Scalar& scalar : kScalars) {
    if (scalar.id == id) return scalar.class_name;
  }
  return {};
}

std::string to_class(const CqlType& type) {
  if (auto name = scalar_class(type.id); !name.empty()) return fmt::format("{}{}", kMarshalPackage, name);
  if (type.id == CqlTypeId::kCustom) return type.name;
  if (type.id == CqlTypeId::kUdt) return {};
  const std::string arguments = joined_classes(type);
  if (arguments.empty()) return {};
  std::string text;
  switch (type.id) {
    case CqlTypeId::kList: text = fmt::format("{}ListType({})", kMarshalPackage, arguments); break;
    case CqlTypeId::kSet: text = fmt::format("{}SetType({})", kMarshalPackage, arguments); break;
    case CqlTypeId::kMap: text = fmt::format("{}MapType({})", kMarshalPackage, arguments); break;
    case CqlTypeId::kTuple: text = fmt::format("{}TupleType({})", kMarshalPackage, arguments); break;
    case CqlTypeId::kVector: return fmt::format("{}VectorType({} , {})", kMarshalPackage, arguments, type.dimension);
    default: return {};
  }
  return type.frozen ? fmt::format("{}FrozenType({})", kMarshalPackage, text) : text;
}

CqlType type_of_class(std::string_view class_name, int depth) {
  if (auto type = ClassParser(class_name).whole(depth)) return std::move(*type);
  return {.id = CqlTypeId::kCustom, .name = std::string(class_name)};
}

}  // namespace millrace::codec::cql
