#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <tuple>

#include "app/api.h"
#include "app/api_topics_elsewhere.h"
#include "base/bytes.h"
#include "format/json_path.h"

namespace millrace::app {
namespace {

using format::Json;

Result<std::shared_ptr<log::Topic>> topic_of(const Call& call) {
  auto topic = call.instance.data().log().find(call.path[0]);
  if (topic == nullptr) {
    std::string known;
    for (const auto& other : call.instance.data().log().topics()) known += (known.empty() ? "" : ", ") + other->name();
    return fail(Errc::kNotFound, fmt::format("there is no topic '{}'", call.path[0]),
                known.empty() ? "create it with `millrace topic create`" : "there are: " + known);
  }
  return topic;
}

std::string_view sync_name(log::SyncMode mode) {
  switch (mode) {
    case log::SyncMode::kAlways: return "always";
    case log::SyncMode::kInterval: return "interval";
    case log::SyncMode::kNever: return "never";
  }
  return "always";
}

std::optional<log::SyncMode> parse_sync(std::string_view name) {
  for (log::SyncMode mode : {log::SyncMode::kAlways, log::SyncMode::kInterval, log::SyncMode::kNever}) {
    if (sync_name(mode) == name) return mode;
  }
  return std::nullopt;
}

int64_t record_count(log::Topic& topic) {
  int64_t count = 0;
  for (int32_t p = 0; p < topic.partition_count(); ++p) {
    log::PartitionLog& partition = topic.partition(model::Partition(p));
    count += partition.end_offset() - partition.start_offset();
  }
  return count;
}

Json summary(log::Topic& topic) {
  log::TopicSettings settings = topic.settings();
  Json json = Json::object();
  json.set("topic", topic.name())
      .set("partitions", topic.partition_count())
      .set("records", record_count(topic))
      .set("bytes", topic.size_bytes())
      .set("topic_id", format_uuid(topic.id()))
      .set("compression", codec::kafka_record::compression_name(settings.compression))
      .set("sync", sync_name(settings.sync))
      .set("retention_time",
           settings.retention_ms ? Json(format_duration(std::chrono::milliseconds(*settings.retention_ms))) : Json())
      .set("retention_bytes", settings.retention_bytes ? Json(*settings.retention_bytes) : Json())
      .set("owner", settings.owner.empty() ? Json() : Json(settings.owner));
  return json;
}

Result<Response> list(const Call& call) {
  Json topics = Json::array();
  for (const std::string& name : call.instance.topics_elsewhere()) {
    TRY(port::TopicInfo info, call.instance.parts()->topics().describe(name));
    topics.push(summary_elsewhere(name, info));
  }
  for (const auto& topic : call.instance.data().log().topics()) topics.push(summary(*topic));
  return json_response(topics);
}

Result<Response> describe(const Call& call) {
  if (is_elsewhere(call.instance, call.path[0])) return describe_elsewhere(call);
  TRY(auto topic, topic_of(call));
  Json json = summary(*topic);
  auto schema = call.instance.topic_schema(topic->name());
  json.set("schema", schema ? Json(model::to_sql(*schema)) : Json());
  Json partitions = Json::array();
  for (int32_t p = 0; p < topic->partition_count(); ++p) {
    log::PartitionLog& partition = topic->partition(model::Partition(p));
    Json one = Json::object();
    one.set("partition", p)
        .set("start_offset", partition.start_offset().value)
        .set("end_offset", partition.end_offset().value)
        .set("bytes", partition.size_bytes());
    partitions.push(std::move(one));
  }
  json.set("offsets", std::move(partitions));
  return json_response(json);
}

/// A member of the body; kInvalidArgument when it is there and of another kind.
Result<int64_t> member_int(const Json& body, std::string_view name, int64_t otherwise) {
  const Json* member = body.find(name);
  if (member == nullptr || member->is_null()) return otherwise;
  if (member->as_int() == nullptr) return fail(Errc::kInvalidArgument, fmt::format("'{}' must be a whole number", name));
  return *member->as_int();
}

Result<std::string> member_text(const Json& body, std::string_view name, std::string_view otherwise) {
  const Json* member = body.find(name);
  if (member == nullptr || member->is_null()) return std::string(otherwise);
  if (member->as_string() == nullptr) return fail(Errc::kInvalidArgument, fmt::format("'{}' must be text", name));
  return *member->as_string();
}

/// SQL does not tell case, and topics, tables and dead_letters share one name space there.
Status check_free_name(Instance& instance, const std::string& name) {
  bool taken = model::same_name(name, "dead_letters") || instance.data().tables().find(name) != nullptr;
  for (const auto& topic : instance.data().log().topics())
    taken = taken || (topic->name() != name && model::same_name(topic->name(), name));
  if (taken)
    return fail(Errc::kAlreadyExists, fmt::format("SQL could not tell a topic '{}' from what has that name already", name));
  return {};
}

Result<Response> create(const Call& call) {
  TRY(Json body, call.body_object());
  log::TopicSettings settings;
  for (const Json::Member& member : *body.as_object()) {
    static constexpr std::string_view kKnown[] = {"topic", "partitions",     "compression",
                                                  "sync",  "retention_time", "retention_bytes"};
    if (std::find(std::begin(kKnown), std::end(kKnown), member.name) == std::end(kKnown)) {
      return fail(Errc::kInvalidArgument, fmt::format("unknown member '{}'", member.name),
                  "known: topic, partitions, compression, sync, retention_time, retention_bytes");
    }
  }
  TRY(int64_t partitions, member_int(body, "partitions", 1));
  if (partitions < 1 || partitions > log::kPartitionsMax) {
    return fail(Errc::kInvalidArgument, fmt::format("a topic has 1 to {} partitions, not {}", log::kPartitionsMax, partitions));
  }
  settings.partitions = static_cast<int32_t>(partitions);
  TRY(std::string compression, member_text(body, "compression", "none"));
  TRY(std::string sync, member_text(body, "sync", "always"));
  TRY(std::string kept, member_text(body, "retention_time", ""));
  TRY(int64_t kept_bytes, member_int(body, "retention_bytes", 0));
  TRY(std::string name, member_text(body, "topic", ""));
  auto parsed_compression = codec::kafka_record::parse_compression(compression);
  if (!parsed_compression) {
    return fail(Errc::kInvalidArgument, fmt::format("'{}' is no compression", compression), "none, gzip, snappy, lz4 or zstd");
  }
  settings.compression = *parsed_compression;
  auto parsed_sync = parse_sync(sync);
  if (!parsed_sync) return fail(Errc::kInvalidArgument, fmt::format("'{}' is no sync mode", sync), "always, interval or never");
  settings.sync = *parsed_sync;
  if (!kept.empty()) {
    TRY(Duration time, parse_duration(kept));
    settings.retention_ms = std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
  }
  if (kept_bytes < 0) return fail(Errc::kInvalidArgument, "'retention_bytes' cannot be negative");
  if (kept_bytes > 0) settings.retention_bytes = static_cast<uint64_t>(kept_bytes);
  TRY_DO(check_free_name(call.instance, name));
  TRY_DO(call.instance.check_room());
  TRY(auto topic, call.instance.data().log().create(name, settings));
  return json_response(summary(*topic), 201);
}

Result<Response> drop(const Call& call) {
  TRY_DO(refuse_elsewhere(call));
  TRY(auto topic, topic_of(call));
  TRY_DO(call.instance.check_unused_topic(topic->name()));
  TRY_DO(call.instance.data().log().drop(topic->name()));
  Json json = Json::object();
  json.set("topic", topic->name()).set("deleted", true);
  return json_response(json);
}

Result<Response> truncate(const Call& call) {
  TRY_DO(refuse_elsewhere(call));
  TRY(auto topic, topic_of(call));
  int64_t records = record_count(*topic);
  TRY_DO(call.instance.data().log().truncate(topic->name()));
  Json json = Json::object();
  json.set("topic", topic->name()).set("deleted_records", records);
  return json_response(json);
}

/// text/plain: one value a line, an empty line is an empty value. NDJSON: the same, but blank lines are nothing.
Result<std::vector<model::Record>> records_of_lines(const Call& call, bool blank_is_value) {
  std::string_view separator = call.parameter("key_separator");
  std::vector<model::Record> records;
  std::string_view rest = call.request.body;
  while (!rest.empty()) {
    size_t end = rest.find('\n');
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (!blank_is_value && line.find_first_not_of(" \t") == std::string_view::npos) continue;
    model::Record& record = records.emplace_back();
    if (!separator.empty() && !line.empty()) {
      size_t at = line.find(separator);
      if (at == std::string_view::npos) {
        return fail(Errc::kInvalidArgument, fmt::format("line {} has no key separator '{}'", records.size(), separator));
      }
      record.key = std::string(line.substr(0, at));
      line.remove_prefix(at + separator.size());
    }
    record.value = std::string(line);
  }
  return records;
}

/// application/json: one object is one record, an array one record an element.
Result<std::vector<model::Record>> records_of_json(const Call& call) {
  std::vector<model::Record> records;
  size_t first = call.request.body.find_first_not_of(" \t\r\n");
  bool many = first != std::string::npos && call.request.body[first] == '[';
  TRY(auto path, format::JsonPath::parse(many ? "$[*]" : "$"));
  TRY_DO(format::select(call.request.body, path, [&](std::string_view raw) -> Status {
    records.emplace_back().value = std::string(raw);
    return {};
  }));
  return records;
}

Result<Response> produce(const Call& call) {
  static std::atomic<uint32_t> turn{0};
  const std::string& name = call.path[0];
  if (!is_elsewhere(call.instance, name)) TRY_DO(topic_of(call));
  TRY_DO(call.instance.check_room());
  std::string_view type = call.request.header("content-type").value_or("application/json");
  type = type.substr(0, type.find(';'));
  Result<std::vector<model::Record>> records = std::vector<model::Record>();
  if (type == "application/json") {
    records = records_of_json(call);
  } else if (type == "application/x-ndjson" || type == "application/jsonl") {
    records = records_of_lines(call, false);
  } else if (type == "text/plain") {
    records = records_of_lines(call, true);
  } else {
    return serve::http::error_response(415, "unsupported_media_type", fmt::format("records cannot be read from {}", type),
                                       "application/json, application/x-ndjson or text/plain");
  }
  if (!records) return fail(std::move(records.error()));
  TRY(auto writer, call.instance.writer(name));
  TRY(auto batches, writer->append(*records, model::Partition(static_cast<int32_t>(turn++ & 0x7fffffff))));
  Json json = Json::array();
  for (const port::Appended& batch : batches) {
    Json one = Json::object();
    one.set("topic", name)
        .set("partition", batch.partition.value)
        .set("first_offset", batch.first.value)
        .set("count", batch.count);
    json.push(std::move(one));
  }
  return json_response(json);
}

/// Where to read each partition: `positions=3,0,17`, or `from=earliest|latest|OFFSET|TIME`, or `last=N` records in all.
Result<std::vector<model::Offset>> tail_positions(const Call& call, log::Topic& topic) {
  std::vector<model::Offset> positions;
  std::string_view given = call.parameter("positions");
  std::string_view from = call.parameter("from");
  TRY(int64_t last, call.number("last", 10, 0, 1'000'000));
  for (int32_t p = 0; p < topic.partition_count(); ++p) {
    log::PartitionLog& partition = topic.partition(model::Partition(p));
    int64_t start = partition.start_offset().value, end = partition.end_offset().value;
    if (!given.empty()) {
      int64_t number = 0;
      auto [stop, error] = std::from_chars(given.data(), given.data() + given.size(), number);
      if (error != std::errc()) return fail(Errc::kInvalidArgument, "'positions' is one offset a partition, with commas");
      given.remove_prefix(std::min(given.size(), static_cast<size_t>(stop - given.data()) + 1));
      positions.emplace_back(std::clamp(number, start, end));
    } else if (!from.empty()) {
      TRY(model::Offset offset, offset_from(partition, from));
      positions.push_back(offset);
    } else {
      positions.emplace_back(std::max(start, end - last));
    }
  }
  return positions;
}

Result<Response> tail(const Call& call) {
  if (is_elsewhere(call.instance, call.path[0])) return tail_elsewhere(call);
  TRY(auto topic, topic_of(call));
  TRY(std::vector<model::Offset> positions, tail_positions(call, *topic));
  bool last_of_all = call.parameter("positions").empty() && call.parameter("from").empty();
  TRY(int64_t limit, call.number(last_of_all ? "last" : "limit", 10, 0, 100'000));
  Duration wait{0};
  if (auto text = call.request.parameter("wait")) {
    TRY(wait, parse_duration(*text));
    wait = std::min<Duration>(wait, std::chrono::seconds(30));
  }
  log::Waiter waiter;
  for (int32_t p = 0; p < topic->partition_count(); ++p) topic->partition(model::Partition(p)).attach(waiter);
  struct Found {
    int64_t timestamp_ms;
    int32_t partition;
    int64_t offset;
    Json json;
  };
  std::vector<Found> found;
  Status read;
  for (int attempt = 0; attempt < 2 && read && found.empty(); ++attempt) {
    uint64_t seen = waiter.signals();
    for (int32_t p = 0; p < topic->partition_count() && read; ++p) {
      auto& at = positions[static_cast<size_t>(p)];
      auto run = topic->partition(model::Partition(p)).read(at, 8 << 20, static_cast<size_t>(limit));
      if (!run) {
        read = fail(std::move(run.error()));
        break;
      }
      for (const model::RecordView& record : run->records)
        found.push_back({record.timestamp_ms, p, record.offset.value, record_json(topic->name(), p, record)});
      at = run->next;
    }
    if (found.empty() && attempt == 0 && wait > Duration(0)) waiter.wait(seen, wait);
  }
  for (int32_t p = 0; p < topic->partition_count(); ++p) topic->partition(model::Partition(p)).detach(waiter);
  TRY_DO(read);
  std::sort(found.begin(), found.end(), [](const Found& a, const Found& b) {
    return std::tie(a.timestamp_ms, a.partition, a.offset) < std::tie(b.timestamp_ms, b.partition, b.offset);
  });
  auto keep = std::min(found.size(), static_cast<size_t>(limit));
  // The last N of the topic are the newest of every partition's last N; from a place on, the oldest come first.
  auto first = last_of_all ? found.end() - static_cast<ptrdiff_t>(keep) : found.begin();
  Json records = Json::array();
  std::string next;
  for (auto it = found.begin(); it != found.end(); ++it) {
    bool shown = it >= first && it < first + static_cast<ptrdiff_t>(keep);
    if (shown) records.push(std::move(it->json));
    // What is not shown now is read again by the next call.
    if (!shown && !last_of_all) {
      auto& place = positions[static_cast<size_t>(it->partition)];
      place = std::min(place, model::Offset(it->offset));
    }
  }
  for (model::Offset position : positions) next += (next.empty() ? "" : ",") + std::to_string(position.value);
  Json json = Json::object();
  json.set("records", std::move(records)).set("next", next);
  return json_response(json);
}

constexpr Route kRoutes[] = {
    {"GET", "/v1/topics", true, list},
    {"POST", "/v1/topics", false, create},
    {"GET", "/v1/topics/*", true, describe},
    {"DELETE", "/v1/topics/*", false, drop},
    {"POST", "/v1/topics/*/truncate", false, truncate},
    {"POST", "/v1/topics/*/records", false, produce},
    {"GET", "/v1/topics/*/records", true, tail},
};

}  // namespace

std::span<const Route> topic_routes() { return kRoutes; }

Result<model::Offset> offset_from(log::PartitionLog& partition, std::string_view from) {
  if (from == "earliest") return partition.start_offset();
  if (from == "latest") return partition.end_offset();
  int64_t number = 0;
  auto [end, error] = std::from_chars(from.data(), from.data() + from.size(), number);
  if (error == std::errc() && end == from.data() + from.size()) {
    if (number < 0) return fail(Errc::kInvalidArgument, fmt::format("'{}' is not an offset: they begin with 0", from));
    return model::Offset(std::clamp(number, partition.start_offset().value, partition.end_offset().value));
  }
  TRY(Instant time, parse_instant(from));
  return partition.offset_for_time(to_millis(time));
}

}  // namespace millrace::app
