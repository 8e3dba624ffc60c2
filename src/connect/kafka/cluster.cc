#include "connect/kafka/cluster.h"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <chrono>

#include "base/bytes.h"
#include "connect/kafka/handles.h"

namespace millrace::connect::kafka {

namespace {

constexpr int kTimeoutMs = 10'000;
constexpr int kSliceMs = 100;
constexpr int kReachSliceMs = 2'000;

void take(rd_kafka_error_t* error) {
  if (error != nullptr) rd_kafka_error_destroy(error);
}

AdminOptions make_options(rd_kafka_t* rk, rd_kafka_admin_op_t op) {
  AdminOptions options(rd_kafka_AdminOptions_new(rk, op));
  char text[256];
  rd_kafka_AdminOptions_set_request_timeout(options.get(), kTimeoutMs, text, sizeof text);
  return options;
}

/// The answer to an admin request. The library itself ends the request in time.
Result<Event> await(Client& client, const Queue& queue, std::string_view what, const std::atomic<bool>* stop = nullptr) {
  Event event;
  for (int waited = 0; !event && waited < kTimeoutMs + 2'000; waited += kSliceMs) {
    if (stop != nullptr && *stop) return fail(Errc::kCancelled, fmt::format("kafka: {}: stopped", what));
    event.reset(rd_kafka_queue_poll(queue.get(), kSliceMs));
  }
  rd_kafka_poll(client.get(), 0);  // lets on_error speak first
  if (!event) return fail(client.error(RD_KAFKA_RESP_ERR__TIMED_OUT, what));
  if (rd_kafka_event_error(event.get()) != 0) {
    return fail(client.error(rd_kafka_event_error(event.get()), what, rd_kafka_event_error_string(event.get())));
  }
  return event;
}

model::TopicId topic_id(const rd_kafka_Uuid_t* id) {
  model::TopicId out;
  if (id == nullptr) return out;
  store_be(reinterpret_cast<char*>(out.bytes.data()), rd_kafka_Uuid_most_significant_bits(id));
  store_be(reinterpret_cast<char*>(out.bytes.data() + 8), rd_kafka_Uuid_least_significant_bits(id));
  return out;
}

Status set_config(rd_kafka_NewTopic_t* topic, const char* name, const std::string& value) {
  if (rd_kafka_NewTopic_set_config(topic, name, value.c_str()) == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
  return fail(Errc::kInvalidArgument, fmt::format("kafka: {} cannot be {}", name, value));
}

/// FNV-1a, 64 bits (Fowler, Noll, Vo).
uint64_t fnv1a(std::string_view text, uint64_t hash) {
  for (unsigned char c : text) hash = (hash ^ c) * 0x100000001b3;
  return hash;
}

}  // namespace

model::TopicId derived_topic_id(std::string_view cluster, std::string_view topic) {
  constexpr uint64_t kBasis = 0xcbf29ce484222325;
  model::TopicId id;
  store_be(reinterpret_cast<char*>(id.bytes.data()), fnv1a(topic, fnv1a("/", fnv1a(cluster, kBasis))));
  store_be(reinterpret_cast<char*>(id.bytes.data() + 8), fnv1a(cluster, fnv1a("/", fnv1a(topic, kBasis))));
  id.bytes[6] = static_cast<uint8_t>((id.bytes[6] & 0x0f) | 0x80);  // version 8, own layout (RFC 9562, section 5.8)
  id.bytes[8] = static_cast<uint8_t>((id.bytes[8] & 0x3f) | 0x80);
  return id;
}

Cluster::Cluster(KafkaOptions options)
    : options_(std::move(options)), read_committed_([&] {
        auto level = options_.options.find("isolation.level");
        return level == options_.options.end() || level->second != "read_uncommitted";
      }()) {}

Result<std::unique_ptr<Cluster>> Cluster::open(const KafkaOptions& options) {
  std::unique_ptr<Cluster> cluster(new Cluster(options));
  TRY(std::shared_ptr<Client> client, Client::make(cluster->options_, {.kind = Client::Kind::kProducer}));
  MutexLock lock(cluster->mutex_);
  cluster->client_ = std::move(client);
  return cluster;
}

/// The client, when a broker answers it. An admin request that waits for one makes librdkafka 2.12 connect again and again,
/// without a pause: each try clears the reconnect backoff. And a cluster of one broker that shuts down tells of no brokers, after
/// which the library knows none and asks nobody, so a client that nobody answers is replaced.
Result<std::shared_ptr<Client>> Cluster::reach(std::string_view what, const std::atomic<bool>* stop) {
  std::shared_ptr<Client> client;
  {
    MutexLock lock(mutex_);
    client = client_;
  }
  rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR__TIMED_OUT;
  for (int waited = 0, slice = kSliceMs; waited < kTimeoutMs; waited += slice, slice = std::min(2 * slice, kReachSliceMs)) {
    if (stop != nullptr && *stop) return fail(Errc::kCancelled, fmt::format("kafka: {}: stopped", what));
    const rd_kafka_metadata_t* metadata = nullptr;
    error = rd_kafka_metadata(client->get(), 0, nullptr, &metadata, slice);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
      rd_kafka_metadata_destroy(metadata);
      return client;
    }
    rd_kafka_poll(client->get(), kSliceMs);  // lets on_error speak
  }
  TRY(std::shared_ptr<Client> fresh, Client::make(options_, {.kind = Client::Kind::kProducer}));
  {
    MutexLock lock(mutex_);
    if (client_ == client) client_ = std::move(fresh);
  }
  return fail(client->error(error, what));
}

Result<TopicShape> Cluster::shape(const std::string& topic, const std::atomic<bool>* stop) {
  std::string what = fmt::format("topic {}", topic);
  TRY(std::shared_ptr<Client> client, reach(what, stop));
  rd_kafka_t* rk = client->get();
  Queue queue(rd_kafka_queue_new(rk));
  AdminOptions options = make_options(rk, RD_KAFKA_ADMIN_OP_DESCRIBETOPICS);
  const char* names[] = {topic.c_str()};
  Owned<rd_kafka_TopicCollection_t, rd_kafka_TopicCollection_destroy> topics(rd_kafka_TopicCollection_of_topic_names(names, 1));
  rd_kafka_DescribeTopics(rk, topics.get(), options.get(), queue.get());
  TRY(Event event, await(*client, queue, what, stop));
  size_t count = 0;
  const auto** found = rd_kafka_DescribeTopics_result_topics(rd_kafka_event_DescribeTopics_result(event.get()), &count);
  if (count != 1) return fail(Errc::kInternal, fmt::format("kafka: {}: {} answers", what, count));
  if (const rd_kafka_error_t* error = rd_kafka_TopicDescription_error(found[0]); error != nullptr && rd_kafka_error_code(error)) {
    return fail(client->error(rd_kafka_error_code(error), what));
  }
  TopicShape shape;
  rd_kafka_TopicDescription_partitions(found[0], &count);
  shape.partitions = static_cast<int32_t>(count);
  shape.id = topic_id(rd_kafka_TopicDescription_topic_id(found[0]));
  if (shape.id.is_nil()) {
    Owned<char, [](char* p) { rd_kafka_mem_free(nullptr, p); }> cluster(rd_kafka_clusterid(rk, kTimeoutMs));
    if (!cluster) return fail(client->error(RD_KAFKA_RESP_ERR__TIMED_OUT, "id of the cluster"));
    shape.id = derived_topic_id(cluster.get(), topic);
  }
  return shape;
}

Status Cluster::create(const port::TopicSpec& spec) {
  std::string what = fmt::format("create topic {}", spec.name);
  TRY(std::shared_ptr<Client> client, reach(what));
  rd_kafka_t* rk = client->get();
  char text[512];
  Owned<rd_kafka_NewTopic_t, rd_kafka_NewTopic_destroy> topic(
      rd_kafka_NewTopic_new(spec.name.c_str(), spec.partitions, -1, text, sizeof text));
  if (!topic) return fail(Errc::kInvalidArgument, fmt::format("kafka: {}: {}", what, text));
  if (spec.retention_time) {
    auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(*spec.retention_time).count();
    TRY_DO(set_config(topic.get(), "retention.ms", std::to_string(ms)));
  }
  if (spec.retention_bytes) TRY_DO(set_config(topic.get(), "retention.bytes", std::to_string(*spec.retention_bytes)));
  // Without one the batches stay as their producers packed them.
  if (spec.compression != "none") TRY_DO(set_config(topic.get(), "compression.type", spec.compression));
  Queue queue(rd_kafka_queue_new(rk));
  AdminOptions options = make_options(rk, RD_KAFKA_ADMIN_OP_CREATETOPICS);
  rd_kafka_AdminOptions_set_operation_timeout(options.get(), kTimeoutMs / 2, text, sizeof text);
  rd_kafka_NewTopic_t* topics[] = {topic.get()};
  rd_kafka_CreateTopics(rk, topics, 1, options.get(), queue.get());
  TRY(Event event, await(*client, queue, what));
  size_t count = 0;
  const auto** results = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event.get()), &count);
  if (count != 1) return fail(Errc::kInternal, fmt::format("kafka: {}: {} answers", what, count));
  if (rd_kafka_resp_err_t error = rd_kafka_topic_result_error(results[0]); error != 0) {
    const char* words = rd_kafka_topic_result_error_string(results[0]);
    return fail(client->error(error, what, words == nullptr ? "" : words));
  }
  return {};
}

Result<std::vector<port::OffsetRange>> Cluster::ranges(const std::string& topic, int32_t first, int32_t count) {
  std::string what = fmt::format("offsets of topic {}", topic);
  TRY(std::shared_ptr<Client> client, reach(what));
  rd_kafka_t* rk = client->get();
  const port::OffsetRange unknown{model::Offset(RD_KAFKA_OFFSET_INVALID), model::Offset(RD_KAFKA_OFFSET_INVALID)};
  std::vector<port::OffsetRange> ranges(static_cast<size_t>(count), unknown);
  Queue queue(rd_kafka_queue_new(rk));
  AdminOptions options = make_options(rk, RD_KAFKA_ADMIN_OP_LISTOFFSETS);
  take(rd_kafka_AdminOptions_set_isolation_level(
      options.get(), read_committed_ ? RD_KAFKA_ISOLATION_LEVEL_READ_COMMITTED : RD_KAFKA_ISOLATION_LEVEL_READ_UNCOMMITTED));
  for (auto spec : {RD_KAFKA_OFFSET_SPEC_EARLIEST, RD_KAFKA_OFFSET_SPEC_LATEST}) {
    PartitionList list(rd_kafka_topic_partition_list_new(count));
    for (int32_t p = first; p < first + count; ++p) {
      rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), p)->offset = spec;
    }
    rd_kafka_ListOffsets(rk, list.get(), options.get(), queue.get());
    TRY(Event event, await(*client, queue, what));
    size_t answers = 0;
    const auto** infos = rd_kafka_ListOffsets_result_infos(rd_kafka_event_ListOffsets_result(event.get()), &answers);
    for (size_t i = 0; i < answers; ++i) {
      const rd_kafka_topic_partition_t* partition = rd_kafka_ListOffsetsResultInfo_topic_partition(infos[i]);
      if (partition->err != 0) return fail(client->error(partition->err, fmt::format("{}-{}", topic, partition->partition)));
      port::OffsetRange& range = ranges.at(static_cast<size_t>(partition->partition - first));
      (spec == RD_KAFKA_OFFSET_SPEC_EARLIEST ? range.start : range.end) = model::Offset(partition->offset);
    }
  }
  // While a partition changes its leader the library may leave it out, without an error.
  for (const port::OffsetRange& range : ranges) {
    if (range.start.value < 0 || range.end.value < 0) return fail(client->error(RD_KAFKA_RESP_ERR__WAIT_CACHE, what));
  }
  return ranges;
}

Result<std::optional<int64_t>> Cluster::committed(const std::string& group, const std::string& topic, int32_t partition) {
  // Not by the admin API: librdkafka 2.12 crashes (rd_kafka_handle_OffsetFetch) when a client without a group gets the answer
  // that the coordinator is not there for now. A read_committed consumer asks for stable offsets.
  TRY(std::unique_ptr<Client> client,
      Client::make(options_, {.kind = Client::Kind::kConsumer,
                              .fixed = {{"group.id", group}, {"group.instance.id", ""}, {"isolation.level", "read_committed"}}}));
  PartitionList list(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), partition);
  rd_kafka_resp_err_t error = rd_kafka_committed(client->get(), list.get(), kTimeoutMs);
  if (error == 0) error = list->elems[0].err;
  if (error != 0) {
    rd_kafka_poll(client->get(), 0);  // lets on_error speak first
    return fail(client->error(error, fmt::format("committed offset of group {}", group)));
  }
  if (list->elems[0].offset < 0) return std::optional<int64_t>();
  return std::optional<int64_t>(list->elems[0].offset);
}

}  // namespace millrace::connect::kafka
