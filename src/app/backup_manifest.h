#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "format/json_doc.h"
#include "model/ids.h"

namespace millrace::app {

/// What a backup holds: the point it stands for, and every file. Stored as `backup.manifest` (docs/formats/backup.md).
struct BackupManifest {
  struct Range {
    model::Offset start;
    model::Offset end;
    friend bool operator==(const Range&, const Range&) = default;
  };
  struct Topic {
    std::string name;
    model::TopicId id;
    std::vector<Range> partitions;
    friend bool operator==(const Topic&, const Topic&) = default;
  };
  struct Query {
    std::string name;
    std::string topic;
    std::vector<model::Offset> next;  // by partition: what it reads next
    friend bool operator==(const Query&, const Query&) = default;
  };
  struct File {
    std::string name;  // relative to the data directory
    uint64_t bytes = 0;
    uint32_t crc = 0;  // CRC-32C
    friend bool operator==(const File&, const File&) = default;
  };

  std::string version;  // of the program that made it
  /// What was acknowledged before this moment is in the backup.
  Instant taken_at;
  std::vector<Topic> topics;
  std::vector<Query> queries;
  std::vector<File> files;  // by name

  uint64_t bytes() const;
  friend bool operator==(const BackupManifest&, const BackupManifest&) = default;
};

inline constexpr size_t kBackupManifestBytesMax = 256 << 20;

/// The point as users see it: `{taken_at, version, topics: [{topic, partition, start_offset, end_offset}],
/// queries: [{query, topic, next_offsets}], files, bytes}`.
format::Json point_json(const BackupManifest& manifest);

/// Format 1.
std::string encode_manifest(const BackupManifest& manifest);
/// Errors: kCorruption (not whole, or not ours), kFailedPrecondition (a newer format). A name in it leads nowhere but into the
/// data directory, and none stands twice.
Result<BackupManifest> decode_manifest(std::string_view text);

}  // namespace millrace::app
