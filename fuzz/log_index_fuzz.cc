// rooms: log
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "log/segment_index.h"

// A decoded index answers every lookup with a position inside of its segment, and encodes to the same bytes.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using millrace::log::SegmentIndex;
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  (void)SegmentIndex::decode_summary(bytes);
  auto index = SegmentIndex::decode(bytes, 4096);
  if (!index) return 0;
  CHECK(index->encode() == bytes, "an index has one encoding");
  for (const SegmentIndex::Entry& entry : index->entries()) {
    CHECK(index->find(entry.offset).position == entry.position, "an entry is found");
    CHECK(index->find_time(entry.max_timestamp_before_ms).position <= entry.position, "times rise");
  }
  return 0;
}
