#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "env/env.h"

/// One ordered key-value store for everything that must change together: rows, positions, dead letters, catalog.
/// RocksDB lives behind this header and nowhere else.
namespace millrace::store {

/// The key spaces. Numbers and names are part of the on-disk format.
enum class Space : uint8_t {
  kMeta = 0,   // catalog, query positions, counters
  kRows = 1,   // table rows (room `table` owns keys and values)
  kDead = 2,   // dead letters
  kState = 3,  // operator state of queries
};
inline constexpr size_t kSpaceCount = 4;

/// The on-disk format that this program writes (docs/formats/store.md); the file FORMAT in the store's directory holds the
/// number.
inline constexpr uint32_t kFormat = 1;

enum class Durability {
  kLog,   // survives the process; after power loss a suffix may be gone and is derived again from the topic
  kSync,  // survives power loss: one fsync serves every waiting commit
};

/// Changes that become visible and durable together or not at all. Threading: one thread.
class Batch {
 public:
  Batch();
  ~Batch();
  Batch(Batch&&) noexcept;
  Batch& operator=(Batch&&) noexcept;

  // A later change of a key wins over an earlier one, also within a range.
  void put(Space space, std::string_view key, std::string_view value);
  void erase(Space space, std::string_view key);
  /// Every key in [from, to).
  void erase_range(Space space, std::string_view from, std::string_view to);
  /// Many puts at once: keys strictly ascending, disjoint from the other changes of this batch; the strings stay alive until
  /// commit. Above a size threshold the store ingests the whole batch as sorted files instead of writing it twice.
  struct Entry {
    std::string_view key;
    std::string_view value;
  };
  void put_sorted(Space space, std::vector<Entry> entries);

  bool empty() const;
  size_t bytes() const;

  /// The changes as bytes, to be kept and committed later; not for a batch with put_sorted. decode: kCorruption.
  std::string encode() const;
  static Result<Batch> decode(std::string_view bytes);

  struct Parts;  // for the store

 private:
  friend class Store;
  std::unique_ptr<Parts> parts_;
};

/// A frozen view. Must not outlive the store.
class Snapshot {
 public:
  virtual ~Snapshot() = default;
};

/// Walks keys in ascending byte order within [from, to). Key and value are valid until next().
class Cursor {
 public:
  virtual ~Cursor() = default;
  virtual bool valid() const = 0;
  virtual std::string_view key() const = 0;
  virtual std::string_view value() const = 0;
  virtual void next() = 0;
  /// Why the walk ended early (kCorruption, kIo), or ok.
  virtual Status status() const = 0;
};

struct Options {
  std::string path;
  bool read_only = false;
  /// 0: a thirty-second of the memory, from 32 to 512 MiB.
  size_t block_cache_bytes = 0;
  /// Of one key space; all of them together take at most twice as much.
  size_t write_buffer_bytes = 32 << 20;
  /// A batch with at least so many sorted rows, or so many bytes of them, is ingested as sorted files.
  size_t ingest_rows_min = 20'000;
  size_t ingest_bytes_min = 16 << 20;
  /// Asked during compaction whether a row of Space::kRows is dead (expired, or an old tombstone).
  std::function<bool(std::string_view key, std::string_view value)> row_is_dead;
};

/// Threading: safe from any thread. Errors: kIo, kCorruption (with the file), kDiskFull (reads go on).
class Store {
 public:
  /// Opens or creates. kFailedPrecondition when the format on disk is newer than ours; nothing is written then.
  static Result<std::unique_ptr<Store>> open(const Options& options);
  virtual ~Store() = default;

  /// One atomic change. When it returns, readers see all of it.
  virtual Status commit(Batch batch, Durability durability) = 0;
  /// Null when the key is absent.
  virtual Result<std::optional<std::string>> get(Space space, std::string_view key, const Snapshot* snapshot = nullptr) = 0;
  /// Many keys at once, which is cheaper than one by one, most of all when they ascend. Calls `found(i, value)` for each key that
  /// is there, in order; the value is valid during the call.
  virtual Status get_many(Space space, std::span<const std::string_view> keys,
                          const std::function<void(size_t, std::string_view)>& found, const Snapshot* snapshot = nullptr) = 0;
  virtual std::unique_ptr<Snapshot> snapshot() = 0;
  /// `to` empty: to the end of the space.
  virtual std::unique_ptr<Cursor> scan(Space space, std::string_view from, std::string_view to,
                                       const Snapshot* snapshot = nullptr) = 0;
  /// What was committed before this call survives power loss.
  virtual Status sync() = 0;
  /// A store of its own in the directory `path`, which must not exist, with everything that was committed before this call and
  /// whole commits of what comes meanwhile. Made of hard links where the file system has them; not synced.
  virtual Status checkpoint(const std::string& path) = 0;
  /// Waits until compaction has nothing to do (benchmarks and tests).
  virtual Status settle() = 0;
  /// Moves what only the write-ahead log holds into sorted files, and ends; nothing else may be called then. Without it the next
  /// open reads the log. Errors: kIo, kDiskFull; what was committed is as safe as before.
  virtual Status close() = 0;
  virtual uint64_t bytes_on_disk() = 0;

 protected:
  static Batch::Parts* parts(Batch& batch) { return batch.parts_.get(); }
};

}  // namespace millrace::store
