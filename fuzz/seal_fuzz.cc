// rooms: app
#include <cstdint>
#include <string_view>

#include "app/seal.h"
#include "base/check.h"

// What is read is written again as the same files.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto seal = millrace::app::decode_seal({reinterpret_cast<const char*>(data), size});
  if (!seal) return 0;
  auto again = millrace::app::decode_seal(millrace::app::encode_seal(*seal));
  CHECK(again && *again == *seal, "a seal survives coding");
  return 0;
}
