// rooms: base model table
#include <cstdint>
#include <string_view>
#include <vector>

#include "model/column_builder.h"
#include "table/row_codec.h"
#include "table/table.h"

namespace {

using namespace millrace;
using model::Type;
using model::TypeId;

std::shared_ptr<const model::Schema> make_schema() {
  Type texts{TypeId::kList, 0, 0, {{"element", {TypeId::kText}}}};
  Type place{TypeId::kStruct, 0, 0, {{"street", {TypeId::kText}}, {"number", {TypeId::kInteger}}, {"tags", texts}}};
  return std::make_shared<const model::Schema>(model::Schema{{{"a", {TypeId::kBoolean}},
                                                              {"b", {TypeId::kText}},
                                                              {"c", {TypeId::kUuid}},
                                                              {"d", {TypeId::kDecimal, 4, 2}},
                                                              {"e", texts},
                                                              {"f", place},
                                                              {"g", {TypeId::kList, 0, 0, {{"element", place}}}},
                                                              {"h", {TypeId::kTimestampTz}}}});
}

}  // namespace

// The first byte says which columns are wanted, the rest is a row value (and, separately, a catalog entry).
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto schema = make_schema();
  if (size == 0) return 0;
  std::string_view value(reinterpret_cast<const char*>(data) + 1, size - 1);
  (void)table::decode_table(value);
  (void)table::row_is_dead(value, instant_from_micros(1'000'000'000'000'000));
  if (!table::take_row_header(value)) return 0;
  model::BatchBuilder batch(schema);
  std::vector<const Type*> types;
  std::vector<model::ColumnBuilder*> out;
  for (size_t i = 0; i < schema->fields.size(); ++i) {
    types.push_back(&schema->fields[i].type);
    out.push_back((data[0] >> i & 1) != 0 ? &batch.column(i) : nullptr);
  }
  (void)table::decode_row_columns(value, types, out);
  return 0;
}
