#include "app/api_topics_elsewhere.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <tuple>

#include "codec/kafka_record/record_batch.h"

namespace millrace::app {

using format::Json;

bool is_elsewhere(Instance& instance, const std::string& topic) {
  std::vector<std::string> names = instance.topics_elsewhere();
  return std::find(names.begin(), names.end(), topic) != names.end();
}

Status refuse_elsewhere(const Call& call) {
  if (!is_elsewhere(call.instance, call.path[0])) return {};
  return fail(Errc::kFailedPrecondition,
              fmt::format("topic {} is not in this data directory, but in the profile's log", call.path[0]),
              "use the tools of that system, such as kafka-topics and kafka-delete-records");
}

Json summary_elsewhere(const std::string& topic, const port::TopicInfo& info) {
  int64_t records = 0;
  for (const port::OffsetRange& partition : info.partitions) records += partition.end - partition.start;
  Json json = Json::object();
  return json.set("topic", topic)
      .set("partitions", info.partitions.size())
      .set("records", records)
      .set("bytes", Json())
      .set("topic_id", format_uuid(info.id))
      .set("compression", Json())
      .set("sync", Json())
      .set("retention_time", Json())
      .set("retention_bytes", Json())
      .set("owner", Json());
}

Result<Response> describe_elsewhere(const Call& call) {
  const std::string& topic = call.path[0];
  TRY(port::TopicInfo info, call.instance.parts()->topics().describe(topic));
  Json json = summary_elsewhere(topic, info);
  auto schema = call.instance.topic_schema(topic);
  json.set("schema", schema ? Json(model::to_sql(*schema)) : Json());
  Json partitions = Json::array();
  for (size_t p = 0; p < info.partitions.size(); ++p) {
    Json one = Json::object();
    one.set("partition", p)
        .set("start_offset", info.partitions[p].start.value)
        .set("end_offset", info.partitions[p].end.value)
        .set("bytes", Json());
    partitions.push(std::move(one));
  }
  json.set("offsets", std::move(partitions));
  return json_response(json);
}

Json record_json(const std::string& topic, int32_t partition, const model::RecordView& record) {
  Json json = Json::object();
  json.set("topic", topic)
      .set("partition", partition)
      .set("offset", record.offset.value)
      .set("timestamp", format_instant(instant_from_millis(record.timestamp_ms)))
      .set("key", bytes_json(record.key))
      .set("value", bytes_json(record.value));
  if (auto headers = codec::kafka_record::decode_headers(record.raw_headers); headers && !headers->empty()) {
    Json list = Json::array();
    for (const model::Header& header : *headers) {
      Json one = Json::object();
      one.set("key", header.key).set("value", header.value ? bytes_json(std::string_view(*header.value)) : Json());
      list.push(std::move(one));
    }
    json.set("headers", std::move(list));
  }
  return json;
}

Result<model::Offset> offset_within(const port::OffsetRange& range, std::string_view from) {
  if (from == "earliest") return range.start;
  if (from == "latest") return range.end;
  int64_t number = 0;
  auto [end, error] = std::from_chars(from.data(), from.data() + from.size(), number);
  if (error != std::errc() || end != from.data() + from.size() || number < 0) {
    return fail(Errc::kInvalidArgument, fmt::format("'{}' is no place in a topic of another log", from),
                "earliest, latest or an offset");
  }
  return model::Offset(std::clamp(number, range.start.value, range.end.value));
}

namespace {

/// As for a topic of our own: `positions=3,0,17`, or `from=earliest|latest|OFFSET`, or `last=N` records in all.
Result<std::vector<model::Offset>> positions_of(const Call& call, const port::TopicInfo& info) {
  std::vector<model::Offset> positions;
  std::string_view given = call.parameter("positions"), from = call.parameter("from");
  TRY(int64_t last, call.number("last", 10, 0, 1'000'000));
  for (const port::OffsetRange& range : info.partitions) {
    if (given.empty() && from.empty()) {
      positions.emplace_back(std::max(range.start.value, range.end.value - last));
      continue;
    }
    std::string_view one = given.empty() ? from : given.substr(0, given.find(','));
    TRY(model::Offset offset, offset_within(range, one));
    positions.push_back(offset);
    if (!given.empty()) given.remove_prefix(std::min(given.size(), one.size() + 1));
  }
  return positions;
}

struct Found {
  int64_t timestamp_ms;
  int32_t partition;
  int64_t offset;
  Json json;
};

}  // namespace

Result<Response> tail_elsewhere(const Call& call) {
  const std::string& topic = call.path[0];
  port::TopicStore& topics = call.instance.parts()->topics();
  TRY(port::TopicInfo info, topics.describe(topic));
  TRY(std::vector<model::Offset> positions, positions_of(call, info));
  bool last_of_all = call.parameter("positions").empty() && call.parameter("from").empty();
  TRY(int64_t limit, call.number(last_of_all ? "last" : "limit", 10, 0, 100'000));
  Duration wait{0};
  if (auto text = call.request.parameter("wait")) {
    TRY(wait, parse_duration(*text));
    wait = std::min<Duration>(wait, std::chrono::seconds(30));
  }
  TRY(auto source, topics.source(topic));
  bool some = false;  // is there already
  for (size_t p = 0; p < positions.size(); ++p) {
    TRY_DO(source->seek(model::Partition(static_cast<int32_t>(p)), positions[p]));
    some = some || positions[p] < info.partitions[p].end;
  }
  std::vector<Found> found;
  constexpr Duration kAnswerMax = std::chrono::seconds(10);
  auto behind = [&](size_t p) { return p < info.partitions.size() && positions[p] < info.partitions[p].end; };
  do {
    TRY(auto runs, source->poll({static_cast<size_t>(std::max<int64_t>(limit, 1)), 8 << 20}, some ? kAnswerMax : wait));
    if (runs.empty()) break;
    for (const model::RecordRun& run : runs) {
      auto p = static_cast<size_t>(run.partition.value);
      if (p >= positions.size()) continue;  // the topic grew meanwhile
      for (const model::RecordView& record : run.records)
        found.push_back(
            {record.timestamp_ms, run.partition.value, record.offset.value, record_json(topic, run.partition.value, record)});
      positions[p] = run.next;
    }
    some = false;
    for (size_t p = 0; p < positions.size(); ++p) some = some || behind(p);
  } while (some && (last_of_all || found.size() < static_cast<size_t>(limit)));

  std::sort(found.begin(), found.end(), [](const Found& a, const Found& b) {
    return std::tie(a.timestamp_ms, a.partition, a.offset) < std::tie(b.timestamp_ms, b.partition, b.offset);
  });
  size_t keep = std::min(found.size(), static_cast<size_t>(limit));
  size_t first = last_of_all ? found.size() - keep : 0;
  Json records = Json::array();
  for (size_t i = 0; i < found.size(); ++i) {
    bool shown = i >= first && i < first + keep;
    if (shown) records.push(std::move(found[i].json));
    // What is not shown now is read again by the next call.
    auto& place = positions[static_cast<size_t>(found[i].partition)];
    if (!shown && !last_of_all) place = std::min(place, model::Offset(found[i].offset));
  }
  std::string next;
  for (model::Offset position : positions) next += (next.empty() ? "" : ",") + std::to_string(position.value);
  Json json = Json::object();
  json.set("records", std::move(records)).set("next", next);
  return json_response(json);
}

}  // namespace millrace::app
