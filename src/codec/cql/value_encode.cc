#include <fmt/format.h>

#include <limits>

#include "base/bytes.h"
#include "codec/cql/big_integer.h"
#include "codec/cql/pairing.h"
#include "codec/cql/value.h"

namespace millrace::codec::cql {

using model::Column;
using model::TypeId;

namespace {

enum class Op : uint8_t {
  kBoolean,
  kInteger,  // to an integer of `bytes`
  kIntegerToVarint,
  kIntegerToDecimal,
  kFloat,
  kFloatToDouble,
  kDouble,
  kDecimal,
  kDecimalToVarint,
  kBytes,
  kAscii,
  kInet,
  kUuid,
  kTimeuuid,
  kDate,
  kTime,
  kTimestamp,
  kInterval,
  kList,  // and set
  kVector,
  kMap,
  kFields,  // udt and tuple
};

constexpr size_t kNoSource = SIZE_MAX;
constexpr int64_t kMicrosPerDay = 86'400'000'000;

tl::unexpected<Error> refuse(std::string why) { return fail(Errc::kInvalidArgument, std::move(why)); }

/// Length and big-endian bytes at once.
template <class T>
void put_number(std::string& out, T v) {
  char bytes[4 + sizeof(T)];
  store_be(bytes, static_cast<int32_t>(sizeof(T)));
  store_be(bytes + 4, v);
  out.append(bytes, sizeof bytes);
}

/// A [bytes] whose length is known once it is written.
class Sized {
 public:
  explicit Sized(std::string& out) : out_(out), at_(out.size()) { put_int(out, 0); }
  void end() { store_be(out_.data() + at_, static_cast<int32_t>(out_.size() - at_ - 4)); }

 private:
  std::string& out_;
  size_t at_;
};

__int128 integer_at(const Column& column, size_t row) {
  switch (column.type->id) {
    case TypeId::kTinyint: return column.at<int8_t>(row);
    case TypeId::kUtinyint: return column.at<uint8_t>(row);
    case TypeId::kSmallint: return column.at<int16_t>(row);
    case TypeId::kUsmallint: return column.at<uint16_t>(row);
    case TypeId::kInteger: return column.at<int32_t>(row);
    case TypeId::kUinteger: return column.at<uint32_t>(row);
    case TypeId::kBigint: return column.at<int64_t>(row);
    case TypeId::kUbigint: return column.at<uint64_t>(row);
    default: return from_int128(column.at<model::Int128>(row));
  }
}

__int128 decimal_at(const Column& column, size_t row) {
  switch (element_size(*column.type)) {
    case 2: return column.at<int16_t>(row);
    case 4: return column.at<int32_t>(row);
    case 8: return column.at<int64_t>(row);
    default: return from_int128(column.at<model::Int128>(row));
  }
}

void put_integer(std::string& out, __int128 v, size_t bytes) {
  switch (bytes) {
    case 1: return put_number(out, static_cast<int8_t>(v));
    case 2: return put_number(out, static_cast<int16_t>(v));
    case 4: return put_number(out, static_cast<int32_t>(v));
    default: return put_number(out, static_cast<int64_t>(v));
  }
}

void put_varint(std::string& out, __int128 v) {
  Sized value(out);
  append_big_integer(out, v);
  value.end();
}

void put_decimal(std::string& out, __int128 unscaled, int32_t scale) {
  Sized value(out);
  put_int(out, scale);
  append_big_integer(out, unscaled);
  value.end();
}

Status put_ascii(std::string& out, std::string_view text) {
  for (char c : text) {
    if ((static_cast<uint8_t>(c) & 0x80) != 0) return refuse("the text has characters that ascii does not have");
  }
  put_bytes(out, text);
  return {};
}

Status put_address(std::string& out, std::string_view text) {
  auto address = parse_inet(text);
  if (!address) return refuse("the text is no IP address");
  put_bytes(out, {reinterpret_cast<const char*>(address->bytes.data()), address->size});
  return {};
}

Status put_uuid_value(std::string& out, const Uuid& uuid, bool time) {
  constexpr int kTimeVersion = 1;
  if (time && uuid.bytes[6] >> 4 != kTimeVersion) return refuse("the uuid is not of version 1, as timeuuid must be");
  put_int(out, 16);
  put_uuid(out, uuid);
  return {};
}

Status put_date(std::string& out, int32_t days) {
  // DuckDB's infinities.
  if (days == std::numeric_limits<int32_t>::max() || days == -std::numeric_limits<int32_t>::max()) {
    return refuse("an infinite date has no form in CQL");
  }
  put_number(out, static_cast<uint32_t>(days) ^ uint32_t{1} << 31);
  return {};
}

Status put_time(std::string& out, int64_t micros) {
  if (micros < 0 || micros >= kMicrosPerDay) return refuse("the time is not within a day, as CQL's must be");
  put_number(out, micros * 1000);
  return {};
}

Status put_timestamp(std::string& out, int64_t micros) {
  if (micros == std::numeric_limits<int64_t>::max() || micros == -std::numeric_limits<int64_t>::max()) {
    return refuse("an infinite timestamp has no form in CQL");
  }
  put_number(out, micros / 1000 - (micros % 1000 < 0));
  return {};
}

Status put_interval(std::string& out, const model::IntervalElement& interval) {
  const bool some_below = interval.months < 0 || interval.days < 0 || interval.micros < 0;
  const bool some_above = interval.months > 0 || interval.days > 0 || interval.micros > 0;
  if (some_below && some_above) return refuse("the parts of a duration must have one sign");
  int64_t nanos;
  if (__builtin_mul_overflow(interval.micros, 1000, &nanos)) return refuse("the interval is too long for a duration");
  Sized value(out);
  put_vint(out, interval.months);
  put_vint(out, interval.days);
  put_vint(out, nanos);
  value.end();
  return {};
}

}  // namespace

struct ValueEncoder::Plan {
  Op op = Op::kBytes;
  size_t bytes = 0;   // kInteger; kVector: of an element, 0 when each has a length
  uint8_t scale = 0;  // kDecimal
  size_t length = 0;  // kVector
  std::vector<Plan> children;
  std::vector<size_t> sources;  // kFields: by field of the CQL type, which child of the column

  Status append(std::string& out, const Column& column, size_t row) const {
    if (column.is_null(row)) {
      put_null(out);
      return {};
    }
    return append_present(out, column, row);
  }

  Status append_present(std::string& out, const Column& column, size_t row) const {
    switch (op) {
      case Op::kBoolean: put_number(out, static_cast<int8_t>(column.at<uint8_t>(row) != 0)); return {};
      case Op::kInteger: put_integer(out, integer_at(column, row), bytes); return {};
      case Op::kIntegerToVarint: put_varint(out, integer_at(column, row)); return {};
      case Op::kIntegerToDecimal: put_decimal(out, integer_at(column, row), 0); return {};
      case Op::kFloat: put_number(out, column.at<uint32_t>(row)); return {};
      case Op::kFloatToDouble: put_number(out, std::bit_cast<uint64_t>(double{column.at<float>(row)})); return {};
      case Op::kDouble: put_number(out, column.at<uint64_t>(row)); return {};
      case Op::kDecimal: put_decimal(out, decimal_at(column, row), scale); return {};
      case Op::kDecimalToVarint: put_varint(out, decimal_at(column, row)); return {};
      case Op::kBytes: put_bytes(out, column.text(row)); return {};
      case Op::kAscii: return put_ascii(out, column.text(row));
      case Op::kInet: return put_address(out, column.text(row));
      case Op::kUuid:
      case Op::kTimeuuid: return put_uuid_value(out, uuid_from_element(column.at<model::Int128>(row)), op == Op::kTimeuuid);
      case Op::kDate: return put_date(out, column.at<int32_t>(row));
      case Op::kTime: return put_time(out, column.at<int64_t>(row));
      case Op::kTimestamp: return put_timestamp(out, column.at<int64_t>(row));
      case Op::kInterval: return put_interval(out, column.at<model::IntervalElement>(row));
      case Op::kList: return append_list(out, column, row);
      case Op::kVector: return append_vector(out, column, row);
      case Op::kMap: return append_map(out, column, row);
      case Op::kFields: return append_fields(out, column, row);
    }
    return refuse("no such type");
  }

  Status append_list(std::string& out, const Column& column, size_t row) const {
    const auto& [offset, count] = column.at<model::ListEntry>(row);
    Sized value(out);
    put_int(out, static_cast<int32_t>(count));
    for (size_t i = offset; i < offset + count; ++i) TRY_DO(append_element(children[0], out, column.children[0], i));
    value.end();
    return {};
  }

  Status append_vector(std::string& out, const Column& column, size_t row) const {
    const auto& [offset, count] = column.at<model::ListEntry>(row);
    if (count != length) return refuse(fmt::format("a list of {} elements is no vector of {}", count, length));
    Sized value(out);
    std::string element;
    for (size_t i = offset; i < offset + count; ++i) {
      element.clear();
      TRY_DO(append_element(children[0], element, column.children[0], i));
      std::string_view content = std::string_view(element).substr(sizeof(int32_t));
      if (bytes == 0) put_unsigned_vint(out, content.size());
      out += content;
    }
    value.end();
    return {};
  }

  Status append_map(std::string& out, const Column& column, size_t row) const {
    const auto& [offset, count] = column.at<model::ListEntry>(row);
    const Column& entries = column.children[0];
    Sized value(out);
    put_int(out, static_cast<int32_t>(count));
    for (size_t i = offset; i < offset + count; ++i) {
      if (entries.is_null(i)) return refuse("a collection cannot hold NULL");
      for (size_t side = 0; side < 2; ++side) TRY_DO(append_element(children[side], out, entries.children[side], i));
    }
    value.end();
    return {};
  }

  Status append_fields(std::string& out, const Column& column, size_t row) const {
    Sized value(out);
    for (size_t i = 0; i < sources.size(); ++i) {
      if (sources[i] == kNoSource) {
        put_null(out);
      } else {
        TRY_DO(children[i].append(out, column.children[sources[i]], row));
      }
    }
    value.end();
    return {};
  }

  static Status append_element(const Plan& plan, std::string& out, const Column& column, size_t row) {
    if (column.is_null(row)) return refuse("a collection cannot hold NULL");
    return plan.append_present(out, column, row);
  }
};

struct EncodePlanner {
  using Plan = ValueEncoder::Plan;

  static tl::unexpected<Error> no_pair(const model::Type& from, const CqlType& to) {
    return fail(Errc::kInvalidArgument, fmt::format("{} cannot be written to {}", to_sql(from), to_cql(to)),
                writable_to(from) + "; else CAST it in the query");
  }

  static Result<Plan> plan(const model::Type& from, const CqlType& to) {
    if (from.id == TypeId::kList) return list(from, to);
    if (from.id == TypeId::kStruct) return fields(from, to);
    if (integer_bits(from.id) != 0) return integer(from, to);
    auto op = scalar(from, to.id);
    if (!op) return no_pair(from, to);
    return Plan{.op = *op, .scale = from.scale};
  }

  static Result<Plan> integer(const model::Type& from, const CqlType& to) {
    if (to.id == CqlTypeId::kVarint) return Plan{.op = Op::kIntegerToVarint};
    if (to.id == CqlTypeId::kDecimal) return Plan{.op = Op::kIntegerToDecimal};
    const size_t bytes = integer_bytes(to.id);
    // A counter takes increments, not values.
    if (to.id == CqlTypeId::kCounter || integer_bits(from.id) > 8 * bytes) return no_pair(from, to);
    return Plan{.op = Op::kInteger, .bytes = bytes};
  }

  static std::optional<Op> scalar(const model::Type& from, CqlTypeId to) {
    struct Pair {
      TypeId from;
      CqlTypeId to;
      Op op;
    };
    static constexpr Pair kPairs[] = {
        {TypeId::kBoolean, CqlTypeId::kBoolean, Op::kBoolean},
        {TypeId::kFloat, CqlTypeId::kFloat, Op::kFloat},
        {TypeId::kFloat, CqlTypeId::kDouble, Op::kFloatToDouble},
        {TypeId::kDouble, CqlTypeId::kDouble, Op::kDouble},
        {TypeId::kDecimal, CqlTypeId::kDecimal, Op::kDecimal},
        {TypeId::kDecimal, CqlTypeId::kVarint, Op::kDecimalToVarint},
        {TypeId::kText, CqlTypeId::kText, Op::kBytes},
        {TypeId::kText, CqlTypeId::kAscii, Op::kAscii},
        {TypeId::kText, CqlTypeId::kInet, Op::kInet},
        {TypeId::kBlob, CqlTypeId::kBlob, Op::kBytes},
        {TypeId::kUuid, CqlTypeId::kUuid, Op::kUuid},
        {TypeId::kUuid, CqlTypeId::kTimeuuid, Op::kTimeuuid},
        {TypeId::kDate, CqlTypeId::kDate, Op::kDate},
        {TypeId::kTime, CqlTypeId::kTime, Op::kTime},
        {TypeId::kTimestamp, CqlTypeId::kTimestamp, Op::kTimestamp},
        {TypeId::kTimestampTz, CqlTypeId::kTimestamp, Op::kTimestamp},
        {TypeId::kInterval, CqlTypeId::kDuration, Op::kInterval},
    };
    for (const Pair& pair : kPairs) {
      if (pair.from == from.id && pair.to == to && (pair.op != Op::kDecimalToVarint || from.scale == 0)) return pair.op;
    }
    return std::nullopt;
  }

  static Result<Plan> list(const model::Type& from, const CqlType& to) {
    const model::Type& element = from.fields.at(0).type;
    Plan out;
    if (to.id == CqlTypeId::kMap && element.id == TypeId::kStruct && element.fields.size() == 2) {
      out.op = Op::kMap;
      for (size_t side = 0; side < 2; ++side) {
        TRY(Plan child, plan(element.fields[side].type, to.args.at(side)));
        out.children.push_back(std::move(child));
      }
      return out;
    }
    if (!is_list_like(to.id)) return no_pair(from, to);
    TRY(Plan child, plan(element, to.args.at(0)));
    out.children.push_back(std::move(child));
    out.op = to.id == CqlTypeId::kVector ? Op::kVector : Op::kList;
    out.length = to.dimension;
    out.bytes = vector_element_bytes(to.args[0]);
    return out;
  }

  static Result<Plan> fields(const model::Type& from, const CqlType& to) {
    const bool tuple = to.id == CqlTypeId::kTuple;
    if ((!tuple && to.id != CqlTypeId::kUdt) || to.args.empty()) return no_pair(from, to);
    if (tuple && to.args.size() != from.fields.size()) return no_pair(from, to);
    const std::vector<std::string> names = sql_field_names(to);
    Plan out{.op = Op::kFields};
    size_t taken = 0;
    for (size_t i = 0; i < names.size(); ++i) {
      const auto found = tuple ? std::optional(i) : model::Schema{from.fields}.find(names[i]);
      out.sources.push_back(found.value_or(kNoSource));
      out.children.emplace_back();
      if (!found) continue;
      ++taken;
      auto child = plan(from.fields[*found].type, to.args[i]);
      if (!child) return fail(at("field " + names[i], std::move(child.error())));
      out.children.back() = std::move(*child);
    }
    if (taken != from.fields.size()) return missing_field(from, to, names);
    return out;
  }

  static tl::unexpected<Error> missing_field(const model::Type& from, const CqlType& to, const std::vector<std::string>& names) {
    for (const model::Field& field : from.fields) {
      bool there = false;
      for (const std::string& name : names) there = there || model::same_name(name, field.name);
      if (!there) {
        return fail(Errc::kInvalidArgument, fmt::format("the type {} has no field {}", to_cql(to), field.name),
                    fmt::format("ALTER TYPE {} ADD it, or leave it out in the query", to_cql({.id = to.id, .name = to.name})));
      }
    }
    return no_pair(from, to);
  }
};

Status check_writable(const model::Type& from, const CqlType& to) {
  TRY_DO(EncodePlanner::plan(from, to));
  return {};
}

Result<ValueEncoder> ValueEncoder::make(const model::Type& from, const CqlType& to) {
  TRY(Plan plan, EncodePlanner::plan(from, to));
  return ValueEncoder(std::make_shared<const Plan>(std::move(plan)));
}

Status ValueEncoder::append(std::string& out, const Column& column, size_t row) const {
  const size_t start = out.size();
  auto status = plan_->append(out, column, row);
  if (!status) out.resize(start);
  return status;
}

}  // namespace millrace::codec::cql
