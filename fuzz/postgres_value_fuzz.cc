// rooms: connect/postgres format
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "connect/postgres/binary_value.h"
#include "connect/postgres/copy_text.h"
#include "connect/postgres/options.h"
#include "connect/postgres/table_shape.h"
#include "format/json_write.h"

using namespace millrace;
using model::Type;
using model::TypeId;

namespace {

std::vector<Type> make_types() {
  std::vector<Type> types;
  for (int id = 1; id <= static_cast<int>(TypeId::kInterval); ++id) {
    Type type{.id = static_cast<TypeId>(id)};
    if (type.id == TypeId::kDecimal) {
      for (uint8_t width : {4, 9, 18, 38})
        types.push_back({.id = type.id, .width = width, .scale = static_cast<uint8_t>(width / 2)});
      continue;
    }
    types.push_back(type);
  }
  for (size_t i = 0, scalars = types.size(); i < scalars; ++i)
    types.push_back({.id = TypeId::kList, .fields = {{"element", types[i]}}});
  types.push_back({.id = TypeId::kStruct, .fields = {{"a", types[0]}, {"b", types.back()}}});
  return types;
}

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

// The first byte picks a type. What the server may have sent is a value or an error that leaves the column as it was; a value
// can be written again. The rest of the bytes as url and as name: an answer, and no password in it.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::vector<Type> types = make_types();
  if (size == 0) return 0;
  std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  auto schema = std::make_shared<model::Schema>(model::Schema{{{"v", types[data[0] % types.size()]}}});
  model::BatchBuilder builder(schema);
  bool first = connect::postgres::read_value(builder.column(0), bytes).has_value();
  require(builder.rows() == (first ? 1 : 0));
  require(connect::postgres::read_value(builder.column(0), bytes).has_value() == first);
  if (first) {
    model::ColumnBatch batch = std::move(builder).finish();
    std::string one, two, json;
    connect::postgres::append_copy_value(one, batch.columns[0], 0);
    connect::postgres::append_copy_value(two, batch.columns[0], 1);
    format::append_row_json(json, batch, 0);
    require(one == two && one.find('\n') == std::string::npos && one.find('\t') == std::string::npos);
  }
  std::string text(bytes);
  if (auto name = connect::postgres::parse_table_name(text)) require(!name->quoted().empty());
  Status checked = connect::postgres::check_options("postgresql://ada:" + text, {});
  if (!checked && text.starts_with("hidden@") && text.rfind("hidden") == 0)
    require(checked.error().message.find("hidden") == std::string::npos);
  (void)connect::postgres::check_options("postgresql://h/d", {{text, text}});
  return 0;
}
