// rooms: connect/file connect/webhook
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "connect/file/feed_position.h"
#include "connect/file/file_state.h"
#include "connect/file/text_records.h"
#include "connect/webhook/cuts.h"
#include "format/json_doc.h"

using namespace millrace;
namespace file = connect::file;

namespace {

/// What decodes encodes to bytes that decode to the same.
void positions(std::string_view bytes) {
  if (auto known = file::decode_feed_position(bytes)) {
    auto again = file::decode_feed_position(file::encode_feed_position(*known));
    CHECK(again && *again == *known, "a feed's position survives the way to the store and back");
  }
  if (auto state = file::decode_file_state(bytes))
    CHECK(file::decode_file_state(file::encode_file_state(*state)) == state, "a file's state survives it");
  if (auto cuts = connect::webhook::decode_cuts(bytes))
    CHECK(connect::webhook::decode_cuts(connect::webhook::encode_cuts(*cuts)) == cuts, "cuts survive it");
}

/// Records cover the bytes, whether they are found in one piece or as the bytes come.
void records(std::string_view bytes, bool csv) {
  std::string_view rest = bytes;
  while (auto size = file::record_size(rest, csv)) {
    CHECK(*size > 0 && *size <= rest.size() && rest[*size - 1] == '\n', "a record ends with its line end");
    CHECK(!file::record_size(rest.substr(0, *size - 1), csv), "and nowhere before");
    std::string_view line = file::without_line_end(rest.substr(0, *size));
    if (csv) {
      if (auto fields = file::csv_fields(line)) {
        std::vector<std::string> header(fields->size(), "h");
        auto object = file::csv_to_json(header, line);
        CHECK(object && format::parse_json(*object), "a row is a JSON object");
      }
    }
    rest.remove_prefix(*size);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  positions(bytes);
  records(bytes, false);
  records(bytes, true);
  file::number_in(bytes.substr(0, 300), "people");
  return 0;
}
