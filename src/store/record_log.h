#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// RocksDB's record log: the framing of its write-ahead logs and of its manifest (RocksDB wiki, "Write Ahead Log File Format").
///
/// Blocks of 32 KiB. A fragment is a masked CRC-32C u32 of type and payload, a payload size u16, a type u8 (1 full, 2 first, 3
/// middle, 4 last), the payload; all little-endian. No fragment spans two blocks; fewer than 7 bytes at the end of a block are
/// zeros. The other types belong to recycled and compressed logs, which we do not write.
namespace millrace::store {

inline constexpr size_t kRecordBlockBytes = 32 << 10;

struct RecordLogScan {
  struct Break {
    uint64_t position;  // of the fragment that is not whole
    std::string what;
    std::optional<uint64_t> whole_behind;  // where the next whole fragment is
  };
  uint64_t records = 0;
  uint64_t whole_bytes = 0;  // up to the end of the last record before the break
  std::optional<Break> broken;

  /// An append that was interrupted leaves nothing whole behind it; what has whole fragments behind it was whole once.
  bool is_damaged() const { return broken && broken->whole_behind; }
};

/// Walks a record log block by block. Pure: bytes in, verdict out. Threading: one thread.
class RecordLogScanner {
 public:
  /// The next block; only the last one may be shorter than kRecordBlockBytes.
  void feed(std::string_view block);
  RecordLogScan end();

 private:
  struct Fragment {
    uint8_t type = 0;
    size_t bytes = 0;   // with its header
    std::string fault;  // empty: it is whole
  };
  static Fragment read_fragment(std::string_view block, size_t position);
  /// The first whole fragment at or behind `position`.
  static std::optional<size_t> find_whole(std::string_view block, size_t position);
  void walk(std::string_view block);
  void break_at(std::string_view block, size_t position, std::string what);

  RecordLogScan scan_;
  uint64_t block_begin_ = 0;
  std::optional<uint64_t> open_record_;  // where a record begins whose last fragment has not come
};

}  // namespace millrace::store
