// rooms: log
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "log/topic.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace millrace::log;
  auto entry = decode_topic_entry({reinterpret_cast<const char*>(data), size});
  if (!entry) return 0;
  auto again = decode_topic_entry(encode_topic_entry(*entry));
  CHECK(again && again->settings == entry->settings && again->id == entry->id && again->state == entry->state,
        "what decodes also encodes");
  return 0;
}
