#include "project/keys.h"

#include <fmt/format.h>

#include <algorithm>

namespace millrace::project {
namespace {

using enum ValueKind;
constexpr int64_t kMany = std::numeric_limits<int64_t>::max();

constexpr Key kKeys[] = {
    {"name", kText, "required", "The pipeline's name."},

    {"profiles", kNames, "`dev`, everything embedded", "Where each part runs, by place; chosen with `--profile`."},
    {"profiles.<profile>.log", kPart, "embedded", "Where topics live: a URL, or a map of the two keys below."},
    {"profiles.<profile>.log.url", kText, "embedded", "`kafka://host:port,…`."},
    {"profiles.<profile>.log.options", kTextMap, "none", "Options of the client."},
    {"profiles.<profile>.tables", kPart, "embedded", "Where tables live: a URL, or a map."},
    {"profiles.<profile>.tables.url", kText, "embedded", "`cassandra://host:port,…` or `postgresql://…`."},
    {"profiles.<profile>.tables.options", kTextMap, "none", "Options of the client."},
    {"profiles.<profile>.metadata", kPart, "embedded", "Where the scheduler keeps its state: a URL, or a map."},
    {"profiles.<profile>.metadata.url", kText, "embedded", "`postgresql://…`."},
    {"profiles.<profile>.metadata.options", kTextMap, "none", "Options of the client."},
    {"profiles.<profile>.registry", kPart, "embedded", "Where schemas are registered: a URL, or a map."},
    {"profiles.<profile>.registry.url", kText, "embedded", "`http://…` or `https://…`: a Confluent-compatible registry."},
    {"profiles.<profile>.registry.options", kTextMap, "none", "Options of the client."},
    {"profiles.<profile>.set", kSettings, "none", "Replaces any value of the file: a dotted path, then the value."},

    {"connections", kNames, "none",
     "Second systems beside the profile's defaults. `<connection>.<name>` is a table, topic, file or call there."},
    {"connections.<connection>.url", kText, "required",
     "`kafka://`, `cassandra://`, `postgresql://`, `file:DIR`, `stdout:`, `http(s)://`."},
    {"connections.<connection>.options", kTextMap, "none", "Options of the client."},

    {"sources", kNames, "none", "Where records come from."},
    {"sources.<source>.http", kMap, "", "A JSON API that is polled. Exactly one of this, `postgres` and `file`."},
    {"sources.<source>.http.url", kText, "required", "`http://…`, `https://…`, or `builtin:randomuser`, the API in the binary."},
    {"sources.<source>.http.method", kChoice, "`GET`", "The method of the request.", "GET POST PUT"},
    {"sources.<source>.http.headers", kTextMap, "none", "Headers of the request."},
    {"sources.<source>.http.auth", kMap, "none", "Exactly one of the two below."},
    {"sources.<source>.http.auth.bearer", kText, "", "A bearer token, best from `${file:PATH}`."},
    {"sources.<source>.http.auth.basic", kMap, "", "User and password."},
    {"sources.<source>.http.auth.basic.user", kText, "required", "The user."},
    {"sources.<source>.http.auth.basic.password", kText, "required", "The password, best from `${file:PATH}`."},
    {"sources.<source>.http.records", kText, "`$`", "JSON path of the records in the answer."},
    {"sources.<source>.http.timeout", kDuration, "`10s`", "The longest that one request may take.", {}, 1},
    {"sources.<source>.http.page", kMap, "none", "One poll asks page after page until one is empty."},
    {"sources.<source>.http.page.param", kText, "required", "The query parameter that carries the page's number."},
    {"sources.<source>.http.page.start", kInteger, "`1`", "The first page's number.", {}, 0, kMany},
    {"sources.<source>.http.page.size_param", kText, "none", "The query parameter that carries the size of a page."},
    {"sources.<source>.http.page.size", kInteger, "none", "Records of a page.", {}, 1, 1'000'000},
    {"sources.<source>.http.page.max", kInteger, "`1000`", "Pages in one poll at most.", {}, 1, 1'000'000},
    {"sources.<source>.http.retry", kMap, "the defaults below", "What happens after a failed request."},
    {"sources.<source>.http.retry.attempts", kInteger, "`3`", "Requests in all, the first one counted.", {}, 1, 100},
    {"sources.<source>.http.retry.delay", kDuration, "`1s`", "The first pause; it doubles, with jitter.", {}, 1},
    {"sources.<source>.http.retry.delay_max", kDuration, "`1m`", "The longest pause.", {}, 1},
    {"sources.<source>.http.max_bytes", kSize, "`64MiB`", "The biggest answer that is read.", {}, 1, int64_t{1} << 30},
    {"sources.<source>.http.redirects", kInteger, "`5`", "Redirects that are followed.", {}, 0, 50},
    {"sources.<source>.postgres", kMap, "", "A PostgreSQL table that grows, polled by an increasing column."},
    {"sources.<source>.postgres.connection", kText, "required", "The connection where it is."},
    {"sources.<source>.postgres.table", kText, "required", "The table: `table` or `schema.table`."},
    {"sources.<source>.postgres.column", kText, "required", "A column that is unique and only grows."},
    {"sources.<source>.postgres.limit", kInteger, "`10000`", "Rows of one poll.", {}, 1, 1'000'000},
    {"sources.<source>.file", kMap, "", "Files whose records are read, and what is added to them."},
    {"sources.<source>.file.path", kText, "required", "A file, or a pattern such as `data/*.jsonl`."},
    {"sources.<source>.file.format", kChoice, "`json`", "JSON lines, CSV with a header, or Parquet.", "json csv parquet"},
    {"sources.<source>.file.follow", kBoolean, "`true`", "Whether to wait for more at the end."},
    {"sources.<source>.every", kDuration, "`1s`", "The time from one poll to the next.", {}, 1000},
    {"sources.<source>.run", kChoice, "`always`",
     "`always`: polls whenever the pipeline runs; `dag`: only inside an `ingest` task.", "always dag"},
    {"sources.<source>.into", kText, "required", "The topic that takes the records."},
    {"sources.<source>.key", kText, "none", "JSON path of the record's key, within the record."},
    {"sources.<source>.raw_into", kText, "none",
     "`<connection>.<table>`: a PostgreSQL table that takes every record of the topic as it came."},

    {"topics", kNames, "none", "Durable, ordered streams of records. One that is only named in an `into` has the defaults."},
    {"topics.<topic>.partitions", kInteger, "`1`", "How many partitions it has.", {}, 1, 1024},
    {"topics.<topic>.event_time", kSql, "`_timestamp`", "When the record happened: a SQL expression over it."},
    {"topics.<topic>.watermark", kMap, "the defaults below", "How far event time may be out of order."},
    {"topics.<topic>.watermark.disorder", kDuration, "`0s`", "How late a record may come and still be in time."},
    {"topics.<topic>.watermark.idle", kDuration, "`30s`",
     "A partition that is silent this long no longer holds event time back."},
    {"topics.<topic>.schema", kSql, "inferred", "The record's columns as a SQL column list."},
    {"topics.<topic>.contract", kSqlMap, "none", "SQL predicates by name; a record for which one is not true is a dead letter."},
    {"topics.<topic>.retention", kMap, "for ever", "What is kept; the first limit reached counts."},
    {"topics.<topic>.retention.time", kDuration, "for ever", "Records older than this go.", {}, 1},
    {"topics.<topic>.retention.size", kSize, "no limit", "Bytes that a partition keeps.", {}, 1, kMany},
    {"topics.<topic>.compression", kChoice, "`none`", "How batches are compressed on disk.", "none gzip snappy lz4 zstd"},
    {"topics.<topic>.format", kChoice, "`json`",
     "How values are written where the profile has a registry; an embedded log keeps JSON.", "json avro json_schema"},
    {"topics.<topic>.sync", kChoice, "`always`",
     "When a record counts as written: `always` on disk; `interval` and `never` may lose the newest at power loss.",
     "always interval never"},

    {"queries", kNames, "none", "SQL that runs for ever."},
    {"queries.<query>.into", kText, "required", "The table (`keyspace.table`) or topic that takes the rows."},
    {"queries.<query>.sql", kSql, "", "The SQL, best in a literal block (`sql: |`). Exactly one of this and the next."},
    {"queries.<query>.sql_file", kText, "", "A file with the SQL, read as it is."},
    {"queries.<query>.on_error", kChoice, "`dead_letter`",
     "What becomes of a record that fails: a dead letter, the end of the query, or counted and left out.",
     "dead_letter fail skip"},
    {"queries.<query>.on_data_loss", kChoice, "`fail`",
     "When records are gone from the topic before the query came to them: it stops, or goes on and counts them.",
     "fail continue"},
    {"queries.<query>.emit", kChoice, "`change`",
     "Windows: `change` upserts as results move; `close` writes once, when the window is closed.", "change close"},
    {"queries.<query>.late", kChoice, "`drop`",
     "Windows, late records: `drop` (counted), `keep` (into `<query>$late`), or `replace` results within `lateness`.",
     "drop keep replace"},
    {"queries.<query>.lateness", kDuration, "none",
     "Windows, with `late: replace`: how long after its end a window still takes records."},

    {"tables", kNames, "none", "Rows by key. The name is `keyspace.table`."},
    {"tables.<table>.columns", kSql, "from the query", "The columns as a SQL column list."},
    {"tables.<table>.partition_key", kTexts, "required", "The columns that rows are found by."},
    {"tables.<table>.clustering", kTexts, "none",
     "The columns that rows of one partition key are sorted by: `column`, `column asc` or `column desc`."},
    {"tables.<table>.ttl", kDuration, "for ever", "A row goes this long after it was written.", {}, 1},
    {"tables.<table>.seed", kText, "none", "A CSV file with rows that the table begins with."},
    {"tables.<table>.delete_when", kSql, "none",
     "A SQL predicate over the query's row: a row for which it is true deletes its key."},

    {"dags", kNames, "none", "Tasks on a schedule."},
    {"dags.<dag>.schedule", kText, "`null`: by hand only", "A cron expression, a preset such as `\"@daily\"`, or `every 5m`."},
    {"dags.<dag>.start_date", kTime, "none", "The first logical date; a time without a zone is in `timezone`."},
    {"dags.<dag>.end_date", kTime, "none", "The last logical date."},
    {"dags.<dag>.timezone", kText, "`UTC`", "IANA name of the zone that the schedule is read in."},
    {"dags.<dag>.catchup", kBoolean, "`false`", "Whether intervals that were missed are run one by one."},
    {"dags.<dag>.max_active_runs", kInteger, "`16`", "Runs at the same time.", {}, 1, 1024},
    {"dags.<dag>.tasks", kNames, "none", "The tasks. Each does exactly one of `ingest`, `sql`, `check`, `exec`, `wait_for`."},
    {"dags.<dag>.tasks.<task>.ingest", kText, "", "Polls this source."},
    {"dags.<dag>.tasks.<task>.for", kDuration, "one poll", "With `ingest`: how long.", {}, 1},
    {"dags.<dag>.tasks.<task>.sql", kSql, "", "Executes a statement."},
    {"dags.<dag>.tasks.<task>.check", kSql, "", "Runs a SELECT of one value; fails unless it is true."},
    {"dags.<dag>.tasks.<task>.exec", kCommand, "", "Runs a program, without a shell: the list of its arguments, or a map."},
    {"dags.<dag>.tasks.<task>.exec.argv", kTexts, "required", "The program and its arguments."},
    {"dags.<dag>.tasks.<task>.exec.env", kTextMap, "none", "Its environment beside the few variables that every task has."},
    {"dags.<dag>.tasks.<task>.env", kTextMap, "none", "With `exec`: the same, beside a plain list."},
    {"dags.<dag>.tasks.<task>.wait_for", kMap, "", "Waits until a query has processed what was there when the task started."},
    {"dags.<dag>.tasks.<task>.wait_for.query", kText, "required", "The query."},
    {"dags.<dag>.tasks.<task>.wait_for.timeout", kDuration, "none", "The longest wait.", {}, 1},
    {"dags.<dag>.tasks.<task>.after", kTexts, "none", "Tasks that must have succeeded before."},
    {"dags.<dag>.tasks.<task>.retries", kInteger, "`0`", "Further tries after a failure.", {}, 0, 1000},
    {"dags.<dag>.tasks.<task>.retry_delay", kDuration, "`5m`", "The pause before a further try."},
    {"dags.<dag>.tasks.<task>.timeout", kDuration, "none", "The longest that one try may take.", {}, 1},
};

std::unique_ptr<KeyTree> make_tree() {
  auto root = std::make_unique<KeyTree>();
  for (const Key& key : kKeys) {
    KeyTree* at = root.get();
    std::string_view rest = key.path;
    while (!rest.empty()) {
      size_t dot = rest.find('.');
      std::string_view segment = rest.substr(0, dot);
      rest = dot == std::string_view::npos ? std::string_view() : rest.substr(dot + 1);
      if (segment.front() == '<') {
        if (at->any_name == nullptr) at->any_name = std::make_unique<KeyTree>();
        at = at->any_name.get();
      } else {
        auto known = std::find_if(at->children.begin(), at->children.end(), [&](const auto& c) { return c.first == segment; });
        if (known == at->children.end()) known = at->children.insert(known, {segment, std::make_unique<KeyTree>()});
        at = known->second.get();
      }
    }
    at->key = &key;
  }
  return root;
}

}  // namespace

std::span<const Key> all_keys() { return kKeys; }

const KeyTree* KeyTree::child(std::string_view name) const {
  for (const auto& [known, tree] : children) {
    if (known == name) return tree.get();
  }
  return any_name.get();
}

std::vector<std::string_view> KeyTree::names() const {
  std::vector<std::string_view> out;
  for (const auto& child : children) out.push_back(child.first);
  return out;
}

const KeyTree& key_tree() {
  static const std::unique_ptr<KeyTree> tree = make_tree();
  return *tree;
}

std::string_view kind_words(ValueKind kind) {
  switch (kind) {
    case kText: return "a text";
    case kInteger: return "a whole number";
    case kBoolean: return "true or false";
    case kDuration: return "a duration";
    case kSize: return "a size";
    case kTime: return "a time";
    case kChoice: return "a word";
    case kSql: return "SQL";
    case kTexts: return "a list of texts";
    case kTextMap: return "a map of texts";
    case kSqlMap: return "a map of SQL";
    case kMap: return "a map";
    case kNames: return "a map by name";
    case kPart: return "a URL or a map";
    case kCommand: return "a list of texts or a map";
    case kSettings: return "a map of values";
  }
  return "?";
}

std::string keys_markdown() {
  std::string out = "| key | value | default | what it does |\n|---|---|---|---|\n";
  for (const Key& key : kKeys) {
    std::string value(kind_words(key.kind));
    if (key.kind == kChoice) {
      value.clear();
      std::string_view rest = key.choices;
      while (!rest.empty()) {
        size_t space = rest.find(' ');
        value += fmt::format("{}`{}`", value.empty() ? "" : ", ", rest.substr(0, space));
        rest = space == std::string_view::npos ? std::string_view() : rest.substr(space + 1);
      }
    } else if (key.kind == kInteger && key.max != kMany) {
      value += fmt::format(", {} to {}", key.min, key.max);
    }
    std::string_view fallback = key.fallback.empty() ? std::string_view("-") : key.fallback;
    out += fmt::format("| `{}` | {} | {} | {} |\n", key.path, value, fallback, key.what);
  }
  return out;
}

}  // namespace millrace::project
