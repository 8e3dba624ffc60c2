#include "sql/call_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "model/schema.h"
#include "sql/text.h"

namespace millrace::sql {
namespace {

using format::Json;

// They go down into a value by recursion, without a limit; json_pretty takes memory by the square of the depth.
constexpr std::string_view kDeep[] = {"json_structure", "json_group_structure", "json_merge_patch",
                                      "json_contains",  "json_transform",       "json_transform_strict",
                                      "from_json",      "from_json_strict",     "json_pretty"};
constexpr std::string_view kDeepType = "VARIANT";

// One call makes a value as large as its argument says.
constexpr std::string_view kSized[] = {"repeat", "lpad", "rpad", "range", "generate_series", "list_resize", "array_resize"};
constexpr double kSizeMax = 10'000'000;

template <size_t kCount>
bool among(const std::string_view (&names)[kCount], std::string_view name) {
  return std::any_of(std::begin(names), std::end(names), [&](std::string_view one) { return model::same_name(one, name); });
}

std::string place_of(const Json& node, std::string_view sql) {
  const Json* location = node.find("query_location");
  if (location == nullptr || location->as_int() == nullptr) return {};  // what has no place has the largest uint64
  return line_and_column(sql, std::min(static_cast<size_t>(*location->as_int()), sql.size()));
}

tl::unexpected<Error> too_deep(const Json& node, std::string_view sql, std::string_view what) {
  return fail(
      Errc::kPermissionDenied,
      fmt::format("{}{} can end the process on deeply nested values, so it is not available here", place_of(node, sql), what),
      "use ->> or a cast");
}

bool names_deep_type(const Json& type) {
  if (const Json::Array* array = type.as_array()) return std::any_of(array->begin(), array->end(), names_deep_type);
  if (const std::string* text = type.as_string()) return model::same_name(*text, kDeepType);
  const Json::Object* object = type.as_object();
  return object != nullptr &&
         std::any_of(object->begin(), object->end(), [](const Json::Member& one) { return names_deep_type(one.value); });
}

bool is_huge(const Json& argument) {
  const Json* value = argument.string_or("class", "") == "CONSTANT" ? argument.find("value") : nullptr;
  return value != nullptr && std::abs(value->number_or("value", 0)) > kSizeMax;
}

Status check_function(const Json& node, std::string_view sql) {
  std::string name = node.string_or("function_name", "");
  if (among(kDeep, name)) return too_deep(node, sql, name);
  const Json* children = node.find("children");
  if (!among(kSized, name) || children == nullptr || children->as_array() == nullptr) return {};
  if (std::none_of(children->as_array()->begin(), children->as_array()->end(), is_huge)) return {};
  return fail(Errc::kInvalidArgument,
              fmt::format("{}{}() takes no constant above {} here", place_of(node, sql), name, static_cast<int64_t>(kSizeMax)),
              "it makes one value of that size; in FROM, range() and generate_series() give rows instead");
}

}  // namespace

Status check_calls(const Json& node, std::string_view sql) {
  if (const Json::Array* array = node.as_array()) {
    for (const Json& element : *array) TRY_DO(check_calls(element, sql));
  }
  const Json::Object* object = node.as_object();
  if (object == nullptr) return {};
  std::string kind = node.string_or("class", "");
  if (kind == "FUNCTION") TRY_DO(check_function(node, sql));
  bool rows = node.string_or("type", "") == "TABLE_FUNCTION";
  for (const Json::Member& one : *object) {
    if (one.name == "cast_type" && names_deep_type(one.value)) return too_deep(node, sql, "the type VARIANT");
    // A function in FROM gives its rows piece by piece: only what stands in its arguments matters.
    const Json* arguments = rows && one.name == "function" ? one.value.find("children") : nullptr;
    TRY_DO(check_calls(arguments != nullptr ? *arguments : one.value, sql));
  }
  return {};
}

}  // namespace millrace::sql
