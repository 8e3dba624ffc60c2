#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/time.h"
#include "project/fault.h"

/// A pipeline file that was read and found sound: plain values, named as in the file. docs/pipeline-file.md explains each key.
namespace millrace::project {

/// A value that may hold a secret (it came from ${file:…} or stands under a key for secrets).
struct Text {
  std::string value;
  bool secret = false;

  /// For messages and logs.
  std::string_view shown() const { return secret ? std::string_view("***") : std::string_view(value); }
  friend bool operator==(const Text&, const Text&) = default;
};

/// SQL with the way back to where it was written: `sql: |` blocks, one-line scalars and `sql_file:` files alike.
struct SqlText {
  /// From (line, column) of `text` on, 0-based, the text stands at (file_line, file_column), 1-based. Lines that begin after it
  /// begin at column `indent` + 1. The pieces are in order; a substituted ${VAR} starts a new one.
  struct Piece {
    int line = 0;
    int column = 0;
    int file_line = 1;
    int file_column = 1;
  };

  std::string text;
  Location location;  // of the first character
  int indent = 0;     // columns that the file has before each further line
  std::vector<Piece> pieces;
  bool exact = true;  // false: the file folds its lines or escapes characters, and every place is `location`

  bool empty() const { return text.empty(); }
  /// Where line:column of the text (both from 1, as in DuckDB's "LINE 2:7") stands in the file.
  Location at(int line, int column) const;
  /// Where the byte at `offset` of the text stands in the file.
  Location at_offset(size_t offset) const;
  friend bool operator==(const SqlText& a, const SqlText& b) { return a.text == b.text; }
};

/// Where one part of the stack runs. An empty URL means embedded.
struct Part {
  Location location;
  Text url;
  std::map<std::string, Text> options;

  bool embedded() const { return url.value.empty(); }
  /// What stands before the colon: `kafka`; `postgres` counts as `postgresql`, `https` as `http`. Empty when embedded.
  std::string_view scheme() const;
};

struct Parts {
  Part log;
  Part tables;
  Part metadata;
  Part registry;
};

struct HttpAuth {
  Text bearer;  // or:
  Text user;
  Text password;
};

struct HttpPage {
  std::string param;  // the query parameter that carries the page's number
  int64_t start = 1;
  std::string size_param;  // empty: the size is not sent
  int64_t size = 0;
  int64_t max = 1000;  // pages in one poll
};

struct HttpRetry {
  int64_t attempts = 3;  // the first one counted
  Duration delay = std::chrono::seconds(1);
  Duration delay_max = std::chrono::seconds(60);
};

struct HttpRequest {
  Location location;
  Text url;  // http://…, https://… or builtin:randomuser
  std::string method = "GET";
  std::map<std::string, Text> headers;
  std::optional<HttpAuth> auth;
  std::string records = "$";  // JSON path of the records in the answer
  Duration timeout = std::chrono::seconds(10);
  std::optional<HttpPage> page;
  HttpRetry retry;
  int64_t max_bytes = 64 << 20;
  int64_t redirects = 5;
};

/// Rows of a table, by a column that only grows.
struct PostgresPoll {
  std::string connection;
  Location connection_location;
  std::string table;
  std::string column;
  int64_t limit = 10'000;
};

enum class FileFormat { kJson, kCsv, kParquet };
struct FilePoll {
  std::string path;  // resolved against the pipeline file; the last part may be a pattern
  FileFormat format = FileFormat::kJson;
  bool follow = true;
};

enum class SourceRun { kAlways, kDag };

struct Source {
  std::string name;
  Location location;
  std::variant<HttpRequest, PostgresPoll, FilePoll> from;
  Duration every = std::chrono::seconds(1);
  SourceRun run = SourceRun::kAlways;
  std::string into;  // a topic of the project
  Location into_location;
  std::string key;  // JSON path; empty: records without key
  Location key_location;
  std::string raw_into;  // a table of a connection, or empty
  Location raw_into_location;
};

struct Watermark {
  Duration disorder{0};
  Duration idle = std::chrono::seconds(30);
};

struct Retention {
  std::optional<Duration> time;  // nothing: for ever
  std::optional<int64_t> bytes;  // of a partition
};

enum class Compression { kNone, kGzip, kSnappy, kLz4, kZstd };
enum class Sync { kAlways, kInterval, kNever };
enum class TopicFormat { kJson, kAvro, kJsonSchema };

struct NamedSql {
  std::string name;
  SqlText sql;
};

struct Topic {
  std::string name;
  Location location;
  bool declared = true;  // false: only mentioned by `into`, all defaults
  int64_t partitions = 1;
  std::optional<SqlText> event_time;  // an expression over the record; `_timestamp` when not given
  Watermark watermark;
  std::optional<SqlText> schema;  // SQL column list
  std::vector<NamedSql> contract;
  Retention retention;
  Compression compression = Compression::kNone;
  Sync sync = Sync::kAlways;
  TopicFormat format = TopicFormat::kJson;
  Location format_location;
  std::string written_by_query;  // the one query whose `into` this is, or empty
};

enum class OnError { kDeadLetter, kFail, kSkip };
enum class OnDataLoss { kFail, kContinue };
enum class Emit { kChange, kClose };
enum class Late { kDrop, kKeep, kReplace };

struct Query {
  std::string name;
  Location location;
  std::string into;
  Location into_location;
  bool into_table = false;
  std::string connection;  // where `into` is, when its first part names one; else the profile decides
  SqlText sql;
  OnError on_error = OnError::kDeadLetter;
  OnDataLoss on_data_loss = OnDataLoss::kFail;
  std::optional<Emit> emit;  // kChange when not given
  std::optional<Late> late;  // kDrop when not given
  std::optional<Duration> lateness;
  Location emit_location;
  Location late_location;
};

struct KeyColumn {
  std::string name;
  bool descending = false;
  Location location;

  friend bool operator==(const KeyColumn& a, const KeyColumn& b) { return a.name == b.name && a.descending == b.descending; }
};

struct Table {
  std::string name;  // keyspace.table
  Location location;
  std::string connection;          // where it is, when the keyspace names one
  bool holds_raw = false;          // made for `raw_into` of a source
  std::optional<SqlText> columns;  // SQL column list; without it they come from the query
  std::vector<KeyColumn> partition_key;
  std::vector<KeyColumn> clustering;
  std::optional<Duration> ttl;
  std::optional<std::string> seed;  // path of a CSV file, resolved against the pipeline file
  Location seed_location;
  std::optional<SqlText> delete_when;  // a row for which it is true deletes its key
};

/// A name and where it was mentioned.
struct Mention {
  std::string name;
  Location location;

  friend bool operator==(const Mention& a, const Mention& b) { return a.name == b.name; }
};

struct IngestTask {
  Mention source;
  std::optional<Duration> length;  // `for`: poll that long; without it once
};
struct SqlTask {
  SqlText sql;
};
struct CheckTask {
  SqlText sql;
};
struct ExecTask {
  std::vector<Text> argv;
  std::map<std::string, Text> env;
};
struct WaitTask {
  Mention query;
  std::optional<Duration> timeout;
};

struct Task {
  std::string name;
  Location location;
  std::variant<IngestTask, SqlTask, CheckTask, ExecTask, WaitTask> does;
  std::vector<Mention> after;
  int64_t retries = 0;
  Duration retry_delay = std::chrono::minutes(5);
  std::optional<Duration> timeout;
};

/// A time as written; a time without a zone is in the DAG's `timezone`.
struct WrittenTime {
  Instant as_utc;  // read as UTC where no zone was written
  bool zoned = false;
  std::string text;
  Location location;

  friend bool operator==(const WrittenTime& a, const WrittenTime& b) { return a.as_utc == b.as_utc && a.zoned == b.zoned; }
};

struct Dag {
  std::string name;
  Location location;
  std::optional<std::string> schedule;  // cron, preset or interval as written; nothing: by hand only
  Location schedule_location;
  std::optional<WrittenTime> start_date;
  std::optional<WrittenTime> end_date;
  std::string timezone = "UTC";  // an IANA name, not looked up here
  Location timezone_location;
  bool catchup = false;
  int64_t max_active_runs = 16;
  std::vector<Task> tasks;
};

/// A second system beside the profile's default. What `${…}` stands for is looked up only where something uses it.
struct Connection {
  std::string name;
  Location location;
  Part part;
  bool used = false;

  std::string_view scheme() const { return part.scheme(); }
};

struct Project {
  std::string name;
  std::string profile;
  std::string file;
  Location location;  // of `name`
  std::vector<Source> sources;
  std::vector<Topic> topics;
  std::vector<Query> queries;
  std::vector<Table> tables;
  std::vector<Dag> dags;
  std::vector<Connection> connections;
  Parts parts;
};

/// The connection that the first part of `name` names; null when there is none.
const Connection* connection_of(const Project& project, std::string_view name);

/// Finds by name; null when there is none.
template <class T>
const T* find(const std::vector<T>& things, std::string_view name) {
  for (const T& thing : things) {
    if (thing.name == name) return &thing;
  }
  return nullptr;
}

}  // namespace millrace::project
