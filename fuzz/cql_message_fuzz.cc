// rooms: codec/cql
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "codec/cql/request.h"
#include "codec/cql/response.h"
#include "codec/cql/value.h"

using namespace millrace;
using namespace millrace::codec::cql;

namespace {

void read_rows(const RowsResult& result) {
  RowsReader rows(result);
  for (size_t n = 0; n < 100; ++n) {
    auto more = rows.next();
    if (!more || !*more) return;
    for (size_t i = 0; i < result.metadata.columns.size(); ++i) {
      const CqlType& type = result.metadata.columns[i].type;
      const model::Type sql = natural_sql_type(type);
      auto decoder = ValueDecoder::make(type, sql);
      CHECK(decoder, "every type is read as its natural one");
      model::Arena arena;
      model::ColumnBuilder column(sql, arena);
      auto status = decoder->append(rows.row()[i], column);
      CHECK(column.size() == (status ? 1u : 0u), "a row or none");
    }
  }
}

/// What decodes, written again, decodes to the same bytes.
template <class Message, class Decode>
void check_again(const Message& message, Envelope envelope, Decode decode) {
  std::string first;
  encode(first, *envelope.version(), 1, message);
  envelope.body = std::string_view(first).substr(kHeaderBytes);
  auto again = decode(envelope);
  CHECK(again, "what was written is read");
  std::string second;
  encode(second, *envelope.version(), 1, *again);
  CHECK(first == second, "a message survives the way there and back");
}

}  // namespace

// Three bytes: version, flags, opcode with the response bit; the rest is the body.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 3) return 0;
  Envelope envelope{.version_byte = static_cast<uint8_t>(3 + data[0] % 3),
                    .response = (data[2] & 0x80) != 0,
                    .flags = data[1],
                    .opcode = static_cast<Opcode>(data[2] & 0x1f),
                    .body = {reinterpret_cast<const char*>(data) + 3, size - 3}};
  if (!read_prefix(envelope)) return 0;
  if (auto request = decode_request(envelope)) check_again(*request, envelope, decode_request);
  auto response = decode_response(envelope);
  if (!response) return 0;
  check_again(*response, envelope, decode_response);
  if (const auto* rows = std::get_if<RowsResult>(&*response)) read_rows(*rows);
  return 0;
}
