// Record batches as lines of text, for tests/kafka_record_foreign.py.
//   encode CODEC        records on stdin, one a line: timestamp key value [header-key header-value]…; a batch in hex on stdout
//   decode              a batch in hex on stdin; its records in the same form, with the offset before the timestamp
// Every key, value and header is hex, `-` is null, and `.` is empty.
#include <cstdlib>
#include <iostream>
#include <sstream>

#include "base/bytes.h"
#include "codec/kafka_record/record_batch.h"

namespace {

using namespace millrace;
namespace codec = codec::kafka_record;

[[noreturn]] void stop(std::string_view why) {
  std::cerr << why << "\n";
  std::exit(1);
}

template <class T>
T need(Result<T> result) {
  if (!result) stop(result.error().message);
  return std::move(*result);
}

std::optional<std::string> field_of(const std::string& word) {
  if (word == "-") return std::nullopt;
  auto bytes = from_hex(word == "." ? "" : word);
  if (!bytes) stop("not hexadecimal: " + word);
  return bytes;
}

std::string word_of(std::optional<std::string_view> field) {
  if (!field) return "-";
  return field->empty() ? "." : to_hex(*field);
}

int encode(std::string_view name) {
  auto compression = codec::parse_compression(name);
  if (!compression) stop("no such compression");
  std::vector<model::Record> records;
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    int64_t timestamp_ms = 0;
    std::string key, value;
    words >> timestamp_ms >> key >> value;
    model::Record record{field_of(key), field_of(value), {}, timestamp_ms};
    while (words >> key >> value) record.headers.push_back({field_of(key).value_or(""), field_of(value)});
    records.push_back(std::move(record));
  }
  std::cout << to_hex(need(codec::encode_batch(records, {.compression = *compression}))) << "\n";
  return 0;
}

int decode() {
  std::string digits;
  std::cin >> digits;
  auto batch = from_hex(digits);
  if (!batch) stop("not hexadecimal");
  auto header = need(codec::read_header(*batch));
  if (auto checked = codec::check_crc(header, *batch); !checked) stop(checked.error().message);
  std::vector<model::RecordView> records;
  std::vector<std::shared_ptr<const void>> owners;
  if (auto decoded = codec::decode_records(header, *batch, {}, records, owners); !decoded) stop(decoded.error().message);
  for (const auto& record : records) {
    std::cout << record.offset.value << " " << record.timestamp_ms << " " << word_of(record.key) << " " << word_of(record.value);
    for (const auto& h : need(codec::decode_headers(record.raw_headers)))
      std::cout << " " << word_of(h.key) << " " << word_of(h.value);
    std::cout << "\n";
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 3 && std::string_view(argv[1]) == "encode") return encode(argv[2]);
  if (argc == 2 && std::string_view(argv[1]) == "decode") return decode();
  std::cerr << "usage: kafka_record_tool encode CODEC | decode\n";
  return 2;
}
