// rooms: log
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/check.h"
#include "log/batch_cursor.h"

namespace {

using namespace millrace;

/// The fuzzer's bytes as a segment.
class Bytes : public env::File {
 public:
  explicit Bytes(std::string_view bytes) : bytes_(bytes) {}
  Result<size_t> read_at(uint64_t position, char* out, size_t size) override {
    if (position >= bytes_.size()) return 0;
    std::string_view part = bytes_.substr(position, size);
    std::memcpy(out, part.data(), part.size());
    return part.size();
  }
  Status write_at(uint64_t, std::string_view) override { return fail(Errc::kUnimplemented, "read only"); }
  Status sync() override { return {}; }
  Status truncate(uint64_t) override { return fail(Errc::kUnimplemented, "read only"); }
  Result<uint64_t> size() override { return bytes_.size(); }

 private:
  std::string_view bytes_;
};

}  // namespace

// The part that is kept scans again as sound, and what is found behind the damage is behind it.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  Bytes file(bytes);
  auto scan = log::scan_segment(file, log::SegmentIndex(model::Offset(0), 100), 0);
  CHECK(scan, "damage is not an error");
  uint64_t kept = scan->index.summary().bytes;
  CHECK(kept <= size && scan->bad.has_value() == (kept < size), "all or a reason");
  Bytes sound(bytes.substr(0, kept));
  auto again = log::scan_segment(sound, log::SegmentIndex(model::Offset(0), 100), 0);
  CHECK(again && !again->bad && again->index.summary() == scan->index.summary(), "what is kept is sound");
  if (!scan->bad) return 0;
  auto next = log::find_batch_after(file, kept + 1, size, scan->index.summary().next);
  CHECK(next && (!*next || **next > kept), "behind the damage");
  return 0;
}
