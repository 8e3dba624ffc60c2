#include "stream/exec/attempts.h"

#include <algorithm>
#include <cstring>

#include "base/bytes.h"
#include "codec/kafka_record/record_batch.h"

namespace millrace::stream {
namespace {

// The page: 1 byte that a crash sets, 7 unused, 4 bytes of length, 4 of CRC-32C, the attempt. All zeros: nothing is under way.
constexpr size_t kHead = 16;
constexpr size_t kRangeBytesMax = 30;
constexpr size_t kRangesMax = (env::CrashPage::kBytes - 256) / kRangeBytesMax;

bool overlap(const RecordRange& a, const RecordRange& b) {
  return a.partition == b.partition && a.first < b.next && b.first < a.next;
}

bool overlap(const std::vector<RecordRange>& some, const std::vector<RecordRange>& others) {
  return std::any_of(some.begin(), some.end(), [&](const RecordRange& a) {
    return std::any_of(others.begin(), others.end(), [&](const RecordRange& b) { return overlap(a, b); });
  });
}

void append_range(std::string& out, const RecordRange& range) {
  append_varint(out, static_cast<uint64_t>(range.partition));
  append_varint(out, static_cast<uint64_t>(range.first));
  append_varint(out, static_cast<uint64_t>(range.next));
}

RecordRange read_range(ByteReader& in) {
  RecordRange range;
  range.partition = static_cast<int32_t>(in.varint());
  range.first = static_cast<int64_t>(in.varint());
  range.next = static_cast<int64_t>(in.varint());
  return range;
}

}  // namespace

std::string encode_attempt(const Attempt& attempt) {
  std::string out(reinterpret_cast<const char*>(attempt.topic_id.bytes.data()), attempt.topic_id.bytes.size());
  append_varint(out, attempt.strikes);
  append_varint(out, attempt.alone ? 1 : 0);
  if (attempt.alone) append_range(out, *attempt.alone);
  size_t count = std::min(attempt.ranges.size(), kRangesMax);
  append_varint(out, count);
  for (size_t i = 0; i < count; ++i) append_range(out, attempt.ranges[i]);
  return out;
}

std::optional<Attempt> decode_attempt(std::string_view bytes) {
  ByteReader in(bytes);
  Attempt attempt;
  std::string_view id = in.bytes(attempt.topic_id.bytes.size());
  if (id.size() == attempt.topic_id.bytes.size()) std::memcpy(attempt.topic_id.bytes.data(), id.data(), id.size());
  attempt.strikes = static_cast<uint32_t>(in.varint());
  if (in.varint() == 1) attempt.alone = read_range(in);
  uint64_t count = in.varint();
  for (uint64_t i = 0; in.ok() && i < count && i < kRangesMax; ++i) attempt.ranges.push_back(read_range(in));
  if (!in.ok() || !in.empty()) return std::nullopt;
  return attempt;
}

Result<std::unique_ptr<Attempts>> Attempts::open(const std::string& path, const model::TopicId& topic) {
  TRY(auto page, env::CrashPage::open(path));
  std::unique_ptr<Attempts> attempts(new Attempts(std::move(page), topic));
  std::span<char> bytes = attempts->page_->bytes();
  uint32_t size = 0, crc = 0;
  std::memcpy(&size, bytes.data() + 8, sizeof size);
  std::memcpy(&crc, bytes.data() + 12, sizeof crc);
  std::string_view noted(bytes.data() + kHead, std::min<size_t>(size, bytes.size() - kHead));
  std::optional<Attempt> left = codec::kafka_record::crc32c(noted) == crc ? decode_attempt(noted) : std::nullopt;
  // A topic that was made anew has other records at these offsets.
  if (left && left->topic_id == topic) {
    attempts->left_ = std::move(*left);
    attempts->left_.strikes += bytes[0] != 0 ? kStrikesOfCrash : 1;
  }
  attempts->end();
  return attempts;
}

bool Attempts::suspects(const std::vector<RecordRange>& ranges) const {
  return (left_.alone || left_.strikes >= kStrikesMax) && overlap(left_.ranges, ranges);
}

bool Attempts::condemns(int32_t partition, int64_t offset) const {
  return left_.alone && left_.alone->holds(partition, offset) && left_.strikes >= kStrikesMax;
}

void Attempts::begin(const std::vector<RecordRange>& ranges) {
  Attempt attempt{topic_, ranges, {}, 0};
  if (!left_.alone && overlap(left_.ranges, ranges)) attempt.strikes = left_.strikes;
  note(attempt);
}

void Attempts::begin_alone(int32_t partition, int64_t offset) {
  Attempt attempt{topic_, left_.ranges, RecordRange{partition, offset, offset + 1}, 0};
  if (left_.alone && left_.alone->holds(partition, offset)) attempt.strikes = left_.strikes;
  note(attempt);
}

void Attempts::note(const Attempt& attempt) {
  end();
  std::string noted = encode_attempt(attempt);
  auto size = static_cast<uint32_t>(noted.size());
  uint32_t crc = codec::kafka_record::crc32c(noted);
  char* bytes = page_->bytes().data();
  std::memcpy(bytes + kHead, noted.data(), noted.size());
  std::memcpy(bytes + 12, &crc, sizeof crc);
  std::memcpy(bytes + 8, &size, sizeof size);
}

void Attempts::end() { std::memset(page_->bytes().data(), 0, kHead); }

}  // namespace millrace::stream
