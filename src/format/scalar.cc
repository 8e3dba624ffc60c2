#include "format/scalar.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <type_traits>

#include "base/bytes.h"
#include "base/uuid.h"
#include "format/temporal.h"

namespace millrace::format {
namespace {

using model::ColumnBuilder;
using model::TypeId;
using Int = __int128;
using Unsigned = unsigned __int128;

constexpr Unsigned kHugeMax = (Unsigned{1} << 127) - 1;
constexpr int kDecimalDigitsMax = 38;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool take_sign(std::string_view& text) {
  bool negative = !text.empty() && text[0] == '-';
  if (negative || (!text.empty() && text[0] == '+')) text.remove_prefix(1);
  return negative;
}

/// The digits as a number no larger than `limit`.
JsonFault read_magnitude(std::string_view digits, Unsigned limit, Unsigned& out) {
  if (digits.empty()) return JsonFault::kType;
  if (!std::all_of(digits.begin(), digits.end(), is_digit)) return JsonFault::kType;
  Unsigned value = 0;
  for (char c : digits) {
    auto digit = static_cast<unsigned>(c - '0');
    if (value > (limit - digit) / 10) return JsonFault::kRange;
    value = value * 10 + digit;
  }
  out = value;
  return JsonFault::kNone;
}

template <class T>
JsonFault append_integer(ColumnBuilder& column, std::string_view text) {
  std::string_view digits = text;
  bool negative = take_sign(digits);
  if (!digits.empty() && digits.size() <= 18) {
    int64_t value = 0;
    for (char c : digits) {
      if (!is_digit(c)) return JsonFault::kType;
      value = value * 10 + (c - '0');
    }
    if (negative) value = -value;
    if constexpr (std::is_unsigned_v<T>) {
      if (value < 0) return JsonFault::kRange;
    }
    auto narrow = static_cast<T>(value);
    if (static_cast<int64_t>(narrow) != value) return JsonFault::kRange;
    column.append(narrow);
    return JsonFault::kNone;
  }
  Unsigned magnitude = 0;
  Unsigned limit = negative ? (std::is_unsigned_v<T> ? 0 : static_cast<Unsigned>(std::numeric_limits<T>::max()) + 1)
                            : static_cast<Unsigned>(std::numeric_limits<T>::max());
  if (JsonFault fault = read_magnitude(digits, std::max<Unsigned>(limit, 9), magnitude); fault != JsonFault::kNone) return fault;
  if (magnitude > limit) return JsonFault::kRange;
  column.append(static_cast<T>(negative ? -magnitude : magnitude));
  return JsonFault::kNone;
}

JsonFault append_hugeint(ColumnBuilder& column, std::string_view text) {
  bool negative = take_sign(text);
  Unsigned magnitude = 0;
  if (JsonFault fault = read_magnitude(text, negative ? kHugeMax + 1 : kHugeMax, magnitude); fault != JsonFault::kNone)
    return fault;
  column.append(model::to_int128(static_cast<Int>(negative ? -magnitude : magnitude)));
  return JsonFault::kNone;
}

/// A decimal number taken apart: digits (with at most one point between them) and a power of ten.
struct Scientific {
  bool negative = false;
  std::string_view digits;
  size_t before_point = 0;
  int exponent = 0;
};

bool take_apart(std::string_view text, Scientific& out) {
  constexpr int kExponentMax = 1'000'000'000;
  out.negative = take_sign(text);
  size_t n = 0, count = 0, point = std::string_view::npos;
  for (; n < text.size(); ++n) {
    if (text[n] == '.' && point == std::string_view::npos) {
      point = n;
    } else if (is_digit(text[n])) {
      ++count;
    } else {
      break;
    }
  }
  if (count == 0) return false;
  out.digits = text.substr(0, n);
  out.before_point = point == std::string_view::npos ? n : point;
  text.remove_prefix(n);
  if (text.empty()) return true;
  if (text[0] != 'e' && text[0] != 'E') return false;
  text.remove_prefix(1);
  bool negative = take_sign(text);
  if (text.empty()) return false;
  int64_t exponent = 0;
  for (char c : text) {
    if (!is_digit(c)) return false;
    exponent = std::min<int64_t>(exponent * 10 + (c - '0'), kExponentMax);
  }
  out.exponent = static_cast<int>(negative ? -exponent : exponent);
  return true;
}

JsonFault read_decimal(std::string_view text, int width, int scale, Int& out) {
  Scientific number;
  if (!take_apart(text, number)) return JsonFault::kType;
  // So many of the digits stand before the last kept place; it may be negative.
  int64_t kept = static_cast<int64_t>(number.before_point) + number.exponent + scale;
  Int value = 0;
  int significant = 0;
  for (char c : number.digits) {
    if (c == '.') continue;
    if (kept-- <= 0) {
      if (kept == -1 && c >= '5') ++value;
      break;
    }
    if (significant > 0 || c != '0') ++significant;
    if (significant > kDecimalDigitsMax) return JsonFault::kRange;
    value = value * 10 + (c - '0');
  }
  for (; kept > 0 && value != 0; --kept) {
    if (++significant > kDecimalDigitsMax) return JsonFault::kRange;
    value *= 10;
  }
  Int limit = 1;
  for (int i = 0; i < width; ++i) limit *= 10;
  if (value >= limit) return JsonFault::kRange;
  out = number.negative ? -value : value;
  return JsonFault::kNone;
}

JsonFault append_decimal(ColumnBuilder& column, std::string_view text) {
  const model::Type& type = column.type();
  Int value = 0;
  if (JsonFault fault = read_decimal(text, type.width, type.scale, value); fault != JsonFault::kNone) return fault;
  switch (model::element_size(type)) {
    case 2: column.append(static_cast<int16_t>(value)); break;
    case 4: column.append(static_cast<int32_t>(value)); break;
    case 8: column.append(static_cast<int64_t>(value)); break;
    default: column.append(model::to_int128(value)); break;
  }
  return JsonFault::kNone;
}

/// Whether a number that no float of the type can hold is too small, rather than too large.
bool is_tiny(std::string_view text) {
  Scientific number;
  if (!take_apart(text, number)) return false;
  int64_t place = static_cast<int64_t>(number.before_point) + number.exponent;
  for (char c : number.digits) {
    if (c == '.') continue;
    if (c != '0') return place < 0;
    --place;
  }
  return true;
}

template <class T>
JsonFault read_float(std::string_view text, T& out) {
  std::string_view number = text;
  if (!number.empty() && number[0] == '+') {
    number.remove_prefix(1);
    if (!number.empty() && number[0] == '-') return JsonFault::kType;
  }
  T value = 0;
  auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
  if (error == std::errc::invalid_argument || end != number.data() + number.size()) return JsonFault::kType;
  if (number.find('(') != std::string_view::npos) return JsonFault::kType;  // nan(payload)
  if (error == std::errc::result_out_of_range) {
    if (!is_tiny(number)) return JsonFault::kRange;
    value = number[0] == '-' ? -T{0} : T{0};
  } else if (std::isinf(value) && std::any_of(number.begin(), number.end(), is_digit)) {
    return JsonFault::kRange;
  }
  out = value;
  return JsonFault::kNone;
}

template <class T>
JsonFault append_float(ColumnBuilder& column, std::string_view text) {
  T value = 0;
  JsonFault fault = read_float(text, value);
  if (fault == JsonFault::kNone) column.append(value);
  return fault;
}

JsonFault append_boolean(ColumnBuilder& column, std::string_view text) {
  for (std::string_view word : {"true", "t", "yes", "y", "1"}) {
    if (model::same_name(text, word)) return column.append(uint8_t{1}), JsonFault::kNone;
  }
  for (std::string_view word : {"false", "f", "no", "n", "0"}) {
    if (model::same_name(text, word)) return column.append(uint8_t{0}), JsonFault::kNone;
  }
  return JsonFault::kType;
}

JsonFault append_uuid(ColumnBuilder& column, std::string_view text) {
  if (text.size() < 32 || text.size() > 38) return JsonFault::kType;
  auto uuid = parse_uuid(text);
  if (!uuid) return JsonFault::kType;
  column.append(model::uuid_to_element(*uuid));
  return JsonFault::kNone;
}

JsonFault append_blob(ColumnBuilder& column, std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (static_cast<uint8_t>(text[i]) >= 0x80) return JsonFault::kType;
    if (text[i] != '\\') {
      bytes += text[i];
      continue;
    }
    if (text.size() - i < 4 || text[i + 1] != 'x') return JsonFault::kType;
    int high = hex_digit(text[i + 2]), low = hex_digit(text[i + 3]);
    if (high < 0 || low < 0) return JsonFault::kType;
    bytes += static_cast<char>(high << 4 | low);
    i += 3;
  }
  column.append_text(bytes);
  return JsonFault::kNone;
}

JsonFault append_timestamp(ColumnBuilder& column, std::string_view text, bool apply_zone) {
  int64_t micros = 0;
  if (!read_timestamp(text, apply_zone, micros)) return JsonFault::kType;
  column.append(micros);
  return JsonFault::kNone;
}

JsonFault append_date(ColumnBuilder& column, std::string_view text) {
  int32_t days = 0;
  if (!read_date(text, days)) return JsonFault::kType;
  column.append(days);
  return JsonFault::kNone;
}

JsonFault append_time(ColumnBuilder& column, std::string_view text) {
  int64_t micros = 0;
  if (!read_time(text, micros)) return JsonFault::kType;
  column.append(micros);
  return JsonFault::kNone;
}

}  // namespace

JsonFault read_double(std::string_view text, double& out) { return read_float(text, out); }

std::string_view trim(std::string_view text) {
  auto is_space = [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); };
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

JsonFault append_scalar(ColumnBuilder& column, std::string_view text) {
  switch (column.type().id) {
    case TypeId::kBoolean: return append_boolean(column, text);
    case TypeId::kTinyint: return append_integer<int8_t>(column, trim(text));
    case TypeId::kSmallint: return append_integer<int16_t>(column, trim(text));
    case TypeId::kInteger: return append_integer<int32_t>(column, trim(text));
    case TypeId::kBigint: return append_integer<int64_t>(column, trim(text));
    case TypeId::kHugeint: return append_hugeint(column, trim(text));
    case TypeId::kUtinyint: return append_integer<uint8_t>(column, trim(text));
    case TypeId::kUsmallint: return append_integer<uint16_t>(column, trim(text));
    case TypeId::kUinteger: return append_integer<uint32_t>(column, trim(text));
    case TypeId::kUbigint: return append_integer<uint64_t>(column, trim(text));
    case TypeId::kFloat: return append_float<float>(column, trim(text));
    case TypeId::kDouble: return append_float<double>(column, trim(text));
    case TypeId::kDecimal: return append_decimal(column, trim(text));
    case TypeId::kBlob: return append_blob(column, text);
    case TypeId::kUuid: return append_uuid(column, trim(text));
    case TypeId::kDate: return append_date(column, trim(text));
    case TypeId::kTime: return append_time(column, trim(text));
    case TypeId::kTimestamp: return append_timestamp(column, trim(text), false);
    case TypeId::kTimestampTz: return append_timestamp(column, trim(text), true);
    case TypeId::kText:
    case TypeId::kInterval:
    case TypeId::kList:
    case TypeId::kStruct: break;
  }
  return JsonFault::kType;
}

void append_number(std::string& out, __int128 v, size_t scale) {
  char digits[48];
  char* end = digits + sizeof digits;
  char* p = end;
  auto rest = v < 0 ? -static_cast<Unsigned>(v) : static_cast<Unsigned>(v);
  do {
    *--p = static_cast<char>('0' + static_cast<int>(rest % 10));
    rest /= 10;
  } while (rest != 0);
  auto size = static_cast<size_t>(end - p);
  if (v < 0) out += '-';
  if (size <= scale) out.append("0.").append(scale - size, '0').append(p, size);
  if (size <= scale) return;
  out.append(p, size - scale);
  if (scale > 0) out.append(1, '.').append(end - scale, scale);
}

__int128 integer_at(const model::Column& column, size_t row) {
  switch (column.type->id) {
    case TypeId::kTinyint: return column.at<int8_t>(row);
    case TypeId::kSmallint: return column.at<int16_t>(row);
    case TypeId::kInteger: return column.at<int32_t>(row);
    case TypeId::kBigint: return column.at<int64_t>(row);
    case TypeId::kUtinyint: return column.at<uint8_t>(row);
    case TypeId::kUsmallint: return column.at<uint16_t>(row);
    case TypeId::kUinteger: return column.at<uint32_t>(row);
    case TypeId::kUbigint: return column.at<uint64_t>(row);
    case TypeId::kDecimal:
      switch (model::element_size(*column.type)) {
        case 2: return column.at<int16_t>(row);
        case 4: return column.at<int32_t>(row);
        case 8: return column.at<int64_t>(row);
        default: break;
      }
      break;
    default: break;
  }
  return model::from_int128(column.at<model::Int128>(row));
}

std::string type_word(const model::Type& type) {
  if (type.id == TypeId::kText) return "text";
  if (type.id == TypeId::kList) return "list";
  if (type.id == TypeId::kStruct) return "struct";
  std::string word = model::to_sql(type);
  for (char& c : word) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return word;
}

}  // namespace millrace::format
