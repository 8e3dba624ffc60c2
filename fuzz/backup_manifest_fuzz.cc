// rooms: app
#include <fmt/format.h>

#include <cstdint>
#include <string_view>

#include "app/backup_manifest.h"
#include "base/check.h"
#include "codec/kafka_record/record_batch.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace millrace;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)app::decode_manifest(text);
  // Behind the checksum: the first line as if it were sealed.
  std::string_view line = text.substr(0, text.find('\n'));
  auto manifest = app::decode_manifest(fmt::format("{}\n\"{:08x}\"\n", line, codec::kafka_record::crc32c(line)));
  if (!manifest) return 0;
  auto again = app::decode_manifest(app::encode_manifest(*manifest));
  CHECK(again && *again == *manifest, "what decodes also encodes");
  return 0;
}
