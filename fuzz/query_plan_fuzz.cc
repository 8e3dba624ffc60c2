// rooms: stream/plan
#include <cstdint>
#include <string_view>

#include "stream/plan/query_plan.h"

/// A tree of any shape gives a plan or an error.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace millrace;
  auto tree = format::parse_json({reinterpret_cast<const char*>(data), size}, {.depth_max = 1500, .bytes_max = 1 << 20});
  if (!tree) return 0;
  stream::plan::TopicShape topic;
  topic.name = "t";
  model::Type text{model::TypeId::kText, 0, 0, {}};
  topic.schema = {{{"a", text}, {"s", {model::TypeId::kStruct, 0, 0, {{"b", text}}}}}};
  topic.metadata = {{{"_offset", {model::TypeId::kBigint, 0, 0, {}}}}};
  topic.event_time = *tree;
  stream::plan::PlanOptions options;
  options.volatile_functions = {"random"};
  options.delete_when = *tree;
  auto plan = stream::plan::plan_query(*tree, "SELECT a FROM t", topic, options);
  if (plan) static_cast<void>(stream::plan::input_schema(topic, plan->needed));
  return 0;
}
