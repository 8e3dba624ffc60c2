#include "format/infer.h"

#include <fmt/format.h>

#include <cmath>
#include <string>
#include <vector>

#include "base/uuid.h"
#include "format/json_columns.h"
#include "format/json_doc.h"
#include "format/temporal.h"

namespace millrace::format {
namespace {

using model::TypeId;

/// What one place in the samples has been seen to hold.
struct Seen {
  bool boolean = false, integer = false, huge = false, real = false, object = false, array = false;
  bool inexact = false;  // a whole number that a double might not hold
  bool too_deep = false;
  bool string = false;
  // Of the strings: which forms all of them had so far.
  bool all_uuid = true, all_date = true, all_time = true, any_zone = false, all_zone = true;

  struct Member;
  std::vector<Member> members;
  std::vector<Seen> element;  // none or one
};
struct Seen::Member {
  std::string name;
  Seen seen;
};

class Inference {
 public:
  explicit Inference(const InferLimits& limits) : limits_(limits) {}

  Status observe_object(Seen& seen, const Json::Object& object, int depth) {
    for (const Json::Member& member : object) {
      if (member.name.empty()) continue;  // no column can be called that
      Seen* place = find(seen, member.name);
      if (place == nullptr) {
        if (++fields_ > limits_.fields_max)
          return fail(Errc::kResourceExhausted, fmt::format("more than {} fields", limits_.fields_max));
        seen.members.push_back({member.name, {}});
        place = &seen.members.back().seen;
      } else if (place == &other_spelling_) {
        continue;
      }
      TRY_DO(observe(*place, member.value, depth));
    }
    return {};
  }

 private:
  Seen* find(Seen& seen, const std::string& name) {
    for (Seen::Member& member : seen.members) {
      if (member.name == name) return &member.seen;
      if (model::same_name(member.name, name)) return &other_spelling_;
    }
    return nullptr;
  }

  Status observe(Seen& seen, const Json& json, int depth) {
    if (json.as_bool()) seen.boolean = true;
    constexpr double kExactMax = 9007199254740992;  // 2^53
    if (const int64_t* whole = json.as_int()) {
      seen.integer = true;
      if (std::abs(static_cast<double>(*whole)) >= kExactMax) seen.inexact = true;
    }
    if (json.as_uint()) seen.huge = seen.inexact = true;
    if (const double* real = json.as_double()) {
      seen.real = true;
      // Also an integer of more than 64 bits comes as a double.
      if (std::abs(*real) >= kExactMax && std::trunc(*real) == *real) seen.inexact = true;
    }
    if (const std::string* text = json.as_string()) observe_string(seen, *text);
    const Json::Object* object = json.as_object();
    const Json::Array* array = json.as_array();
    if (object) seen.object = true;
    if (array) seen.array = true;
    if ((object || array) && depth >= limits_.depth_max) {
      seen.too_deep = true;
      return {};
    }
    if (object) return observe_object(seen, *object, depth + 1);
    if (array && seen.element.empty()) seen.element.emplace_back();
    for (size_t i = 0; array && i < array->size(); ++i) TRY_DO(observe(seen.element[0], (*array)[i], depth + 1));
    return {};
  }

  static void observe_string(Seen& seen, const std::string& text) {
    constexpr size_t kUuidText = 36, kDateText = 10;
    seen.string = true;
    if (text.size() != kUuidText || !parse_uuid(text)) seen.all_uuid = false;
    int32_t days = 0;
    if (text.size() != kDateText || !read_date(text, days)) seen.all_date = false;
    int64_t micros = 0;
    bool zone = false;
    bool is_time = text.size() > kDateText && text[4] == '-' && read_timestamp(text, true, micros, &zone);
    if (!is_time) seen.all_time = false;
    if (zone) seen.any_zone = true;
    if (!zone) seen.all_zone = false;
  }

  const InferLimits& limits_;
  size_t fields_ = 0;
  Seen other_spelling_;
};

model::Type type_of(const Seen& seen);

std::vector<model::Field> fields_of(const Seen& seen) {
  std::vector<model::Field> fields;
  for (const Seen::Member& member : seen.members) fields.push_back({member.name, type_of(member.seen)});
  return fields;
}

TypeId string_type(const Seen& seen) {
  if (seen.all_uuid) return TypeId::kUuid;
  if (seen.all_date) return TypeId::kDate;
  if (seen.all_time && seen.all_zone) return TypeId::kTimestampTz;
  if (seen.all_time && !seen.any_zone) return TypeId::kTimestamp;
  return TypeId::kText;
}

model::Type type_of(const Seen& seen) {
  bool number = seen.integer || seen.huge || seen.real;
  int kinds = seen.boolean + number + seen.string + seen.object + seen.array;
  if (kinds != 1 || seen.too_deep) return {.id = TypeId::kText};
  if (seen.boolean) return {.id = TypeId::kBoolean};
  if (seen.real && seen.inexact) return {.id = TypeId::kText};
  if (number) return {.id = seen.real ? TypeId::kDouble : seen.huge ? TypeId::kHugeint : TypeId::kBigint};
  if (seen.string) return {.id = string_type(seen)};
  if (seen.array) return {.id = TypeId::kList, .fields = {{"element", type_of(seen.element[0])}}};
  if (seen.members.empty()) return {.id = TypeId::kText};
  return {.id = TypeId::kStruct, .fields = fields_of(seen)};
}

}  // namespace

Result<model::Schema> infer_schema(std::span<const std::string_view> samples, const InferLimits& limits) {
  Inference inference(limits);
  Seen root;
  for (size_t i = 0; i < samples.size(); ++i) {
    auto json = parse_json(samples[i], {.depth_max = kJsonDepthMax});
    if (!json) return fail(at(fmt::format("sample {}", i + 1), std::move(json.error())));
    const Json::Object* object = json->as_object();
    if (!object) return fail(Errc::kInvalidArgument, fmt::format("sample {}: the JSON is not an object", i + 1));
    TRY_DO(inference.observe_object(root, *object, 1));
  }
  return model::Schema{fields_of(root)};
}

}  // namespace millrace::format
