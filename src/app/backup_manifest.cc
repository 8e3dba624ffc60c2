#include "app/backup_manifest.h"

#include <fmt/format.h>

#include <charconv>

#include "codec/kafka_record/record_batch.h"

// One line of JSON, and a second one with its CRC-32C as a JSON string of eight hexadecimal digits.
namespace millrace::app {
namespace {

using format::Json;

constexpr int64_t kFormat = 1;
constexpr size_t kNameBytesMax = 4096;

std::string crc_text(uint32_t crc) { return fmt::format("{:08x}", crc); }

auto bad(std::string_view what) { return fail(Errc::kCorruption, fmt::format("the manifest is damaged: {}", what)); }

Result<uint32_t> parse_crc(std::string_view text) {
  uint32_t crc = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), crc, 16);
  if (text.size() != 8 || error != std::errc() || end != text.data() + text.size())
    return bad(fmt::format("'{}' is no checksum", text));
  return crc;
}

/// A path below the data directory, to what a backup has: no step up, no empty step, nothing absolute.
bool is_file_name(std::string_view name) {
  if (name.size() > kNameBytesMax || name.find('\0') != std::string_view::npos) return false;
  bool known = name.starts_with("store/") || name.starts_with("log/") || name.starts_with("dags/") || name == "meta.db" ||
               name == "meta.db-wal";
  for (size_t at = 0; at <= name.size();) {
    size_t slash = std::min(name.find('/', at), name.size());
    std::string_view step = name.substr(at, slash - at);
    if (step.empty() || step == "." || step == "..") return false;
    at = slash + 1;
  }
  return known;
}

Result<int64_t> whole_number(const Json& json) {
  const int64_t* number = json.as_int();
  if (number == nullptr || *number < 0) return bad("a number is missing");
  return *number;
}

Result<int64_t> whole_number(const Json& object, std::string_view name) {
  const Json* member = object.find(name);
  if (member == nullptr) return bad(fmt::format("'{}' is missing", name));
  return whole_number(*member);
}

Result<const Json::Array*> elements(const Json& object, std::string_view name) {
  const Json* member = object.find(name);
  if (member == nullptr || member->as_array() == nullptr) return bad(fmt::format("'{}' is missing", name));
  return member->as_array();
}

Json topic_json(const BackupManifest::Topic& topic) {
  Json partitions = Json::array();
  for (const BackupManifest::Range& range : topic.partitions)
    partitions.push(Json::object().set("start", range.start.value).set("end", range.end.value));
  return Json::object().set("name", topic.name).set("id", format_uuid(topic.id)).set("partitions", std::move(partitions));
}

Json offsets_json(const std::vector<model::Offset>& offsets) {
  Json json = Json::array();
  for (model::Offset offset : offsets) json.push(offset.value);
  return json;
}

Result<BackupManifest::Topic> topic_of(const Json& json) {
  BackupManifest::Topic topic;
  topic.name = json.string_or("name", "");
  auto id = parse_uuid(json.string_or("id", ""));
  if (!id) return bad("a topic has no id");
  topic.id = *id;
  TRY(const Json::Array* partitions, elements(json, "partitions"));
  for (const Json& partition : *partitions) {
    TRY(int64_t start, whole_number(partition, "start"));
    TRY(int64_t end, whole_number(partition, "end"));
    if (end < start) return bad("a partition ends before it starts");
    topic.partitions.push_back({model::Offset(start), model::Offset(end)});
  }
  return topic;
}

Result<BackupManifest::Query> query_of(const Json& json) {
  BackupManifest::Query query{json.string_or("name", ""), json.string_or("topic", ""), {}};
  TRY(const Json::Array* next, elements(json, "next"));
  for (const Json& offset : *next) {
    TRY(int64_t value, whole_number(offset));
    query.next.emplace_back(value);
  }
  return query;
}

Result<BackupManifest::File> file_of(const Json& json) {
  BackupManifest::File file;
  file.name = json.string_or("name", "");
  if (!is_file_name(file.name)) return bad(fmt::format("'{}' is no file of a data directory", file.name));
  TRY(int64_t bytes, whole_number(json, "bytes"));
  file.bytes = static_cast<uint64_t>(bytes);
  TRY(file.crc, parse_crc(json.string_or("crc32c", "")));
  return file;
}

Result<BackupManifest> manifest_of(const Json& json) {
  BackupManifest manifest;
  manifest.version = json.string_or("version", "");
  auto taken_at = parse_instant(json.string_or("taken_at", ""));
  if (!taken_at) return bad("'taken_at' is missing");
  manifest.taken_at = *taken_at;
  TRY(const Json::Array* topics, elements(json, "topics"));
  for (const Json& one : *topics) {
    TRY(auto topic, topic_of(one));
    manifest.topics.push_back(std::move(topic));
  }
  TRY(const Json::Array* queries, elements(json, "queries"));
  for (const Json& one : *queries) {
    TRY(auto query, query_of(one));
    manifest.queries.push_back(std::move(query));
  }
  TRY(const Json::Array* files, elements(json, "files"));
  uint64_t total = 0;
  for (const Json& one : *files) {
    TRY(auto file, file_of(one));
    if (!manifest.files.empty() && file.name <= manifest.files.back().name) return bad("the files are not in order");
    if (__builtin_add_overflow(total, file.bytes, &total)) return bad("the sizes are too large");
    manifest.files.push_back(std::move(file));
  }
  return manifest;
}

}  // namespace

uint64_t BackupManifest::bytes() const {
  uint64_t sum = 0;
  for (const File& file : files) sum += file.bytes;
  return sum;
}

Json point_json(const BackupManifest& manifest) {
  Json topics = Json::array(), queries = Json::array();
  for (const BackupManifest::Topic& topic : manifest.topics) {
    for (size_t p = 0; p < topic.partitions.size(); ++p) {
      topics.push(Json::object()
                      .set("topic", topic.name)
                      .set("partition", p)
                      .set("start_offset", topic.partitions[p].start.value)
                      .set("end_offset", topic.partitions[p].end.value));
    }
  }
  for (const BackupManifest::Query& query : manifest.queries) {
    queries.push(Json::object().set("query", query.name).set("topic", query.topic).set("next_offsets", offsets_json(query.next)));
  }
  Json json = Json::object();
  json.set("taken_at", format_instant(manifest.taken_at))
      .set("version", manifest.version)
      .set("topics", std::move(topics))
      .set("queries", std::move(queries))
      .set("files", manifest.files.size())
      .set("bytes", manifest.bytes());
  return json;
}

std::string encode_manifest(const BackupManifest& manifest) {
  Json topics = Json::array(), queries = Json::array(), files = Json::array();
  for (const BackupManifest::Topic& topic : manifest.topics) topics.push(topic_json(topic));
  for (const BackupManifest::Query& query : manifest.queries)
    queries.push(Json::object().set("name", query.name).set("topic", query.topic).set("next", offsets_json(query.next)));
  for (const BackupManifest::File& file : manifest.files)
    files.push(Json::object().set("name", file.name).set("bytes", file.bytes).set("crc32c", crc_text(file.crc)));
  Json json = Json::object();
  json.set("format", kFormat)
      .set("version", manifest.version)
      .set("taken_at", format_instant(manifest.taken_at))
      .set("topics", std::move(topics))
      .set("queries", std::move(queries))
      .set("files", std::move(files));
  std::string text = to_json(json);
  return fmt::format("{}\n\"{}\"\n", text, crc_text(codec::kafka_record::crc32c(text)));
}

Result<BackupManifest> decode_manifest(std::string_view text) {
  size_t line_end = text.find('\n');
  if (line_end == std::string_view::npos) return bad("its checksum is missing");
  std::string_view line = text.substr(0, line_end), rest = text.substr(line_end + 1);
  if (rest != fmt::format("\"{}\"\n", crc_text(codec::kafka_record::crc32c(line)))) return bad("its checksum does not fit");
  auto json = format::parse_json(line, {.depth_max = 8, .bytes_max = kBackupManifestBytesMax});
  if (!json) return bad(json.error().message);
  TRY(int64_t written_as, whole_number(*json, "format"));
  if (written_as > kFormat) {
    return fail(Errc::kFailedPrecondition,
                fmt::format("the backup has format {}, and this version reads up to {}", written_as, kFormat),
                "use the version of millrace that made it, or a newer one");
  }
  return manifest_of(*json);
}

}  // namespace millrace::app
