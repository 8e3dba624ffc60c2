#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"

namespace millrace::format {

/// A JSON document as a value, for messages and files of moderate size; records go through json_columns.h.
class Json {
 public:
  struct Member;
  using Array = std::vector<Json>;
  /// In the order of the text. Equal names stay; find() gives the last of them.
  using Object = std::vector<Member>;

  Json();  // null
  Json(std::nullptr_t);
  Json(bool v);
  Json(int v);
  Json(long v);
  Json(long long v);
  Json(unsigned v);
  Json(unsigned long v);
  Json(unsigned long long v);
  Json(double v);
  Json(const char* v);
  Json(std::string_view v);
  Json(std::string v);
  Json(Array v);
  Json(Object v);
  static Json object();
  static Json array();

  bool is_null() const { return std::holds_alternative<std::monostate>(value_); }
  /// The value when it is of that kind, else null. A number is an int64 when it is whole and fits, a uint64 when only that fits,
  /// else a double, which is infinite when the number is beyond it.
  const bool* as_bool() const { return std::get_if<bool>(&value_); }
  const int64_t* as_int() const { return std::get_if<int64_t>(&value_); }
  const uint64_t* as_uint() const { return std::get_if<uint64_t>(&value_); }
  const double* as_double() const { return std::get_if<double>(&value_); }
  const std::string* as_string() const { return std::get_if<std::string>(&value_); }
  const Array* as_array() const { return std::get_if<Array>(&value_); }
  const Object* as_object() const { return std::get_if<Object>(&value_); }
  Array* as_array() { return std::get_if<Array>(&value_); }
  Object* as_object() { return std::get_if<Object>(&value_); }

  /// The member of an object; null when this is no object or has no such member. Of a name that stands twice, the last.
  const Json* find(std::string_view name) const;
  Json* find(std::string_view name);
  /// The member's value when it has that kind, else `otherwise`. number_or takes every number.
  std::string string_or(std::string_view name, std::string_view otherwise) const;
  int64_t int_or(std::string_view name, int64_t otherwise) const;
  double number_or(std::string_view name, double otherwise) const;
  bool bool_or(std::string_view name, bool otherwise) const;

  /// Adds a member to an object, or replaces the one of that name. A null becomes an object.
  Json& set(std::string_view name, Json value);
  /// Adds an element to an array. A null becomes an array.
  Json& push(Json value);

  friend bool operator==(const Json& a, const Json& b);

 private:
  void set_unsigned(uint64_t v);
  std::variant<std::monostate, bool, int64_t, uint64_t, double, std::string, Array, Object> value_;
};

struct Json::Member {
  std::string name;
  Json value;
  friend bool operator==(const Member&, const Member&) = default;
};

struct JsonLimits {
  int depth_max = 64;  // at most kJsonDocDepthMax
  size_t bytes_max = 16 << 20;
};
/// The deepest document that can be asked for: copying and destroying a Json recurses.
inline constexpr int kJsonDocDepthMax = 2000;

/// Errors: kInvalidArgument (not JSON, with the byte near which it ends to be), kResourceExhausted (a limit).
Result<Json> parse_json(std::string_view text, JsonLimits limits = {});
/// Compact, or with two spaces a level. Doubles in the shortest form that reads back; NaN and infinities are strings as in
/// json_write.h.
std::string to_json(const Json& json, bool pretty = false);

}  // namespace millrace::format
