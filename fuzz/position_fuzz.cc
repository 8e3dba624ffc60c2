// rooms: stream/exec
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "stream/exec/position.h"

// What decodes encodes to bytes that decode to the same.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace millrace;
  auto position = stream::decode_position({reinterpret_cast<const char*>(data), size});
  if (!position) return 0;
  auto again = stream::decode_position(stream::encode_position(*position));
  CHECK(again && *again == *position, "a position survives the way to the disk and back");
  return 0;
}
