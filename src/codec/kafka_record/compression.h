#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "codec/kafka_record/record_batch.h"

/// The record part of a batch, packed and unpacked as Kafka's clients do it.
namespace millrace::codec::kafka_record {

/// Bytes that may be read behind the end of an Unpacked (simdjson reads ahead).
inline constexpr size_t kReadAheadBytes = 64;

/// Memory that grows without being zeroed, up to a limit.
class Unpacked {
 public:
  /// One byte above the limit is room still: a decoder that filled the rest can then say that it is at the end.
  explicit Unpacked(size_t limit) : limit_(limit) {}

  /// Makes room for `more` bytes behind what is there. kResourceExhausted above the limit, or without memory.
  Status make_room(size_t more);
  /// Room for at least one byte more, as much as is sensible.
  Status make_some_room();
  char* end() { return data_.get() + size_; }
  size_t room() const { return capacity_ - size_; }
  void grow(size_t written) { size_ += written; }
  Status check_limit() const;
  std::string_view view() const { return {data_.get(), size_}; }
  /// Zeroes the bytes read ahead, so that nobody reads what was never written.
  void finish();

 private:
  struct Free {
    void operator()(char* p) const { std::free(p); }
  };
  std::unique_ptr<char, Free> data_;
  size_t size_ = 0;
  size_t capacity_ = 0;
  size_t limit_;
};

/// Appends `body` packed to `out`. Errors: kResourceExhausted.
Status compress(Compression compression, std::string_view body, std::string& out);

/// Errors: kCorruption (not what the codec writes, cut short), kResourceExhausted (more than out's limit).
Status decompress(Compression compression, std::string_view packed, Unpacked& out);

}  // namespace millrace::codec::kafka_record
