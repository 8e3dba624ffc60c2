// rooms: store
#include <algorithm>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "store/record_log.h"

namespace {

millrace::store::RecordLogScan scan(std::string_view bytes) {
  using namespace millrace::store;
  RecordLogScanner scanner;
  for (; bytes.size() > kRecordBlockBytes; bytes.remove_prefix(kRecordBlockBytes))
    scanner.feed(bytes.substr(0, kRecordBlockBytes));
  scanner.feed(bytes);
  return scanner.end();
}

}  // namespace

// What is called whole scans again as whole, and what stands behind a break is behind it.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  auto found = scan(bytes);
  CHECK(found.whole_bytes <= size, "within the file");
  if (found.broken) {
    CHECK(found.broken->position <= size, "within the file");
    CHECK(!found.broken->whole_behind || *found.broken->whole_behind >= found.broken->position, "behind the break");
    CHECK(found.whole_bytes <= found.broken->position, "a record that is whole ends before the break");
  }
  auto again = scan(bytes.substr(0, found.whole_bytes));
  CHECK(!again.broken && again.records == found.records, "what is whole stays whole");
  return 0;
}
