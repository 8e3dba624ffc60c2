// rooms: connect/kafka
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "connect/kafka/group_source.h"
#include "connect/kafka/options.h"

// A note beside a committed offset that is read is written as one that reads the same; no URL does any harm.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace millrace::connect::kafka;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  CommitNote note = read_commit_note(text);
  if (note.topic) CHECK(read_commit_note(write_commit_note(note)) == note, "a note survives the way to Kafka and back");
  static_cast<void>(bootstrap_servers(text));
  return 0;
}
