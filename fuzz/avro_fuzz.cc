// rooms: format
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "format/avro_decoder.h"
#include "format/avro_encoder.h"
#include "format/json_write.h"

using namespace millrace;
using model::Type;
using model::TypeId;

namespace {

std::shared_ptr<const model::Schema> columns_of(int kind) {
  Type text{.id = TypeId::kText}, number{.id = TypeId::kBigint};
  if (kind == 1) return std::make_shared<model::Schema>(model::Schema{{{"a", text}}});
  Type inner{.id = TypeId::kStruct, .fields = {{"a", number}, {"b", text}}};
  Type list{.id = TypeId::kList, .fields = {{"element", inner}}};
  return std::make_shared<model::Schema>(model::Schema{{
      {"a", text},
      {"b", {.id = TypeId::kDecimal, .width = 12, .scale = 2}},
      {"c", list},
      {"d", inner},
      {"e", {.id = TypeId::kTimestampTz}},
      {"f", {.id = TypeId::kBlob}},
      {"g", {.id = TypeId::kDouble}},
      {"h", {.id = TypeId::kUuid}},
  }});
}

void require(bool condition) {
  if (!condition) std::abort();
}

std::string json_of(model::BatchBuilder&& rows) {
  std::string out;
  format::append_row_json(out, std::move(rows).finish(), 0);
  return out;
}

/// What was read is written by the columns' own schema, and reads back as itself.
void round_trip(const std::shared_ptr<const model::Schema>& columns, model::BatchBuilder&& rows) {
  model::ColumnBatch batch = std::move(rows).finish();
  auto own = format::AvroSchema::parse(*format::derive_avro_schema(*columns, "r"));
  require(own.has_value());
  auto encoder = format::AvroEncoder::make(*own, columns);
  auto decoder = format::AvroDecoder::make(*own, columns);
  require(encoder.has_value() && decoder.has_value());
  std::string bytes, before;
  require(encoder->append(bytes, batch, 0).has_value());
  model::BatchBuilder back(columns);
  require(decoder->append(bytes, back).has_value());
  format::append_row_json(before, batch, 0);
  require(before == json_of(std::move(back)));
}

}  // namespace

// The input is a schema, a line break, and a value's bytes. What is skipped must be checked as what is read is: a decoder without
// columns never refuses what another one takes.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  size_t line = input.find('\n');
  std::string_view schema = input.substr(0, line), value = line == std::string_view::npos ? "" : input.substr(line + 1);
  auto writer = format::AvroSchema::parse(schema);
  if (!writer) return 0;
  auto nothing = std::make_shared<model::Schema>();
  for (int kind : {0, 1}) {
    auto columns = columns_of(kind);
    auto decoder = format::AvroDecoder::make(*writer, columns), blind = format::AvroDecoder::make(*writer, nothing);
    if (!decoder || !blind) continue;
    model::BatchBuilder rows(columns), none(nothing);
    bool read = decoder->append(value, rows).has_value();
    require(rows.rows() == (read ? 1 : 0));
    require(read == (decoder->fault() == "none"));
    bool skipped = blind->append(value, none).has_value();
    bool is_row = blind->fault() != "not_object";
    if (read && is_row) require(skipped);
    if (read) round_trip(columns, std::move(rows));
    (void)format::AvroEncoder::make(*writer, columns);
  }
  return 0;
}
