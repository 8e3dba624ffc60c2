#include "codec/kafka_record/record_batch.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>

#include "base/bytes.h"
#include "codec/kafka_record/header_writer.h"
#include "codec/kafka_record/varint.h"

namespace millrace::codec::kafka_record {
namespace {

constexpr Compression kAll[] = {Compression::kNone, Compression::kGzip, Compression::kSnappy, Compression::kLz4,
                                Compression::kZstd};

struct Decoded {
  std::vector<model::RecordView> records;
  std::vector<std::shared_ptr<const void>> owners;
};

Result<Decoded> decode(std::string_view batch, DecodeLimits limits = {}) {
  TRY(BatchHeader header, read_header(batch));
  Decoded out;
  TRY_DO(decode_records(header, batch, limits, out.records, out.owners));
  return out;
}

/// A batch around a hand-made record part.
std::string wrap(std::string_view body, int32_t count, int32_t last_offset_delta, int16_t attributes = 0) {
  std::string batch(kHeaderBytes, '\0');
  batch += body;
  BatchHeader header;
  header.batch_length = static_cast<int32_t>(batch.size() - kPrefixBytes);
  header.attributes = attributes;
  header.last_offset_delta = last_offset_delta;
  header.base_timestamp_ms = 1000;
  header.max_timestamp_ms = 9000;
  header.record_count = count;
  write_header(batch.data(), header);
  return batch;
}

std::vector<model::Record> sample() {
  std::vector<model::Record> records(5);
  records[0] = {"k", "v", {}, 1'700'000'000'000};
  records[1] = {std::nullopt, std::nullopt, {}, 1'600'000'000'000};
  records[2] = {"", "", {{"", ""}, {"h", std::nullopt}}, std::nullopt};
  records[3] = {std::string(5000, 'k'), std::string(100'000, 'v'), {{"trace", std::string(300, 'x')}}, -5};
  records[4] = {"last", std::string("\0\xff\n", 3), {}, 1};
  return records;
}

TEST(RecordBatch, RoundTripWithEveryCompression) {
  auto records = sample();
  for (Compression compression : kAll) {
    SCOPED_TRACE(compression_name(compression));
    auto batch = encode_batch(records, {compression, model::Offset(77), 42});
    ASSERT_TRUE(batch);
    auto header = read_header(*batch);
    ASSERT_TRUE(header);
    EXPECT_EQ(header->total_bytes(), batch->size());
    EXPECT_EQ(header->compression(), compression);
    EXPECT_EQ(header->last_offset(), model::Offset(81));
    EXPECT_EQ(header->max_timestamp_ms, 1'700'000'000'000);
    EXPECT_TRUE(check_crc(*header, *batch));
    auto decoded = decode(*batch);
    ASSERT_TRUE(decoded) << decoded.error().message;
    ASSERT_EQ(decoded->records.size(), records.size());
    EXPECT_EQ(decoded->owners.size(), compression == Compression::kNone ? 0 : 1);
    for (size_t i = 0; i < records.size(); ++i) {
      const auto& view = decoded->records[i];
      EXPECT_EQ(view.offset, model::Offset(77 + static_cast<int64_t>(i)));
      EXPECT_EQ(view.timestamp_ms, records[i].timestamp_ms.value_or(42));
      EXPECT_EQ(view.key, records[i].key);
      EXPECT_EQ(view.value, records[i].value);
      auto headers = decode_headers(view.raw_headers);
      ASSERT_TRUE(headers);
      ASSERT_EQ(headers->size(), records[i].headers.size());
      for (size_t h = 0; h < headers->size(); ++h) {
        EXPECT_EQ((*headers)[h].key, records[i].headers[h].key);
        EXPECT_EQ((*headers)[h].value, records[i].headers[h].value);
      }
    }
  }
}

TEST(RecordBatch, LargeBodiesCrossEveryBlockBorder) {
  std::mt19937_64 random(1);
  std::vector<model::Record> records(3000);
  for (auto& record : records) {
    record.value = std::string(random() % 400, '\0');
    for (char& c : *record.value) c = static_cast<char>(random() % 7);
  }
  for (Compression compression : kAll) {
    auto batch = encode_batch(records, {.compression = compression});
    ASSERT_TRUE(batch);
    auto decoded = decode(*batch);
    ASSERT_TRUE(decoded) << decoded.error().message;
    for (size_t i = 0; i < records.size(); ++i) ASSERT_EQ(decoded->records[i].value, records[i].value);
  }
}

TEST(RecordBatch, GoldenBytes) {
  std::vector<model::Record> records = {{"k", "v", {{"h", "x"}}, 1}};
  auto batch = encode_batch(records, {.base_offset = model::Offset(3)});
  ASSERT_TRUE(batch);
  EXPECT_EQ(to_hex(*batch).substr(0, 2 * 17), "00000000000000030000003e0000000002");
  EXPECT_EQ(to_hex(*batch).substr(2 * 21),
            "0000"
            "00000000"
            "0000000000000001"
            "0000000000000001"
            "ffffffffffffffff"
            "ffff"
            "ffffffff"
            "00000001"
            "18"
            "00"
            "00"
            "00"
            "026b"
            "0276"
            "02"
            "0268"
            "0278");
}

TEST(RecordBatch, AnEmptyBatchIsRefused) { EXPECT_EQ(encode_batch({}, {}).error().code, Errc::kInvalidArgument); }

TEST(RecordBatch, EveryCutIsToldFromCorruption) {
  auto batch = encode_batch(sample(), {.compression = Compression::kLz4});
  ASSERT_TRUE(batch);
  for (size_t size = 0; size < batch->size(); ++size) {
    auto header = read_header(std::string_view(*batch).substr(0, size));
    ASSERT_FALSE(header);
    EXPECT_EQ(header.error().code, Errc::kOutOfRange) << size;
  }
  EXPECT_TRUE(read_header(*batch + "the next one"));
}

TEST(RecordBatch, HeadersThatCannotBeRight) {
  auto batch = encode_batch(sample(), {});
  ASSERT_TRUE(batch);
  auto broken = [&](size_t at, auto value) {
    std::string copy = *batch;
    store_be(copy.data() + at, value);
    auto header = read_header(copy);
    return !header && header.error().code == Errc::kCorruption;
  };
  EXPECT_TRUE(broken(0, int64_t{-1}));
  EXPECT_TRUE(broken(0, std::numeric_limits<int64_t>::max()));
  EXPECT_TRUE(broken(8, int32_t{-1}));
  EXPECT_TRUE(broken(8, int32_t{48}));
  EXPECT_TRUE(broken(16, int8_t{1}));
  EXPECT_TRUE(broken(21, int16_t{5}));
  EXPECT_TRUE(broken(23, int32_t{-1}));
  EXPECT_TRUE(broken(57, int32_t{-1}));
  EXPECT_EQ(read_header(std::string(100, '\0')).error().code, Errc::kCorruption);
}

TEST(RecordBatch, EveryFlippedBitBehindTheCrcIsFound) {
  std::vector<model::Record> records = {{"key", "value", {}, 1}};
  auto batch = encode_batch(records, {});
  ASSERT_TRUE(batch);
  auto header = read_header(*batch);
  ASSERT_TRUE(header);
  for (size_t bit = 8 * 17; bit < 8 * batch->size(); ++bit) {
    std::string copy = *batch;
    copy[bit / 8] = static_cast<char>(copy[bit / 8] ^ (1 << (bit % 8)));
    BatchHeader seen = *header;
    seen.crc = load_be<uint32_t>(copy.data() + 17);
    EXPECT_FALSE(check_crc(seen, copy)) << bit;
  }
  EXPECT_FALSE(check_crc(*header, *batch + "x"));
}

TEST(RecordBatch, SetBaseOffsetKeepsTheCrc) {
  auto batch = encode_batch(sample(), {});
  ASSERT_TRUE(batch);
  set_base_offset(batch->data(), model::Offset(123456), 9);
  auto header = read_header(*batch);
  ASSERT_TRUE(header);
  EXPECT_EQ(header->base_offset, model::Offset(123456));
  EXPECT_EQ(header->leader_epoch, 9);
  EXPECT_TRUE(check_crc(*header, *batch));
}

TEST(RecordBatch, LogAppendTimeAndControl) {
  std::string record("\x0c\0\0\0\x01\x01\0", 7);
  auto appended = decode(wrap(record, 1, 0, 0x08));
  ASSERT_TRUE(appended) << appended.error().message;
  EXPECT_EQ(appended->records[0].timestamp_ms, 9000);
  EXPECT_FALSE(appended->records[0].key);
  auto control = decode(wrap(record, 1, 0, 0x20));
  ASSERT_TRUE(control);
  EXPECT_TRUE(control->records.empty());
  auto emptied = decode(wrap("", 0, 10, 2));
  ASSERT_TRUE(emptied);
  EXPECT_TRUE(emptied->records.empty());
}

TEST(RecordBatch, OffsetsMayHaveGapsButMustRise) {
  auto record = [](char offset_delta) { return std::string("\x0c\0\0", 3) + offset_delta + std::string("\x01\x01\0", 3); };
  auto gaps = decode(wrap(record(2) + record(10), 2, 7));
  ASSERT_TRUE(gaps) << gaps.error().message;
  EXPECT_EQ(gaps->records[1].offset, model::Offset(5));
  EXPECT_FALSE(decode(wrap(record(10) + record(2), 2, 7)));
  EXPECT_FALSE(decode(wrap(record(2) + record(2), 2, 7)));
  EXPECT_FALSE(decode(wrap(record(16), 1, 7)));
  EXPECT_FALSE(decode(wrap(record(1), 1, 7)));  // -1
}

TEST(RecordBatch, WrongRecordsLeaveTheOutputAlone) {
  const std::string good("\x0c\0\0\0\x01\x01\0", 7);
  const std::string wrong[] = {
      std::string("\x0b\0\0\0\x01\x01\0", 7),            // negative length
      std::string("\x0e\0\0\0\x01\x01\0", 7),            // length passes the end
      std::string("\x0a\0\0\0\x01\x01\0", 7),            // a byte too many behind the last record
      std::string("\x0c\0\0\0\x03\x01\0", 7),            // key length -2
      std::string("\x0c\0\0\0\x08\x01\0", 7),            // key passes the end
      std::string("\x0c\0\0\0\x01\x01\x01", 7),          // header count -1
      std::string("\x0c\0\0\0\x01\x01\x02", 7),          // a header that is not there
      std::string("\x10\0\0\0\x01\x01\x02\x01\x01", 9),  // header key null
      std::string("\x10\0\0\0\x01\x01\0zz", 9),          // bytes behind the headers
      std::string("\x0c\0\xff\xff\xff\xff\xff", 7),      // a number without end
      good + "x",
  };
  for (const auto& body : wrong) {
    std::string batch = wrap(body, 1, 0);
    auto header = read_header(batch);
    ASSERT_TRUE(header);
    std::vector<model::RecordView> out(3);
    std::vector<std::shared_ptr<const void>> owners;
    auto status = decode_records(*header, batch, {}, out, owners);
    ASSERT_FALSE(status) << to_hex(body);
    EXPECT_EQ(status.error().code, Errc::kCorruption);
    EXPECT_EQ(out.size(), 3);
    EXPECT_TRUE(owners.empty());
  }
  EXPECT_FALSE(decode(wrap(good, 2, 1)));                    // fewer than told
  EXPECT_FALSE(decode(wrap(good, 0x7fffffff, 0x7ffffffe)));  // no memory is taken for what cannot be there
}

TEST(RecordBatch, HeadersAlone) {
  EXPECT_TRUE(decode_headers(std::string_view("\0", 1))->empty());
  EXPECT_FALSE(decode_headers(""));
  EXPECT_FALSE(decode_headers("\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01"));
}

TEST(Varint, RoundTripAndBounds) {
  std::vector<int64_t> numbers = {
      0, -1, 63, -64, 64, -65, 8191, 8192, std::numeric_limits<int64_t>::max(), std::numeric_limits<int64_t>::min()};
  for (int shift = 0; shift < 63; ++shift) numbers.push_back(int64_t{1} << shift);
  for (int64_t number : numbers) {
    char bytes[10];
    auto size = static_cast<size_t>(put_varint(bytes, number) - bytes);
    EXPECT_EQ(size, varint_size(number));
    int64_t back = 0;
    EXPECT_EQ(read_varint(bytes, bytes + size, back), bytes + size);
    EXPECT_EQ(back, number);
    EXPECT_EQ(read_varint(bytes, bytes + size - 1, back), nullptr);
  }
}

TEST(Partitioner, KafkasVectors) {
  EXPECT_EQ(murmur2("21"), -973932308);
  EXPECT_EQ(murmur2("foobar"), -790332482);
  EXPECT_EQ(murmur2("a-little-bit-long-string"), -985981536);
  EXPECT_EQ(murmur2("a-little-bit-longer-string"), -1486304829);
  EXPECT_EQ(murmur2("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8"), -58897971);
  EXPECT_EQ(murmur2("abc"), 479470107);
  EXPECT_EQ(partition_of_key("abc", 12), 479470107 % 12);
  EXPECT_EQ(partition_of_key("21", 7), (-973932308 & 0x7fffffff) % 7);
}

}  // namespace
}  // namespace millrace::codec::kafka_record
