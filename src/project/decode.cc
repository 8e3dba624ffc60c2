#include "project/decode.h"

#include <fmt/format.h>

namespace millrace::project {
namespace {

bool is_word(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; }

/// Kafka's rule (org.apache.kafka.common.internals.Topic).
bool is_topic_name(std::string_view name) {
  if (name.empty() || name.size() > 249 || name == "." || name == "..") return false;
  return std::all_of(name.begin(), name.end(), [](char c) { return is_word(c) || c == '.' || c == '-'; });
}

/// Names become parts of paths: no leading dot, and no hyphen that a command would take for a flag.
bool is_plain_name(std::string_view name) {
  return is_topic_name(name) && name.size() <= 128 && name[0] != '.' && name[0] != '-';
}

bool is_identifier(std::string_view name) {
  if (name.empty() || name.size() > 48 || (name[0] >= '0' && name[0] <= '9')) return false;
  return std::all_of(name.begin(), name.end(), is_word);
}

bool is_table_name(std::string_view name) {
  size_t dot = name.find('.');
  return dot != std::string_view::npos && is_identifier(name.substr(0, dot)) && is_identifier(name.substr(dot + 1));
}

/// The position of `word` in `words`, as an enumerator; nothing when it is none of them.
template <class T>
std::optional<T> choice(const std::optional<std::string>& word, std::initializer_list<std::pair<std::string_view, T>> words) {
  for (const auto& [known, value] : words) {
    if (word == known) return value;
  }
  return std::nullopt;
}

template <class T>
void set(T& to, std::optional<T> value) {
  if (value.has_value()) to = std::move(*value);
}

const std::vector<Node::Entry>& entries(const Node& root, std::string_view section) {
  static const std::vector<Node::Entry> kNone;
  const Node* node = root.get(section);
  return node == nullptr ? kNone : node->entries;
}

}  // namespace

Project Decoder::project(const Node& root, const Node* profile) {
  Project out;
  out.file = file_;
  out.name = text(root, "name").value_or("");
  out.location = value_at(root, "name", {file_, 1, 1});
  constexpr size_t kNameMax = 128;
  bool printable = std::none_of(out.name.begin(), out.name.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; });
  if (out.name.size() > kNameMax || !printable) {
    faults_.add(out.location, "bad-name", "the pipeline's name is longer than 128 bytes or more than one line",
                "write a short one");
  }
  for (const Node::Entry& e : entries(root, "sources")) out.sources.push_back(source(e));
  for (const Node::Entry& e : entries(root, "topics")) out.topics.push_back(topic(e));
  for (const Node::Entry& e : entries(root, "queries")) out.queries.push_back(query(e));
  for (const Node::Entry& e : entries(root, "tables")) out.tables.push_back(table(e));
  for (const Node::Entry& e : entries(root, "dags")) out.dags.push_back(dag(e));
  for (const Node::Entry& e : entries(root, "connections")) out.connections.push_back(connection(e));
  static const Node kEmbedded;
  const Node& parts = profile == nullptr ? kEmbedded : *profile;
  out.parts.log = part(parts.get("log"), "log", {"kafka"});
  out.parts.tables = part(parts.get("tables"), "tables", {"cassandra", "postgresql"});
  out.parts.metadata = part(parts.get("metadata"), "metadata", {"postgresql"});
  out.parts.registry = part(parts.get("registry"), "registry", {"http"});
  return out;
}

Part Decoder::part(const Node* node, std::string_view role, std::initializer_list<std::string_view> schemes) {
  Part out;
  if (node == nullptr) return out;
  out.location = place(file_, *node);
  if (node->is_scalar() && !node->broken) {
    out.url = {node->text.text, node->secret};
  } else if (node->is_map()) {
    set(out.url, secretive_text(*node, "url"));
    out.options = text_map(node->get("options"));
    out.location = value_at(*node, "url", out.location);
  }
  if (out.url.value == "embedded" || out.url.value == "embedded:") out.url = {};
  if (out.embedded()) return out;
  if (std::find(schemes.begin(), schemes.end(), out.scheme()) == schemes.end()) {
    faults_.add(out.location, "bad-url",
                fmt::format("{}: the URL does not begin with {}://", role, fmt::join(schemes, ":// or ")),
                "without a URL the part is embedded");
  }
  return out;
}

Connection Decoder::connection(const Node::Entry& entry) {
  check_plain_name(entry, "connection");
  Connection out{entry.key, entry.key_at, {}};
  out.part.location = value_at(entry.value, "url", entry.key_at);
  set(out.part.url, secretive_text(entry.value, "url"));
  out.part.options = text_map(entry.value.get("options"));
  static constexpr std::string_view kSchemes[] = {"kafka", "cassandra", "postgresql", "file", "stdout", "http"};
  std::string& url = out.part.url.value;
  if (url.starts_with("file:") && !url.starts_with("file://") && url.size() > 5) url = "file:" + full_path(file_, url.substr(5));
  if (!url.empty() && (url.find(':') == std::string::npos ||
                       std::find(std::begin(kSchemes), std::end(kSchemes), out.scheme()) == std::end(kSchemes))) {
    faults_.add(out.part.location, "bad-url",
                fmt::format("the URL of connection '{}' begins with none of {}:", entry.key, fmt::join(kSchemes, ":, ")));
  }
  return out;
}

void Decoder::check_plain_name(const Node::Entry& entry, std::string_view what) {
  if (is_plain_name(entry.key)) return;
  faults_.add(entry.key_at, "bad-name", fmt::format("'{}' is no name for a {}", entry.key, what),
              "use letters, digits, '_', '-' and '.', at most 128, and begin with a letter, digit or '_'");
}

Source Decoder::source(const Node::Entry& entry) {
  check_plain_name(entry, "source");
  const Node& node = entry.value;
  Source out;
  out.name = entry.key;
  out.location = entry.key_at;
  static constexpr std::string_view kKinds[] = {"http", "postgres", "file"};
  std::string_view kind = one_of(node, kKinds, entry.key_at, "the source");
  const Node* from = kind.empty() ? nullptr : node.get(kind);
  if (from != nullptr && from->is_map()) {
    Location at = value_at(node, kind, entry.key_at);
    if (kind == "http") out.from = http(*from, at);
    if (kind == "postgres") out.from = postgres(*from, at);
    if (kind == "file") out.from = file(*from);
  }
  set(out.every, duration(node, "every"));
  set(out.run, choice<SourceRun>(text(node, "run"), {{"always", SourceRun::kAlways}, {"dag", SourceRun::kDag}}));
  set(out.into, text(node, "into"));
  out.into_location = value_at(node, "into", entry.key_at);
  if (!out.into.empty() && !is_topic_name(out.into)) {
    faults_.add(out.into_location, "bad-name", fmt::format("'{}' is no name for a topic", out.into),
                "use letters, digits, '_', '-' and '.'");
    out.into.clear();
  }
  set(out.key, text(node, "key"));
  out.key_location = value_at(node, "key", entry.key_at);
  set(out.raw_into, text(node, "raw_into"));
  out.raw_into_location = value_at(node, "raw_into", entry.key_at);
  return out;
}

PostgresPoll Decoder::postgres(const Node& node, const Location& at) {
  PostgresPoll out;
  set(out.connection, text(node, "connection"));
  out.connection_location = value_at(node, "connection", at);
  set(out.table, text(node, "table"));
  set(out.column, text(node, "column"));
  set(out.limit, integer(node, "limit"));
  return out;
}

FilePoll Decoder::file(const Node& node) {
  FilePoll out;
  if (std::optional<std::string> path = text(node, "path")) out.path = full_path(file_, *path);
  set(out.format,
      choice<FileFormat>(text(node, "format"),
                         {{"json", FileFormat::kJson}, {"csv", FileFormat::kCsv}, {"parquet", FileFormat::kParquet}}));
  out.follow = boolean(node, "follow", true);
  return out;
}

HttpRequest Decoder::http(const Node& node, const Location& at) {
  HttpRequest out;
  out.location = value_at(node, "url", at);
  set(out.url, secretive_text(node, "url"));
  const std::string& url = out.url.value;
  bool known = url == "builtin:randomuser" || (url.starts_with("http://") && url.size() > 7) ||
               (url.starts_with("https://") && url.size() > 8);
  if (!url.empty() && !known) {
    faults_.add(out.location, "bad-url", "the URL is neither http://…, https://… nor builtin:randomuser",
                "builtin:randomuser is the API in the binary");
  }
  set(out.method, text(node, "method"));
  out.headers = text_map(node.get("headers"));
  out.auth = auth(node.get("auth"), at);
  set(out.records, text(node, "records"));
  set(out.timeout, duration(node, "timeout"));
  if (const Node* page = node.get("page"); page != nullptr && page->is_map()) {
    HttpPage& p = out.page.emplace();
    set(p.param, text(*page, "param"));
    set(p.start, integer(*page, "start"));
    set(p.size_param, text(*page, "size_param"));
    set(p.size, integer(*page, "size"));
    set(p.max, integer(*page, "max"));
    if (p.size_param.empty() != (p.size == 0) && page->get(p.size == 0 ? "size" : "size_param") == nullptr) {
      faults_.add(place(file_, *page), "missing-key", "'size' and 'size_param' only mean something together",
                  "give both or neither");
    }
  }
  if (const Node* retry = node.get("retry"); retry != nullptr) {
    set(out.retry.attempts, integer(*retry, "attempts"));
    set(out.retry.delay, duration(*retry, "delay"));
    set(out.retry.delay_max, duration(*retry, "delay_max"));
  }
  set(out.max_bytes, size(node, "max_bytes"));
  set(out.redirects, integer(node, "redirects"));
  return out;
}

std::optional<HttpAuth> Decoder::auth(const Node* node, const Location& at) {
  if (node == nullptr || !node->is_map()) return std::nullopt;
  static constexpr std::string_view kKeys[] = {"bearer", "basic"};
  Location auth_at = node->entries.empty() ? at : node->entries.front().key_at;
  std::string_view given = one_of(*node, kKeys, auth_at, "auth");
  HttpAuth out;
  if (given == "bearer") set(out.bearer, secretive_text(*node, "bearer"));
  if (given == "basic") {
    const Node& basic = *node->get("basic");
    set(out.user, secretive_text(basic, "user"));
    set(out.password, secretive_text(basic, "password"));
  }
  out.bearer.secret = out.password.secret = true;
  return out;
}

Topic Decoder::topic(const Node::Entry& entry) {
  const Node& node = entry.value;
  Topic out;
  out.name = entry.key;
  out.location = entry.key_at;
  if (!is_topic_name(out.name)) {
    faults_.add(out.location, "bad-name", fmt::format("'{}' is no name for a topic", out.name),
                "use letters, digits, '_', '-' and '.', at most 249");
  }
  set(out.partitions, integer(node, "partitions"));
  out.event_time = sql(node, "event_time");
  if (const Node* watermark = node.get("watermark"); watermark != nullptr) {
    set(out.watermark.disorder, duration(*watermark, "disorder"));
    set(out.watermark.idle, duration(*watermark, "idle"));
  }
  out.schema = sql(node, "schema");
  if (const Node* contract = node.get("contract"); contract != nullptr) {
    for (const Node::Entry& rule : contract->entries) {
      check_plain_name(rule, "contract");
      if (rule.value.is_scalar() && !rule.value.broken) out.contract.push_back({rule.key, rule.value.text});
    }
  }
  if (const Node* retention = node.get("retention"); retention != nullptr) {
    out.retention.time = duration(*retention, "time");
    out.retention.bytes = size(*retention, "size");
  }
  set(out.compression, choice<Compression>(text(node, "compression"), {{"none", Compression::kNone},
                                                                       {"gzip", Compression::kGzip},
                                                                       {"snappy", Compression::kSnappy},
                                                                       {"lz4", Compression::kLz4},
                                                                       {"zstd", Compression::kZstd}}));
  set(out.sync,
      choice<Sync>(text(node, "sync"), {{"always", Sync::kAlways}, {"interval", Sync::kInterval}, {"never", Sync::kNever}}));
  set(out.format, choice<TopicFormat>(
                      text(node, "format"),
                      {{"json", TopicFormat::kJson}, {"avro", TopicFormat::kAvro}, {"json_schema", TopicFormat::kJsonSchema}}));
  out.format_location = value_at(node, "format", entry.key_at);
  return out;
}

Query Decoder::query(const Node::Entry& entry) {
  check_plain_name(entry, "query");
  const Node& node = entry.value;
  Query out;
  out.name = entry.key;
  out.location = entry.key_at;
  set(out.into, text(node, "into"));
  out.into_location = value_at(node, "into", entry.key_at);
  if (!out.into.empty() && !is_topic_name(out.into)) {
    faults_.add(out.into_location, "bad-name", fmt::format("'{}' is no name for a topic or a table", out.into),
                "write keyspace.table, or a topic's name");
    out.into.clear();
  }
  set(out.sql, sql_or_file(node, entry.key_at));
  set(out.on_error, choice<OnError>(text(node, "on_error"),
                                    {{"dead_letter", OnError::kDeadLetter}, {"fail", OnError::kFail}, {"skip", OnError::kSkip}}));
  set(out.on_data_loss,
      choice<OnDataLoss>(text(node, "on_data_loss"), {{"fail", OnDataLoss::kFail}, {"continue", OnDataLoss::kContinue}}));
  out.emit = choice<Emit>(text(node, "emit"), {{"change", Emit::kChange}, {"close", Emit::kClose}});
  out.late = choice<Late>(text(node, "late"), {{"drop", Late::kDrop}, {"keep", Late::kKeep}, {"replace", Late::kReplace}});
  out.lateness = duration(node, "lateness");
  out.emit_location = value_at(node, "emit", entry.key_at);
  out.late_location = value_at(node, "late", entry.key_at);
  bool has_lateness = node.get("lateness") != nullptr;
  if (out.late == Late::kReplace && !has_lateness) {
    faults_.add(out.late_location, "missing-key", "'late: replace' needs 'lateness'",
                "say how long windows are kept, such as lateness: 1h");
  }
  if (has_lateness && out.late != Late::kReplace && (out.late.has_value() || node.get("late") == nullptr)) {
    faults_.add(value_at(node, "lateness", entry.key_at), "misplaced-key", "'lateness' only means something with 'late: replace'",
                "add late: replace, or remove it");
  }
  return out;
}

Table Decoder::table(const Node::Entry& entry) {
  const Node& node = entry.value;
  Table out;
  out.name = entry.key;
  out.location = entry.key_at;
  if (!is_table_name(out.name)) {
    faults_.add(out.location, "bad-name", fmt::format("'{}' is no name for a table", out.name),
                "write keyspace.table; each is letters, digits and '_', at most 48, and does not begin with a digit");
  }
  out.columns = sql(node, "columns");
  out.partition_key = key_columns(node.get("partition_key"), false);
  out.clustering = key_columns(node.get("clustering"), true);
  const Node* key = node.get("partition_key");
  if (key != nullptr && key->is_list() && key->items.empty()) {
    faults_.add(place(file_, *key), "missing-key", "the partition key has no column", "name at least one");
  }
  for (size_t i = 0; i < out.clustering.size(); ++i) {
    auto same = [&](const KeyColumn& other) { return other.name == out.clustering[i].name; };
    bool again = std::any_of(out.partition_key.begin(), out.partition_key.end(), same) ||
                 std::any_of(out.clustering.begin(), out.clustering.begin() + static_cast<std::ptrdiff_t>(i), same);
    if (again)
      faults_.add(out.clustering[i].location, "duplicate-name",
                  fmt::format("the column '{}' stands twice in the key", out.clustering[i].name), "remove one");
  }
  out.ttl = duration(node, "ttl");
  out.delete_when = sql(node, "delete_when");
  if (std::optional<std::string> path = text(node, "seed"); path.has_value()) {
    out.seed = beside(file_, *path);
    out.seed_location = value_at(node, "seed", entry.key_at);
    if (auto opened = files_.open(*out.seed, env::OpenMode::kRead); !opened)
      faults_.add(out.seed_location, "unreadable-file", opened.error().message, "the path is relative to the pipeline file");
  }
  return out;
}

std::vector<KeyColumn> Decoder::key_columns(const Node* node, bool sorted) {
  std::vector<KeyColumn> out;
  constexpr size_t kColumnsMax = 64;
  if (node == nullptr) return out;
  for (const Node& item : node->items) {
    if (!item.is_scalar() || item.broken) continue;
    std::string_view name = item.text.text;
    std::string_view order;
    if (size_t space = name.find(' '); sorted && space != std::string_view::npos) {
      order = name.substr(name.find_last_of(' ') + 1);
      name = name.substr(0, space);
    }
    bool descending = order == "desc" || order == "DESC";
    bool known_order = order.empty() || descending || order == "asc" || order == "ASC";
    if (name.empty() || name.size() > 128 || !known_order || name.find(' ') != std::string_view::npos) {
      faults_.add(place(file_, item), "bad-name", fmt::format("'{}' is no key column", item.text.text),
                  sorted ? "write column, column asc or column desc" : "write the column's name alone");
    } else if (out.size() == kColumnsMax) {
      faults_.add(place(file_, item), "too-big", "the key has more than 64 columns", "a few are enough");
      break;
    } else {
      out.push_back({std::string(name), descending, place(file_, item)});
    }
  }
  return out;
}

}  // namespace millrace::project
