// rooms: log codec/kafka_record project
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/check.h"
#include "codec/kafka_record/record_batch.h"
#include "log/partition_state.h"
#include "project/memory_files.h"

namespace {

using namespace millrace;

void mend_crc(std::string& file, size_t begin, size_t size) {
  if (file.size() < begin + size + 4) return;
  std::string crc;
  append_le(crc, codec::kafka_record::crc32c(std::string_view(file).substr(begin, size)));
  file.replace(begin + size, crc.size(), crc);
}

}  // namespace

// The bits of the first byte say which of the three checksums are made right; the rest is the file `partition.state`.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  std::string file(reinterpret_cast<const char*>(data) + 1, size - 1);
  if ((data[0] & 1) != 0) mend_crc(file, 0, 28);
  if ((data[0] & 2) != 0) mend_crc(file, 512, 16);
  if ((data[0] & 4) != 0) mend_crc(file, 1024, 16);
  project::MemoryFiles files({{"d/partition.state", file}});
  auto state = log::PartitionState::open(files, "d/partition.state", true);
  if (state && (*state)->flushed()) CHECK((*state)->flushed()->value >= 0, "an offset is not negative");
  return 0;
}
