#include "app/query_info.h"

#include "format/json_doc.h"

namespace millrace::app {
namespace {

constexpr std::string_view kPrefix = "query/";
constexpr std::string_view kSuffix = "/info";

std::string key_of(std::string_view name) { return std::string(kPrefix) + std::string(name) + std::string(kSuffix); }

Result<QueryInfo> parse(std::string_view name, std::string_view text) {
  TRY(format::Json json, format::parse_json(text));
  return QueryInfo{std::string(name), json.string_or("topic", ""), json.string_or("into", ""), json.bool_or("into_table", false),
                   json.bool_or("paused", false)};
}

}  // namespace

QueryInfo info_of(const CompiledQuery& query, bool paused) {
  return {query.name, query.topic, query.into, query.into_table, paused};
}

Status store_query_info(store::Store& store, const QueryInfo& info) {
  TRY(auto now, load_query_info(store, info.name));
  if (now && *now == info) return {};
  format::Json json = format::Json::object();
  json.set("topic", info.topic).set("into", info.into).set("into_table", info.into_table).set("paused", info.paused);
  store::Batch batch;
  batch.put(store::Space::kMeta, key_of(info.name), to_json(json));
  return store.commit(std::move(batch), store::Durability::kSync);
}

Result<std::optional<QueryInfo>> load_query_info(store::Store& store, std::string_view name) {
  TRY(auto text, store.get(store::Space::kMeta, key_of(name)));
  if (!text) return std::optional<QueryInfo>();
  TRY(QueryInfo info, parse(name, *text));
  return std::optional<QueryInfo>(std::move(info));
}

std::vector<QueryView> stored_queries(DataDir& data) {
  std::vector<QueryView> views;
  auto cursor = data.store().scan(store::Space::kMeta, kPrefix, "query0");
  for (; cursor->valid(); cursor->next()) {
    std::string_view key = cursor->key();
    if (!key.ends_with(kSuffix)) continue;
    std::string name(key.substr(kPrefix.size(), key.size() - kPrefix.size() - kSuffix.size()));
    auto info = parse(name, cursor->value());
    if (!info) continue;
    QueryView view{name, info->topic, info->into, info->into_table, "stopped", "", {}, 0};
    auto bytes = data.store().get(store::Space::kMeta, stream::position_key(name));
    if (bytes && *bytes) {
      if (auto position = stream::decode_position(**bytes)) view.position = std::move(*position);
    }
    view.in_flight = records_behind(data.log(), view.topic, view.position);
    views.push_back(std::move(view));
  }
  return views;
}

std::string table_identity_key(std::string_view query) { return std::string(kPrefix) + std::string(query) + "/table"; }

std::string schema_key(std::string_view topic) { return "topic/" + std::string(topic) + "/schema"; }

uint64_t records_behind(log::Log& log, const std::string& topic_name, const stream::Position& position) {
  auto topic = log.find(topic_name);
  if (topic == nullptr) return 0;
  uint64_t behind = 0;
  for (int32_t p = 0; p < topic->partition_count(); ++p) {
    log::PartitionLog& partition = topic->partition(model::Partition(p));
    model::Offset next = static_cast<size_t>(p) < position.partitions.size() ? position.partitions[static_cast<size_t>(p)].next
                                                                             : partition.start_offset();
    model::Offset end = partition.end_offset();
    if (end > next) behind += static_cast<uint64_t>(end - next);
  }
  return behind;
}

}  // namespace millrace::app
