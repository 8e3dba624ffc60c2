// rooms: codec/kafka_record
#include <cstdint>

#include "base/check.h"
#include "codec/kafka_record/record_batch.h"

namespace codec = millrace::codec::kafka_record;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  auto header = codec::read_header(bytes);
  if (!header) return 0;
  std::string_view batch = bytes.substr(0, header->total_bytes());
  (void)codec::check_crc(*header, batch);
  std::vector<millrace::model::RecordView> records;
  std::vector<std::shared_ptr<const void>> owners;
  if (!codec::decode_records(*header, batch, {.decompressed_bytes_max = 1 << 20}, records, owners)) {
    CHECK(records.empty() && owners.empty(), "a failure leaves the output as it was");
    return 0;
  }
  for (const auto& record : records) {
    CHECK(record.offset >= header->base_offset && record.offset <= header->last_offset(), "offsets lie in the batch");
    CHECK(codec::decode_headers(record.raw_headers).has_value(), "headers were checked when the record was");
  }
  return 0;
}
