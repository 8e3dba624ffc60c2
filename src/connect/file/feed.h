#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "connect/file/feed_position.h"
#include "connect/file/parquet.h"
#include "connect/file/rows.h"
#include "env/env.h"
#include "format/json_path.h"
#include "port/feed.h"

namespace millrace::connect::file {

struct FileFeedOptions {
  /// Absolute. The last name may hold `*` and `?`, which stand for any characters.
  std::string path;
  Format format = Format::kJson;
  /// Files may grow: a last line without an end waits for it. Else a file is read once, whole as it is found.
  bool follow = true;
  std::string key;  // JSONPath in a record; empty: no key
  Duration interval = std::chrono::seconds(1);
  std::string scratch;  // directory for rows on their way out of Parquet
  size_t poll_records_max = 10'000;
  size_t poll_bytes_max = 8 << 20;
  size_t line_bytes_max = 16 << 20;
};

struct FileFeedCounters {
  uint64_t records = 0;
  uint64_t bytes = 0;                // of records
  uint64_t lines_too_long = 0;       // left out
  uint64_t records_without_key = 0;  // `key` matched nothing: the record goes on with a null key
};

/// Records from files of one directory, files in the order of their names. JSON: every line that is not empty. CSV: a JSON object
/// of texts for each row, named by the header; a row that does not fit the header goes on as it stands. Parquet: a JSON object
/// for each row once the file is whole, blobs base64 (within lists and structs as DuckDB writes them).
///
/// Its position (feed_position.h) survives restarts, files that are renamed within the directory, and files that are cut, which
/// are read from their start. Errors are in the result: kNotFound (the directory, or the one file), kResourceExhausted (a line
/// above the limit, with `file:line`: it is left out; more than kFilesMax files), what the file system says of one file.
/// Threading: one thread; `counters` from any.
class FileFeed : public port::Feed {
 public:
  /// `run_sql` is used for Parquet only. `files` outlives the feed. Errors: kInvalidArgument (path, key).
  static Result<std::unique_ptr<FileFeed>> create(FileFeedOptions options, env::FileSystem& files, RunSql run_sql);

  Polled poll(std::stop_token stop) override;
  /// Also later, to go back to what is durable when the records of a poll were not taken.
  Status resume(const std::string& position) override;
  FileFeedCounters counters() const;

 private:
  FileFeed(FileFeedOptions options, env::FileSystem& files, RunSql run_sql, std::optional<format::JsonPath> key);

  Status look();
  Result<SeenFile> see(const std::string& name, bool wanted);
  bool has_room(const Polled& out) const;
  Status read(KnownFile& file, Polled& out);
  Status read_text(KnownFile& file, env::File& open, Polled& out);
  Result<bool> read_chunk(KnownFile& file, env::File& open, uint64_t size, Polled& out);
  Result<bool> skip_line(KnownFile& file, env::File& open, uint64_t size);
  Result<std::string> bytes_at(env::File& open, uint64_t offset, uint64_t count);
  Status read_header(KnownFile& file, env::File& open, uint64_t size);
  Status read_parquet(KnownFile& file, env::File& open, Polled& out);
  Result<std::string> parquet_columns(const std::string& path);
  Result<std::string> run_to_lines(const std::string& sql);
  void take_text(std::string_view line, Polled& out);
  void take(std::string value, Polled& out);
  std::string path_of(const KnownFile& file) const { return directory_ + "/" + file.name; }
  std::string scratch_path() const { return options_.scratch + "/rows.jsonl"; }

  const FileFeedOptions options_;
  env::FileSystem& files_;
  const RunSql run_sql_;
  const std::optional<format::JsonPath> key_;
  std::string directory_;
  std::string pattern_;

  std::vector<KnownFile> known_;
  size_t taken_bytes_ = 0;           // by this poll
  std::vector<std::string> header_;  // of the CSV file that is being read
  size_t parquet_rows_ = 10'000;     // in one piece; fewer once rows turn out to be large

  mutable Mutex mutex_;
  FileFeedCounters counters_ GUARDED_BY(mutex_);
};

}  // namespace millrace::connect::file
