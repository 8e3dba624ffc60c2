#include <fmt/format.h>

#include <limits>

#include "base/bytes.h"
#include "codec/cql/big_integer.h"
#include "codec/cql/pairing.h"
#include "codec/cql/value.h"

namespace millrace::codec::cql {

using model::ColumnBuilder;
using model::TypeId;

namespace {

enum class Op : uint8_t {
  kBoolean,
  kInteger,  // tinyint … bigint, counter, varint to an integer
  kIntegerToDecimal,
  kDecimal,
  kDecimalToInteger,
  kFloat,
  kDouble,
  kBytes,
  kInet,
  kUuid,
  kDate,
  kTime,
  kTimestamp,
  kInterval,
  kList,
  kVector,
  kMap,
  kFields,
};

constexpr size_t kNoSource = SIZE_MAX;
constexpr int64_t kNanosPerDay = 86'400'000'000'000;

tl::unexpected<Error> bad(std::string why) { return fail(Errc::kCorruption, std::move(why)); }
tl::unexpected<Error> refuse(std::string why) { return fail(Errc::kInvalidArgument, std::move(why)); }

Status check_size(std::string_view bytes, size_t size, std::string_view what) {
  if (bytes.size() == size) return {};
  return bad(fmt::format("a {} of {} bytes instead of {}", what, bytes.size(), size));
}

Result<__int128> read_integer(std::string_view bytes, size_t size) {
  if (size != 0) TRY_DO(check_size(bytes, size, "CQL integer"));
  auto v = read_big_integer(bytes);
  if (!v) return refuse("a varint is beyond 128 bits");
  return *v;
}

template <class T>
Status append_integer(__int128 v, ColumnBuilder& column) {
  if (v < std::numeric_limits<T>::min() || v > std::numeric_limits<T>::max()) {
    return refuse(fmt::format("the value is beyond {}", to_sql(column.type())));
  }
  column.append(static_cast<T>(v));
  return {};
}

Status append_integer(__int128 v, ColumnBuilder& column) {
  switch (column.type().id) {
    case TypeId::kTinyint: return append_integer<int8_t>(v, column);
    case TypeId::kUtinyint: return append_integer<uint8_t>(v, column);
    case TypeId::kSmallint: return append_integer<int16_t>(v, column);
    case TypeId::kUsmallint: return append_integer<uint16_t>(v, column);
    case TypeId::kInteger: return append_integer<int32_t>(v, column);
    case TypeId::kUinteger: return append_integer<uint32_t>(v, column);
    case TypeId::kBigint: return append_integer<int64_t>(v, column);
    case TypeId::kUbigint: return append_integer<uint64_t>(v, column);
    default: column.append(model::to_int128(v)); return {};
  }
}

/// The value unscaled × 10^-scale, if it is one of the column's DECIMAL(width, scale).
Status append_decimal(__int128 unscaled, int64_t scale, ColumnBuilder& column) {
  const model::Type& type = column.type();
  auto v = scaled(unscaled, type.scale - scale);
  const __int128 limit = power_of_ten(type.width);
  if (!v || *v >= limit || *v <= -limit) return refuse(fmt::format("the value is no {}", to_sql(type)));
  switch (element_size(type)) {
    case 2: column.append(static_cast<int16_t>(*v)); return {};
    case 4: column.append(static_cast<int32_t>(*v)); return {};
    case 8: column.append(static_cast<int64_t>(*v)); return {};
    default: column.append(model::to_int128(*v)); return {};
  }
}

Status read_decimal(std::string_view bytes, bool to_integer, ColumnBuilder& column) {
  if (bytes.size() <= sizeof(int32_t)) return bad("a decimal that is cut short");
  const int64_t scale = load_be<int32_t>(bytes.data());
  auto unscaled = read_big_integer(bytes.substr(sizeof(int32_t)));
  if (!unscaled) return refuse("a decimal is beyond 128 bits");
  if (!to_integer) return append_decimal(*unscaled, scale, column);
  auto v = scaled(*unscaled, -scale);
  if (!v) return refuse(fmt::format("the value is no {}", to_sql(column.type())));
  return append_integer(*v, column);
}

Status read_floating(std::string_view bytes, bool is_double, ColumnBuilder& column) {
  TRY_DO(check_size(bytes, is_double ? 8 : 4, is_double ? "double" : "float"));
  const bool to_double = column.type().id == TypeId::kDouble;
  if (is_double == to_double) {  // as it is: also what NaN carries
    is_double ? column.append(load_be<uint64_t>(bytes.data())) : column.append(load_be<uint32_t>(bytes.data()));
  } else if (to_double) {
    column.append(double{std::bit_cast<float>(load_be<uint32_t>(bytes.data()))});
  } else {
    column.append(static_cast<float>(std::bit_cast<double>(load_be<uint64_t>(bytes.data()))));
  }
  return {};
}

Status read_inet(std::string_view bytes, ColumnBuilder& column) {
  if (bytes.size() != 4 && bytes.size() != 16) return bad("an inet of neither 4 nor 16 bytes");
  InetAddress address{.size = static_cast<uint8_t>(bytes.size())};
  std::memcpy(address.bytes.data(), bytes.data(), bytes.size());
  column.append_text(format_inet(address));
  return {};
}

Status read_uuid(std::string_view bytes, ColumnBuilder& column) {
  TRY_DO(check_size(bytes, 16, "uuid"));
  Uuid uuid;
  std::memcpy(uuid.bytes.data(), bytes.data(), bytes.size());
  column.append(model::uuid_to_element(uuid));
  return {};
}

Status read_date(std::string_view bytes, ColumnBuilder& column) {
  TRY_DO(check_size(bytes, 4, "date"));
  const auto days = static_cast<int32_t>(load_be<uint32_t>(bytes.data()) ^ uint32_t{1} << 31);
  constexpr int32_t kInfinity = std::numeric_limits<int32_t>::max();
  if (days == kInfinity || days <= -kInfinity) return refuse("the date is beyond DATE");
  column.append(days);
  return {};
}

Status read_time(std::string_view bytes, ColumnBuilder& column) {
  TRY_DO(check_size(bytes, 8, "time"));
  const auto nanos = load_be<int64_t>(bytes.data());
  if (nanos < 0 || nanos >= kNanosPerDay) return bad("a time that is not within a day");
  column.append(nanos / 1000);
  return {};
}

Status read_timestamp(std::string_view bytes, ColumnBuilder& column) {
  TRY_DO(check_size(bytes, 8, "timestamp"));
  int64_t micros;
  if (__builtin_mul_overflow(load_be<int64_t>(bytes.data()), 1000, &micros)) {
    return refuse(fmt::format("the timestamp is beyond {}", to_sql(column.type())));
  }
  column.append(micros);
  return {};
}

Status read_interval(std::string_view bytes, ColumnBuilder& column) {
  Reader in(bytes);
  const int64_t months = in.vint();
  const int64_t days = in.vint();
  const int64_t nanos = in.vint();
  TRY_DO(in.status("a duration"));
  auto fits = [](int64_t v) { return v >= std::numeric_limits<int32_t>::min() && v <= std::numeric_limits<int32_t>::max(); };
  if (!in.empty() || !fits(months) || !fits(days)) return bad("a duration with parts beyond 32 bits, or more than three");
  column.append(model::IntervalElement{static_cast<int32_t>(months), static_cast<int32_t>(days), nanos / 1000});
  return {};
}

}  // namespace

struct ValueDecoder::Plan {
  Op op = Op::kBytes;
  size_t bytes = 0;           // kInteger: of the CQL integer, 0 for varint; kVector: of an element, 0 when each has a length
  bool is_double = false;     // kFloat
  bool empty_is_null = true;  // not of text and blob
  size_t length = 0;          // kVector
  std::vector<Plan> children;
  std::vector<size_t> sources;  // kFields: by field of the struct, which field of the CQL type

  Status append(const Value& value, ColumnBuilder& column) const {
    if (value.kind != Value::Kind::kBytes || (empty_is_null && value.bytes.empty())) {
      column.append_null();
      return {};
    }
    return append_bytes(value.bytes, column);
  }

  Status append_bytes(std::string_view in, ColumnBuilder& column) const {
    switch (op) {
      case Op::kBoolean: return append_boolean(in, column);
      case Op::kInteger:
      case Op::kIntegerToDecimal: return append_number(in, column);
      case Op::kDecimal:
      case Op::kDecimalToInteger: return read_decimal(in, op == Op::kDecimalToInteger, column);
      case Op::kFloat: return read_floating(in, false, column);
      case Op::kDouble: return read_floating(in, true, column);
      case Op::kBytes: return append_text(in, column);
      case Op::kInet: return read_inet(in, column);
      case Op::kUuid: return read_uuid(in, column);
      case Op::kDate: return read_date(in, column);
      case Op::kTime: return read_time(in, column);
      case Op::kTimestamp: return read_timestamp(in, column);
      case Op::kInterval: return read_interval(in, column);
      case Op::kList: return append_list(in, column);
      case Op::kVector: return append_vector(in, column);
      case Op::kMap: return append_map(in, column);
      case Op::kFields: return append_fields(in, column);
    }
    return bad("no such type");
  }

  static Status append_boolean(std::string_view in, ColumnBuilder& column) {
    TRY_DO(check_size(in, 1, "boolean"));
    column.append(static_cast<uint8_t>(in[0] != 0));
    return {};
  }

  Status append_number(std::string_view in, ColumnBuilder& column) const {
    TRY(__int128 v, read_integer(in, bytes));
    return op == Op::kInteger ? append_integer(v, column) : append_decimal(v, 0, column);
  }

  static Status append_text(std::string_view in, ColumnBuilder& column) {
    if (column.type().id == TypeId::kText && !is_utf8(in)) return bad("a text that is not UTF-8");
    column.append_text(in);
    return {};
  }

  Status append_list(std::string_view in, ColumnBuilder& column) const {
    Reader reader(in);
    const size_t count = reader.count(sizeof(int32_t));
    for (size_t i = 0; i < count && reader.ok(); ++i) TRY_DO(children[0].append(element(reader), column.child()));
    TRY_DO(reader.status("a collection"));
    column.finish_list(count);
    return {};
  }

  Status append_vector(std::string_view in, ColumnBuilder& column) const {
    Reader reader(in);
    for (size_t i = 0; i < length; ++i) {
      std::string_view content = reader.take(bytes != 0 ? bytes : reader.unsigned_vint());
      TRY_DO(reader.status("a vector"));
      TRY_DO(children[0].append(Value::of(content), column.child()));
    }
    if (!reader.empty()) return bad("a vector that is too long");
    column.finish_list(length);
    return {};
  }

  Status append_map(std::string_view in, ColumnBuilder& column) const {
    Reader reader(in);
    const size_t count = reader.count(2 * sizeof(int32_t));
    ColumnBuilder& entries = column.child();
    for (size_t i = 0; i < count && reader.ok(); ++i) {
      for (size_t side = 0; side < 2; ++side) TRY_DO(children[side].append(element(reader), entries.child(side)));
      entries.finish_struct();
    }
    TRY_DO(reader.status("a map"));
    column.finish_list(count);
    return {};
  }

  /// The bytes may end before the last fields: the type has got those later.
  Status append_fields(std::string_view in, ColumnBuilder& column) const {
    Reader reader(in);
    std::vector<Value> fields;
    while (!reader.empty() && fields.size() < length) fields.push_back(element(reader));
    TRY_DO(reader.status("a tuple or user-defined type"));
    fields.resize(length);
    for (size_t i = 0; i < sources.size(); ++i) {
      TRY_DO(children[i].append(sources[i] == kNoSource ? Value::null() : fields[sources[i]], column.child(i)));
    }
    column.finish_struct();
    return {};
  }

  static Value element(Reader& reader) {
    auto bytes = reader.bytes();
    return bytes && reader.ok() ? Value::of(*bytes) : Value::null();
  }
};

struct DecodePlanner {
  using Plan = ValueDecoder::Plan;

  static tl::unexpected<Error> no_pair(const CqlType& from, const model::Type& to) {
    return fail(Errc::kInvalidArgument, fmt::format("{} cannot be read as {}", to_cql(from), to_sql(to)),
                fmt::format("read it as {}", to_sql(natural_sql_type(from))));
  }

  static Result<Plan> plan(const CqlType& from, const model::Type& to) {
    if (to.id == TypeId::kList) return list(from, to);
    if (to.id == TypeId::kStruct) return fields(from, to);
    auto op = scalar(from, to);
    if (!op) return no_pair(from, to);
    return Plan{.op = *op, .bytes = integer_bytes(from.id), .empty_is_null = *op != Op::kBytes};
  }

  static std::optional<Op> number(CqlTypeId from, const model::Type& to) {
    const bool integer = integer_bits(to.id) != 0;
    if (!integer && to.id != TypeId::kDecimal) return std::nullopt;
    if (from == CqlTypeId::kDecimal) return integer ? Op::kDecimalToInteger : Op::kDecimal;
    if (from != CqlTypeId::kVarint && integer_bytes(from) == 0) return std::nullopt;
    return integer ? Op::kInteger : Op::kIntegerToDecimal;
  }

  static std::optional<Op> scalar(const CqlType& from, const model::Type& to) {
    auto when = [](bool fits, Op op) { return fits ? std::optional(op) : std::nullopt; };
    const bool floating = to.id == TypeId::kFloat || to.id == TypeId::kDouble;
    switch (from.id) {
      case CqlTypeId::kBoolean: return when(to.id == TypeId::kBoolean, Op::kBoolean);
      case CqlTypeId::kFloat: return when(floating, Op::kFloat);
      case CqlTypeId::kDouble: return when(floating, Op::kDouble);
      case CqlTypeId::kAscii:
      case CqlTypeId::kText: return when(to.id == TypeId::kText, Op::kBytes);
      case CqlTypeId::kBlob:
      case CqlTypeId::kCustom: return when(to.id == TypeId::kBlob, Op::kBytes);
      case CqlTypeId::kUdt:
      case CqlTypeId::kTuple: return when(from.args.empty() && to.id == TypeId::kBlob, Op::kBytes);
      case CqlTypeId::kInet: return when(to.id == TypeId::kText, Op::kInet);
      case CqlTypeId::kUuid:
      case CqlTypeId::kTimeuuid: return when(to.id == TypeId::kUuid, Op::kUuid);
      case CqlTypeId::kDate: return when(to.id == TypeId::kDate, Op::kDate);
      case CqlTypeId::kTime: return when(to.id == TypeId::kTime, Op::kTime);
      case CqlTypeId::kTimestamp: return when(to.id == TypeId::kTimestamp || to.id == TypeId::kTimestampTz, Op::kTimestamp);
      case CqlTypeId::kDuration: return when(to.id == TypeId::kInterval, Op::kInterval);
      default: return number(from.id, to);
    }
  }

  static Result<Plan> list(const CqlType& from, const model::Type& to) {
    const model::Type& element = to.fields.at(0).type;
    Plan out;
    if (from.id == CqlTypeId::kMap && element.id == TypeId::kStruct && element.fields.size() == 2) {
      out.op = Op::kMap;
      for (size_t side = 0; side < 2; ++side) {
        TRY(Plan child, plan(from.args.at(side), element.fields[side].type));
        out.children.push_back(std::move(child));
      }
      return out;
    }
    if (!is_list_like(from.id)) return no_pair(from, to);
    TRY(Plan child, plan(from.args.at(0), element));
    out.children.push_back(std::move(child));
    out.op = from.id == CqlTypeId::kVector ? Op::kVector : Op::kList;
    out.length = from.dimension;
    out.bytes = vector_element_bytes(from.args[0]);
    return out;
  }

  static Result<Plan> fields(const CqlType& from, const model::Type& to) {
    const bool tuple = from.id == CqlTypeId::kTuple;
    if ((!tuple && from.id != CqlTypeId::kUdt) || from.args.empty()) return no_pair(from, to);
    model::Schema known;
    for (const std::string& name : sql_field_names(from)) known.fields.push_back({.name = name});
    Plan out{.op = Op::kFields, .length = from.args.size()};
    for (size_t i = 0; i < to.fields.size(); ++i) {
      auto found = known.find(to.fields[i].name);
      if (tuple) found = i < from.args.size() ? std::optional(i) : std::nullopt;
      // A field that the type does not have is one that it may have got since: NULL in every row.
      out.sources.push_back(found.value_or(kNoSource));
      out.children.emplace_back();
      if (!found) continue;
      auto child = plan(from.args[*found], to.fields[i].type);
      if (!child) return fail(at("field " + to.fields[i].name, std::move(child.error())));
      out.children.back() = std::move(*child);
    }
    return out;
  }
};

Result<ValueDecoder> ValueDecoder::make(const CqlType& from, const model::Type& to) {
  TRY(Plan plan, DecodePlanner::plan(from, to));
  return ValueDecoder(std::make_shared<const Plan>(std::move(plan)));
}

Status ValueDecoder::append(const Value& value, ColumnBuilder& column) const {
  const size_t rows = column.size();
  auto status = plan_->append(value, column);
  if (!status) column.truncate(rows);
  return status;
}

}  // namespace millrace::codec::cql
