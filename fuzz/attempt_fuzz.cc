// rooms: stream/exec
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "stream/exec/attempts.h"

// What decodes encodes to bytes that decode to the same.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace millrace;
  auto attempt = stream::decode_attempt({reinterpret_cast<const char*>(data), size});
  if (!attempt) return 0;
  auto again = stream::decode_attempt(stream::encode_attempt(*attempt));
  CHECK(again && *again == *attempt, "an attempt survives the way to the page and back");
  return 0;
}
