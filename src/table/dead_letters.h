#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "model/ids.h"
#include "store/store.h"

/// Records that a query could not use, with their bytes, so that they can be replayed after a fix.
namespace millrace::table {

/// What makes a dead letter one and the same over replays of its epoch.
struct DeadLetterKey {
  std::string query;
  model::TopicId topic_id;
  int32_t partition = 0;
  int64_t offset = 0;
  uint32_t ordinal = 0;  // of the output row among those of its record

  friend bool operator==(const DeadLetterKey&, const DeadLetterKey&) = default;
};

struct DeadLetter : DeadLetterKey {
  std::string topic;
  std::string stage;  // decode, contract, sql, sink …
  std::string code;
  std::string message;
  Instant timestamp{};   // of the record
  uint64_t version = 0;  // write version that its row would have had, microseconds
  std::optional<std::string> key;
  std::optional<std::string> value;

  /// kInvalidArgument when partition or offset is negative: such a letter could not be found again.
  Status add_to(store::Batch& batch) const;
  Status erase_from(store::Batch& batch) const;

  friend bool operator==(const DeadLetter&, const DeadLetter&) = default;
};

/// `query/topic id as 32 hexadecimal digits/partition/offset/ordinal`, and back. kInvalidArgument when it is not of that form.
std::string dead_letter_id(const DeadLetterKey& key);
Result<DeadLetterKey> parse_dead_letter_id(std::string_view id);

/// Null when there is none.
Result<std::optional<DeadLetter>> find_dead_letter(store::Store& store, const DeadLetterKey& key,
                                                   const store::Snapshot* snapshot = nullptr);

/// Walks the dead letters of one query (of all when `query` is empty) in the order of (query, topic id, partition, offset,
/// ordinal).
class DeadLetterScan {
 public:
  DeadLetterScan(store::Store& store, std::string_view query, const store::Snapshot* snapshot = nullptr);
  /// Null at the end. Errors: kCorruption, kIo.
  Result<std::optional<DeadLetter>> next();

 private:
  std::unique_ptr<store::Cursor> cursor_;
};

/// The stored form, for tests and fuzzing. nullopt when the bytes are not one.
std::string encode_dead_letter_key(const DeadLetterKey& key);
std::string encode_dead_letter_value(const DeadLetter& letter);
std::optional<DeadLetter> decode_dead_letter(std::string_view key, std::string_view value);

}  // namespace millrace::table
