#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "format/avro_schema.h"

namespace millrace::format {

/// Why bytes are not a row. The words of avro_fault_name() are the codes of dead letters; those that JSON has too are the same.
enum class AvroFault : uint8_t {
  kNone,
  kNotAvro,    // cut off, bytes behind the end, or a length, count, branch or symbol that cannot be
  kNotUtf8,    // a string that is not UTF-8
  kTooDeep,    // nests deeper than kAvroDepthMax
  kTooLarge,   // too many values that take no bytes
  kNotObject,  // not a record
  kType,       // a value of another kind than its column
  kRange,      // the right kind, but it does not fit
};
std::string_view avro_fault_name(AvroFault fault);

/// Reads Avro's binary encoding front to back and never past its end; every `take` that fails returns false.
class AvroInput {
 public:
  explicit AvroInput(std::string_view bytes) : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  bool done() const { return at_ == end_; }
  size_t left() const { return static_cast<size_t>(end_ - at_); }

  bool take_long(int64_t& out) {
    if (at_ != end_ && static_cast<uint8_t>(*at_) < 0x80) {
      auto byte = static_cast<uint8_t>(*at_++);
      out = (byte >> 1) ^ -(byte & 1);
      return true;
    }
    return take_wide(out);
  }
  bool take_int(int32_t& out) {
    int64_t wide = 0;
    if (!take_long(wide) || wide != static_cast<int32_t>(wide)) return false;
    out = static_cast<int32_t>(wide);
    return true;
  }
  bool take_bytes(uint64_t size, std::string_view& out) {
    if (size > left()) return false;
    out = {at_, size};
    at_ += size;
    return true;
  }
  /// A length, then so many bytes.
  bool take_sized(std::string_view& out) {
    int64_t size = 0;
    return take_long(size) && size >= 0 && take_bytes(static_cast<uint64_t>(size), out);
  }
  bool take_boolean(bool& out) {
    if (at_ == end_ || static_cast<uint8_t>(*at_) > 1) return false;
    out = *at_++ != 0;
    return true;
  }
  template <class T>
  bool take_float(T& out) {
    std::string_view bytes;
    if (!take_bytes(sizeof(T), bytes)) return false;
    std::memcpy(&out, bytes.data(), sizeof(T));  // little-endian, as this machine is
    return true;
  }
  /// A number below `count`: the branch of a union, the symbol of an enum.
  bool take_choice(size_t count, size_t& out) {
    int64_t wide = 0;
    if (!take_long(wide) || wide < 0 || static_cast<uint64_t>(wide) >= count) return false;
    out = static_cast<size_t>(wide);
    return true;
  }

  struct Block {
    uint64_t count = 0;  // 0: there are no more
    bool has_bytes = false;
    uint64_t bytes = 0;  // of the whole block, when `has_bytes`
    size_t left = 0;     // of the input, behind the head
  };
  /// The head of the next block of an array or map whose items take a byte at least, or none (`empty_items`).
  bool take_block(bool empty_items, Block& out) {
    int64_t count = 0, bytes = 0;
    if (!take_long(count)) return false;
    out = {};
    if (count < 0) {
      if (count == INT64_MIN || !take_long(bytes) || bytes < 0 || static_cast<uint64_t>(bytes) > left()) return false;
      count = -count;
      out.has_bytes = true;
      out.bytes = static_cast<uint64_t>(bytes);
    }
    out.count = static_cast<uint64_t>(count);
    out.left = left();
    return empty_items || out.count <= left();
  }
  /// Whether the items took what the block's head says.
  bool ends(const Block& block) const { return !block.has_bytes || block.left - left() == block.bytes; }

 private:
  bool take_wide(int64_t& out);

  const char* at_;
  const char* end_;
};

/// What may still be spent on one record's values that take no bytes: a count of theirs costs its writer nothing.
struct AvroBudget {
  size_t empty_values = 0;
  bool take() { return empty_values > 0 && empty_values-- > 0; }
};

/// Takes one value and gives nothing of it.
AvroFault skip_avro(const AvroSchema& schema, uint32_t node, AvroInput& in, int depth = 0);
/// Takes one value and appends it as JSON, in the forms of json_write.h; enums are strings, maps objects, unions the bare value.
AvroFault append_avro_json(const AvroSchema& schema, uint32_t node, AvroInput& in, std::string& out, AvroBudget& budget,
                           int depth = 0);
/// A number of two's complement, most significant byte first; false when it has more than 127 bits.
bool read_avro_decimal(std::string_view bytes, __int128& out);
/// The value of a date or time as its column has it: microseconds. False when it is out of their range.
bool scale_avro_time(AvroLogical logical, int64_t value, int64_t& micros);

}  // namespace millrace::format
