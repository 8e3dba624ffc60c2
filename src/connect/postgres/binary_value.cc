#include "connect/postgres/binary_value.h"

#include <fmt/format.h>

#include <bit>
#include <limits>
#include <optional>

#include "base/bytes.h"
#include "connect/postgres/column_type.h"
#include "format/scalar.h"
#include "format/temporal.h"
#include "format/text.h"

namespace millrace::connect::postgres {
namespace {

using model::ColumnBuilder;
using model::TypeId;

// The server counts from 2000-01-01.
constexpr int32_t kEpochDays = 10957;
constexpr int64_t kEpochMicros = int64_t{kEpochDays} * 86'400'000'000;
constexpr int kArrayElementsMax = 10'000'000;

auto damaged(const model::Type& type) {
  return fail(Errc::kCorruption, fmt::format("the server sent bytes that are no {}", format::type_word(type)));
}
auto too_large(const model::Type& type) {
  return fail(Errc::kOutOfRange, fmt::format("the server holds a value that no {} can be", format::type_word(type)));
}

/// An integer of the wire put into the column's own width.
template <class Wire, class T>
Status append_as(ColumnBuilder& column, std::string_view bytes) {
  if (bytes.size() != sizeof(Wire)) return damaged(column.type());
  auto value = load_be<Wire>(bytes.data());
  if (value < static_cast<Wire>(0) && !std::numeric_limits<T>::is_signed) return too_large(column.type());
  auto narrow = static_cast<T>(value);
  if (static_cast<Wire>(narrow) != value) return too_large(column.type());
  column.append(narrow);
  return {};
}

template <class Bits, class T>
Status append_float(ColumnBuilder& column, std::string_view bytes) {
  if (bytes.size() != sizeof(T)) return damaged(column.type());
  column.append(std::bit_cast<T>(load_be<Bits>(bytes.data())));
  return {};
}

template <class T>
Status append_since_2000(ColumnBuilder& column, std::string_view bytes, T epoch) {
  if (bytes.size() != sizeof(T)) return damaged(column.type());
  auto value = load_be<T>(bytes.data());
  constexpr T kMax = std::numeric_limits<T>::max(), kMin = std::numeric_limits<T>::min();
  if (value == kMax || value == kMin) {
    column.append(value == kMax ? kMax : static_cast<T>(-kMax));
    return {};
  }
  if (value >= kMax - epoch) return too_large(column.type());
  column.append(static_cast<T>(value + epoch));
  return {};
}

/// numeric: count of base-10000 digits, weight of the first, sign, digits after the point as shown, then the digits
/// (src/backend/utils/adt/numeric.c, numeric_send). Written out as text, which format/scalar.h checks and rounds.
std::optional<std::string> numeric_text(std::string_view bytes) {
  constexpr int kPlain = 0x0000, kNegative = 0x4000;
  constexpr int kWeightMax = 16;  // 64 digits: what is longer fits no type of ours
  if (bytes.size() < 8) return std::nullopt;
  int count = load_be<uint16_t>(bytes.data()), weight = load_be<int16_t>(bytes.data() + 2);
  int sign = load_be<uint16_t>(bytes.data() + 4), scale = load_be<uint16_t>(bytes.data() + 6);
  if (bytes.size() != 8 + 2 * static_cast<size_t>(count) || (sign != kPlain && sign != kNegative)) return std::nullopt;
  if (weight > kWeightMax) return std::string(100, '9');
  auto digit = [&](int i) { return i < 0 || i >= count ? 0 : load_be<uint16_t>(bytes.data() + 8 + 2 * i); };
  std::string text = sign == kNegative ? "-" : "";
  for (int i = 0; i <= weight; ++i) fmt::format_to(std::back_inserter(text), "{:04}", digit(i));
  if (weight < 0) text += '0';
  if (scale > 0) text += '.';
  for (int i = weight + 1, end = weight + 1 + std::min(scale + 3, 200) / 4; i < end; ++i) {
    if (digit(i) > 9999) return std::nullopt;
    fmt::format_to(std::back_inserter(text), "{:04}", digit(i));
  }
  return text;
}

Status append_numeric(ColumnBuilder& column, std::string_view bytes) {
  constexpr size_t kSignAt = 4;
  // NaN and the infinities (0xC000, 0xD000, 0xF000) are numerics, but no decimals.
  if (bytes.size() == 8 && (load_be<uint16_t>(bytes.data() + kSignAt) & 0xC000) == 0xC000) return too_large(column.type());
  std::optional<std::string> text = numeric_text(bytes);
  if (!text) return damaged(column.type());
  format::JsonFault fault = format::append_scalar(column, *text);
  if (fault == format::JsonFault::kNone) return {};
  return too_large(column.type());
}

Status append_uuid(ColumnBuilder& column, std::string_view bytes) {
  Uuid uuid;
  if (bytes.size() != uuid.bytes.size()) return damaged(column.type());
  std::memcpy(uuid.bytes.data(), bytes.data(), bytes.size());
  column.append(model::uuid_to_element(uuid));
  return {};
}

Status append_interval(ColumnBuilder& column, std::string_view bytes) {
  if (bytes.size() != 16) return damaged(column.type());
  model::IntervalElement value;
  value.micros = load_be<int64_t>(bytes.data());
  value.days = load_be<int32_t>(bytes.data() + 8);
  value.months = load_be<int32_t>(bytes.data() + 12);
  column.append(value);
  return {};
}

/// Dimensions, whether there are NULLs, the element's type; size and lower bound of each dimension; then length and bytes of each
/// element, -1 for a NULL (src/backend/utils/adt/arrayfuncs.c, array_send). Ours have one dimension; none means empty.
Status append_array(ColumnBuilder& column, std::string_view bytes) {
  if (bytes.size() < 12) return damaged(column.type());
  auto dimensions = load_be<int32_t>(bytes.data());
  if (dimensions == 0) {
    column.finish_list(0);
    return {};
  }
  if (dimensions > 1) return too_large(column.type());
  if (dimensions < 0 || bytes.size() < 20) return damaged(column.type());
  auto count = load_be<int32_t>(bytes.data() + 12);
  if (count < 0 || count > kArrayElementsMax) return damaged(column.type());
  bytes.remove_prefix(20);
  ColumnBuilder& elements = column.child();
  const size_t before = elements.size();
  Status done;
  for (int32_t i = 0; i < count && done; ++i) {
    int32_t size = bytes.size() < 4 ? -2 : load_be<int32_t>(bytes.data());
    if (size < -1 || (size > 0 && static_cast<size_t>(size) > bytes.size() - 4)) {
      done = damaged(column.type());
      break;
    }
    bytes.remove_prefix(4);
    if (size < 0) {
      elements.append_null();
      continue;
    }
    done = read_value(elements, bytes.substr(0, static_cast<size_t>(size)));
    bytes.remove_prefix(static_cast<size_t>(size));
  }
  if (done && !bytes.empty()) done = damaged(column.type());
  if (!done) {
    elements.truncate(before);
    return done;
  }
  column.finish_list(static_cast<size_t>(count));
  return {};
}

}  // namespace

Status read_value(ColumnBuilder& column, std::string_view bytes) {
  switch (column.type().id) {
    case TypeId::kBoolean:
      if (bytes.size() != 1) return damaged(column.type());
      column.append(static_cast<uint8_t>(bytes[0] != 0));
      return {};
    case TypeId::kTinyint: return append_as<int16_t, int8_t>(column, bytes);
    case TypeId::kSmallint: return append_as<int16_t, int16_t>(column, bytes);
    case TypeId::kUtinyint: return append_as<int16_t, uint8_t>(column, bytes);
    case TypeId::kInteger: return append_as<int32_t, int32_t>(column, bytes);
    case TypeId::kUsmallint: return append_as<int32_t, uint16_t>(column, bytes);
    case TypeId::kBigint: return append_as<int64_t, int64_t>(column, bytes);
    case TypeId::kUinteger: return append_as<int64_t, uint32_t>(column, bytes);
    case TypeId::kHugeint:
    case TypeId::kUbigint:
    case TypeId::kDecimal: return append_numeric(column, bytes);
    case TypeId::kFloat: return append_float<uint32_t, float>(column, bytes);
    case TypeId::kDouble: return append_float<uint64_t, double>(column, bytes);
    case TypeId::kBlob: column.append_text(bytes); return {};
    case TypeId::kUuid: return append_uuid(column, bytes);
    case TypeId::kDate: return append_since_2000<int32_t>(column, bytes, kEpochDays);
    case TypeId::kTime: return append_as<int64_t, int64_t>(column, bytes);
    case TypeId::kTimestamp:
    case TypeId::kTimestampTz: return append_since_2000<int64_t>(column, bytes, kEpochMicros);
    case TypeId::kInterval: return append_interval(column, bytes);
    case TypeId::kText:
    case TypeId::kStruct: return format::append_text_as(column, bytes);
    case TypeId::kList:
      if (shape_of(column.type()) == Shape::kArray) return append_array(column, bytes);
      return format::append_text_as(column, bytes);
  }
  return damaged(column.type());
}

}  // namespace millrace::connect::postgres
