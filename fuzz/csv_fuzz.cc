// rooms: format
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "format/csv.h"
#include "format/json_write.h"

using namespace millrace;
using model::TypeId;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto schema = std::make_shared<model::Schema>(
      model::Schema{{{"a", {.id = TypeId::kText}}, {"b", {.id = TypeId::kBigint}}, {"c", {.id = TypeId::kTimestampTz}}}});
  model::BatchBuilder rows(schema);
  auto count = format::read_csv({reinterpret_cast<const char*>(data), size}, "fuzz.csv", *schema, rows,
                                {.field_bytes_max = 1000, .columns_max = 10});
  for (size_t i = 0; i < rows.column_count(); ++i) {
    if (rows.column(i).size() != (count ? *count : 0)) std::abort();
  }
  model::ColumnBatch batch = std::move(rows).finish();
  std::string out;
  for (size_t row = 0; row < batch.rows; ++row) format::append_row_json(out, batch, row);
  return 0;
}
