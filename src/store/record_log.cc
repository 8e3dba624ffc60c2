#include "store/record_log.h"

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/check.h"
#include "store/rocks.h"

namespace millrace::store {
namespace {

constexpr size_t kHeaderBytes = 7;
enum Type : uint8_t { kFull = 1, kFirst = 2, kMiddle = 3, kLast = 4 };

// A checksum of bytes that hold checksums is weak, so RocksDB stores it rotated and shifted.
uint32_t mask(uint32_t crc) { return ((crc >> 15) | (crc << 17)) + 0xa282ead8U; }

bool is_zero(std::string_view bytes) { return bytes.find_first_not_of('\0') == std::string_view::npos; }

}  // namespace

RecordLogScanner::Fragment RecordLogScanner::read_fragment(std::string_view block, size_t position) {
  std::string_view rest = block.substr(position);
  if (rest.size() < kHeaderBytes) return {0, 0, "the file ends within a record's header"};
  Fragment fragment;
  fragment.type = static_cast<uint8_t>(rest[6]);
  fragment.bytes = kHeaderBytes + load_le<uint16_t>(rest.data() + 4);
  if (fragment.type < kFull || fragment.type > kLast) {
    fragment.fault = fmt::format("there is no record of type {}", fragment.type);
  } else if (fragment.bytes > rest.size()) {
    fragment.fault = "the record ends behind its block or the file";
  } else if (mask(crc32c(rest.substr(6, fragment.bytes - 6))) != load_le<uint32_t>(rest.data())) {
    fragment.fault = "the record's checksum is wrong";
  }
  return fragment;
}

std::optional<size_t> RecordLogScanner::find_whole(std::string_view block, size_t position) {
  for (; position + kHeaderBytes <= block.size(); ++position) {
    if (read_fragment(block, position).fault.empty()) return position;
  }
  return std::nullopt;
}

void RecordLogScanner::feed(std::string_view block) {
  CHECK(block.size() <= kRecordBlockBytes && block_begin_ % kRecordBlockBytes == 0, "blocks are whole but for the last");
  if (!scan_.broken) {
    walk(block);
  } else if (!scan_.broken->whole_behind && block.size() >= kHeaderBytes && read_fragment(block, 0).fault.empty()) {
    // A block begins with a fragment, whatever was before it.
    scan_.broken->whole_behind = block_begin_;
  }
  block_begin_ += block.size();
}

void RecordLogScanner::walk(std::string_view block) {
  size_t position = 0;
  while (position < block.size()) {
    bool padding = block.size() == kRecordBlockBytes && block.size() - position < kHeaderBytes;
    if (padding) {
      if (!is_zero(block.substr(position))) break_at(block, position, "there are bytes between two records");
      return;
    }
    Fragment fragment = read_fragment(block, position);
    if (!fragment.fault.empty()) return break_at(block, position, std::move(fragment.fault));
    bool begins = fragment.type == kFull || fragment.type == kFirst;
    if (begins == open_record_.has_value())
      return break_at(block, position, begins ? "the record before has no end" : "the record has no beginning");
    if (begins) open_record_ = block_begin_ + position;
    position += fragment.bytes;
    if (fragment.type == kMiddle || fragment.type == kFirst) continue;
    open_record_.reset();
    ++scan_.records;
    scan_.whole_bytes = block_begin_ + position;
  }
}

void RecordLogScanner::break_at(std::string_view block, size_t position, std::string what) {
  scan_.broken = {block_begin_ + position, std::move(what), std::nullopt};
  // Whole, but out of place, counts as well.
  if (auto found = find_whole(block, position)) scan_.broken->whole_behind = block_begin_ + *found;
}

RecordLogScan RecordLogScanner::end() {
  if (!scan_.broken && open_record_) scan_.broken = {*open_record_, "the file ends within a record", std::nullopt};
  return std::move(scan_);
}

}  // namespace millrace::store
