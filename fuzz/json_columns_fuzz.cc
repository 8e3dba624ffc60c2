// rooms: format
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "format/infer.h"
#include "format/json_columns.h"
#include "format/json_doc.h"
#include "format/json_write.h"

using namespace millrace;
using model::Type;
using model::TypeId;

namespace {

std::shared_ptr<const model::Schema> make_schema() {
  Type integer{.id = TypeId::kInteger}, text{.id = TypeId::kText};
  Type inner{.id = TypeId::kStruct, .fields = {{"x", integer}, {"y", text}}};
  Type list{.id = TypeId::kList, .fields = {{"element", inner}}};
  return std::make_shared<model::Schema>(model::Schema{{
      {"i", integer},
      {"t", text},
      {"d", {.id = TypeId::kDouble}},
      {"n", {.id = TypeId::kDecimal, .width = 38, .scale = 5}},
      {"h", {.id = TypeId::kHugeint}},
      {"b", {.id = TypeId::kBoolean}},
      {"u", {.id = TypeId::kUuid}},
      {"z", {.id = TypeId::kTimestampTz}},
      {"o", {.id = TypeId::kBlob}},
      {"s", {.id = TypeId::kStruct, .fields = {{"l", list}, {"x", integer}}}},
  }});
}

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

// The first good record stands between others, so what is remembered of it is used and must not matter; a decoder that needs
// nothing must agree on what is JSON; every row that comes out reads back as itself.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto schema = make_schema();
  std::string json(reinterpret_cast<const char*>(data), size);
  auto decoder = format::JsonDecoder::make(schema), blind = format::JsonDecoder::make(schema, format::Needed::none());
  model::BatchBuilder rows(schema), nothing(schema);
  bool first = decoder->append(json, rows).has_value();
  format::JsonFault fault = decoder->last_fault();
  require(rows.rows() == (first ? 1 : 0));
  require(decoder->append(json, rows).has_value() == first && decoder->last_fault() == fault);
  bool is_object = blind->append(json, nothing).has_value();
  bool typed = fault == format::JsonFault::kType || fault == format::JsonFault::kRange;
  require(is_object == (first || typed));
  if (!is_object) require(blind->last_fault() == fault);

  auto document = format::parse_json(json, {.depth_max = format::kJsonDepthMax});
  if (is_object) require(document.has_value());
  if (document) {
    auto again = format::parse_json(format::to_json(*document), {.depth_max = format::kJsonDepthMax});
    require(again.has_value());
  }
  std::string_view sample = json;
  (void)format::infer_schema({&sample, 1});
  if (!first) return 0;

  model::ColumnBatch batch = std::move(rows).finish();
  std::string one, two, text;
  format::append_row_json(one, batch, 0);
  format::append_row_json(two, batch, 1);
  for (const model::Column& column : batch.columns) format::append_value_text(text, column, 1);
  require(one == two);
  model::BatchBuilder back(schema);
  require(decoder->append(one, back).has_value());
  model::ColumnBatch copy = std::move(back).finish();
  two.clear();
  format::append_row_json(two, copy, 0);
  require(one == two);
  return 0;
}
