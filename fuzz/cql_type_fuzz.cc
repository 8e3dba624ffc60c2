// rooms: codec/cql
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/check.h"
#include "codec/cql/type.h"
#include "codec/cql/value.h"

using namespace millrace;
using namespace millrace::codec::cql;

namespace {

/// The value read as the natural SQL type and written again; none when either refuses it.
std::optional<std::string> rewritten(const CqlType& type, std::string_view bytes) {
  const model::Type sql = natural_sql_type(type);
  auto decoder = ValueDecoder::make(type, sql);
  CHECK(decoder, "every type is read as its natural one");
  model::Arena arena;
  model::ColumnBuilder column(sql, arena);
  CHECK(decoder->append(Value::null(), column), "null is a value of every type");
  if (!decoder->append(Value::of(bytes), column)) return std::nullopt;
  auto encoder = ValueEncoder::make(sql, type);
  std::string out;
  if (!encoder || !encoder->append(out, column.view(), 1)) return std::nullopt;
  Reader in(out);
  auto value = in.bytes();
  CHECK(in.ok() && in.empty(), "one [value] and no more");
  return value ? std::optional(std::string(*value)) : std::nullopt;
}

void check_type(const CqlType& type) {
  const std::string text = to_cql(type);
  auto again = parse_cql_type(text);
  CHECK(again && to_cql(*again) == text, "a type survives as text");
}

}  // namespace

// A type as text, a NUL, and a value of that type. All of it is read as [option] as well.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  Reader in(bytes);
  CqlType option = read_type(in);
  if (in.ok()) {
    std::string out;
    put_type(out, Version::kV5, option);
    Reader back(out);
    CqlType again = read_type(back);
    CHECK(back.ok() && to_cql(again).size() <= to_cql(option).size(), "a type survives on the wire, but for frozen");
    (void)natural_sql_type(option);
  }
  auto type = parse_cql_type(bytes.substr(0, bytes.find('\0')));
  if (!type) return 0;
  check_type(*type);
  std::string_view value = bytes.substr(std::min(bytes.size(), bytes.find('\0')));
  value.remove_prefix(std::min<size_t>(1, value.size()));
  if (auto first = rewritten(*type, value)) CHECK(rewritten(*type, *first) == first, "what was written is read the same");
  return 0;
}
