// rooms: base model table
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "table/dead_letters.h"
#include "table/key_codec.h"

// The first byte chooses type and direction, the rest is a key. What decodes must encode to bytes that decode to the same.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace millrace;
  if (size == 0) return 0;
  bool descending = (data[0] & 0x80) != 0;
  model::Type type{static_cast<model::TypeId>(1 + data[0] % 23), 18, 2, {}};
  std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  (void)table::decode_dead_letter(bytes, bytes);
  if (auto id = table::parse_dead_letter_id(bytes)) (void)table::dead_letter_id(*id);
  if (!table::can_be_key(type)) return 0;
  model::Arena arena;
  model::ColumnBuilder column(type, arena);
  std::string_view rest = bytes;
  bool decoded = table::take_key_element(rest, type, descending, &column);
  std::string_view skipped = bytes;
  CHECK(table::take_key_element(skipped, type, descending, nullptr) == decoded, "skipping and decoding disagree");
  if (!decoded) return 0;
  CHECK(skipped == rest, "skipping and decoding end at different places");
  std::string again;
  table::append_key_element(again, column.view(), 0, descending);
  bool is_float = type.id == model::TypeId::kFloat || type.id == model::TypeId::kDouble;  // -0 and NaN have one form
  CHECK(is_float || again == bytes.substr(0, bytes.size() - rest.size()), "another encoding of the same value");
  return 0;
}
