#include "connect/kafka/group_source.h"

#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <thread>

#include "base/log.h"
#include "connect/kafka/handles.h"

namespace millrace::connect::kafka {

namespace {

constexpr int kTimeoutMs = 10'000;
constexpr size_t kNoteBytesMax = 256;

PartitionList list_of(const std::string& topic, const std::vector<port::PartitionEnd>& ends, const model::TopicId& id) {
  PartitionList list(rd_kafka_topic_partition_list_new(static_cast<int>(ends.size())));
  for (const port::PartitionEnd& end : ends) {
    auto* entry = rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), end.partition.value);
    entry->offset = end.next.value;
    std::string note = write_commit_note({end.version, id});
    // The list frees it as librdkafka's own memory.
    entry->metadata = std::memcpy(rd_kafka_mem_malloc(nullptr, note.size()), note.data(), note.size());
    entry->metadata_size = note.size();
  }
  return list;
}

}  // namespace

std::string write_commit_note(const CommitNote& note) {
  return fmt::format("v1 {} {}", note.version, format_uuid(note.topic.value_or(model::TopicId())));
}

CommitNote read_commit_note(std::string_view text) {
  if (!text.starts_with("v1 ") || text.size() > kNoteBytesMax) return {};
  CommitNote note;
  auto [end, fault] = std::from_chars(text.data() + 3, text.data() + text.size(), note.version);
  std::string_view rest(end, static_cast<size_t>(text.data() + text.size() - end));
  if (fault != std::errc() || !rest.starts_with(' ')) return {};
  auto id = parse_uuid(rest.substr(1));
  if (!id) return {};
  note.topic = *id;
  return note;
}

/// The partitions to assign or to give up.
struct KafkaGroupSource::Pending {
  int error;
  PartitionList partitions;
};

Result<std::unique_ptr<KafkaGroupSource>> KafkaGroupSource::open(Cluster& cluster, const std::string& topic,
                                                                 const std::string& query) {
  auto group = cluster.options().options.find("group.id");
  if (group == cluster.options().options.end()) {
    return fail(Errc::kFailedPrecondition, fmt::format("topic {} is not read by a consumer group", topic),
                "set the option group.id");
  }
  std::unique_ptr<KafkaGroupSource> source(new KafkaGroupSource(cluster, topic));
  Client::Settings fixed = consumer_fixed();
  fixed.emplace_back("group.id", fmt::format("{}.{}", group->second, query));
  fixed.emplace_back("partition.assignment.strategy", "cooperative-sticky");
  auto callbacks = [](rd_kafka_conf_t* conf) {
    rd_kafka_conf_set_rebalance_cb(conf, [](rd_kafka_t* rk, rd_kafka_resp_err_t error, rd_kafka_topic_partition_list_t* list,
                                            void* opaque) { on_rebalance(rk, error, list, opaque); });
  };
  TRY(source->client_, Client::make(cluster.options(), {.kind = Client::Kind::kConsumer,
                                                        .defaults = consumer_defaults(),
                                                        .fixed = fixed,
                                                        .callbacks = callbacks,
                                                        .owner = source.get()}));
  rd_kafka_t* rk = source->client_->get();
  rd_kafka_poll_set_consumer(rk);
  source->fetcher_ = std::make_unique<Fetcher>(*source->client_, topic);
  Queue events(rd_kafka_queue_get_consumer(rk));
  rd_kafka_queue_cb_event_enable(events.get(), on_queued, source.get());
  PartitionList topics(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(topics.get(), topic.c_str(), RD_KAFKA_PARTITION_UA);
  if (auto error = rd_kafka_subscribe(rk, topics.get())) return fail(source->client_->error(error, "subscribe " + topic));
  return source;
}

KafkaGroupSource::KafkaGroupSource(Cluster& cluster, const std::string& topic)
    : cluster_(cluster), topic_(topic), watch_(cluster, topic) {}

KafkaGroupSource::~KafkaGroupSource() {
  if (!client_) return;
  Queue events(rd_kafka_queue_get_consumer(client_->get()));
  if (events) rd_kafka_queue_cb_event_enable(events.get(), nullptr, nullptr);
  closing_ = true;
  // The library waits for the answer to each change before it goes on.
  if (pending_) {
    PartitionList partitions = std::move(pending_->partitions);
    bool gain = pending_->error == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
    if (!gain || !accept(partitions.get())) unassign(partitions.get());
  }
  // Says goodbye, so that the others need not wait for the session to time out.
  rd_kafka_consumer_close(client_->get());
}

void KafkaGroupSource::on_queued(rd_kafka_s*, void* self) { static_cast<KafkaGroupSource*>(self)->fetcher_->wake(); }

void KafkaGroupSource::on_rebalance(rd_kafka_s*, int error, rd_kafka_topic_partition_list_s* partitions, void* opaque) {
  static_cast<KafkaGroupSource*>(static_cast<Client*>(opaque)->owner())->rebalance(error, partitions);
}

void KafkaGroupSource::rebalance(int error, rd_kafka_topic_partition_list_t* partitions) {
  bool lost = rd_kafka_assignment_lost(client_->get()) != 0;
  bool gain = error == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
  if (!closing_ && (gain || (error == RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS && !lost))) {
    pending_ = std::make_unique<Pending>(error, PartitionList(rd_kafka_topic_partition_list_copy(partitions)));
    return;
  }
  if (lost) log_warn("kafka", fmt::format("{} partitions were taken away topic={}", partitions->cnt, topic_));
  if (!gain || !accept(partitions)) unassign(partitions);
}

Status KafkaGroupSource::accept(const rd_kafka_topic_partition_list_t* partitions) {
  Fault fault(rd_kafka_incremental_assign(client_->get(), partitions));
  if (!fault) return {};
  return fail(client_->error(rd_kafka_error_code(fault.get()), "assign " + topic_, rd_kafka_error_string(fault.get())));
}

void KafkaGroupSource::unassign(const rd_kafka_topic_partition_list_t* partitions) {
  pending_.reset();
  announced_ = false;
  {
    MutexLock lock(mutex_);
    for (int i = 0; i < partitions->cnt; ++i) owned_.erase(partitions->elems[i].partition);
  }
  for (int i = 0; i < partitions->cnt; ++i) {
    fetcher_->runs().drop(partitions->elems[i].partition);
    fetcher_->forgive(partitions->elems[i].partition);
  }
  Fault fault(rd_kafka_incremental_unassign(client_->get(), partitions));
  if (fault) log_warn("kafka", fmt::format("unassign: {} topic={}", rd_kafka_error_string(fault.get()), topic_));
}

Status KafkaGroupSource::load_committed(rd_kafka_topic_partition_list_t* partitions) {
  for (int i = 0; i < partitions->cnt; ++i) partitions->elems[i].offset = RD_KAFKA_OFFSET_INVALID;
  if (auto error = rd_kafka_committed(client_->get(), partitions, kTimeoutMs)) {
    return fail(client_->error(error, fmt::format("committed offsets of topic {}", topic_)));
  }
  for (int i = 0; i < partitions->cnt; ++i) {
    auto& entry = partitions->elems[i];
    if (entry.err != 0) return fail(client_->error(entry.err, fmt::format("committed offset of {}-{}", topic_, entry.partition)));
    CommitNote note = read_commit_note({static_cast<const char*>(entry.metadata), entry.metadata_size});
    if (entry.offset >= 0 && note.topic && watch_.known() && *note.topic != watch_.known()->id) {
      return fail(
          Errc::kFailedPrecondition,
          fmt::format("the committed offset of {}-{} belongs to a topic of that name that was deleted", topic_, entry.partition),
          "delete the consumer group, or set another group.id");
    }
    fetcher_->runs().drop(entry.partition);
    fetcher_->runs().set_version_floor(entry.partition, note.version);
    if (entry.offset >= 0) fetcher_->runs().set_position(entry.partition, entry.offset);
    if (entry.offset < 0) entry.offset = RD_KAFKA_OFFSET_BEGINNING;
  }
  return {};
}

Status KafkaGroupSource::assign(rd_kafka_topic_partition_list_t* partitions) {
  TRY_DO(load_committed(partitions));
  TRY_DO(accept(partitions));
  MutexLock lock(mutex_);
  for (int i = 0; i < partitions->cnt; ++i) {
    int32_t p = partitions->elems[i].partition;
    // Records come by a queue of their own: the consumer's queue brings the changes of the assignment.
    Queue from(rd_kafka_queue_get_partition(client_->get(), topic_.c_str(), p));
    rd_kafka_queue_forward(from.get(), fetcher_->queue());
    owned_.insert(p);
  }
  return {};
}

Status KafkaGroupSource::carry_out() {
  announced_ = false;
  if (pending_->error == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
    TRY_DO(assign(pending_->partitions.get()));
    pending_.reset();
  } else {
    PartitionList partitions = std::move(pending_->partitions);
    unassign(partitions.get());
  }
  return {};
}

Status KafkaGroupSource::serve_group() {
  using Message = Owned<rd_kafka_message_t, rd_kafka_message_destroy>;
  while (Message message{rd_kafka_consumer_poll(client_->get(), 0)}) {
    if (message->err == RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED) {
      log_warn("kafka", fmt::format("left the group: {} topic={}", rd_kafka_message_errstr(message.get()), topic_));
      continue;
    }
    // Fetching begins with the assignment, a moment before the partition's queue leads elsewhere.
    if (message->err == 0 || message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      if (owns(message->partition)) fetcher_->deliver(*message);
      continue;
    }
    Error error = client_->error(message->err, "topic " + topic_, rd_kafka_message_errstr(message.get()));
    if (error.code != Errc::kUnavailable && error.code != Errc::kNotFound) return fail(std::move(error));
    watch_.hurry();
  }
  return {};
}

Status KafkaGroupSource::refresh() {
  if (client_->take_trouble() || fetcher_->take_doubt()) watch_.hurry();
  if (watch_.due()) TRY_DO(watch_.look(&woken_));
  return serve_group();
}

Result<std::vector<model::RecordRun>> KafkaGroupSource::poll(const port::PollLimit& limit, Duration wait) {
  Status looked = refresh();
  bool woken = woken_.exchange(false);
  if (!looked && looked.error().code == Errc::kCancelled) return std::vector<model::RecordRun>();
  if (!looked) return fail(looked.error());
  if (pending_ && rd_kafka_assignment_lost(client_->get()) != 0 && pending_->error == RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS) {
    TRY_DO(carry_out());
  }
  if (pending_ && !announced_) {
    announced_ = true;
    return std::vector<model::RecordRun>();
  }
  if (pending_) {
    TRY_DO(carry_out());
    TRY_DO(serve_group());  // what came before the new partitions' own queue goes first
  }
  if (auto error = fetcher_->take_error()) return fail(std::move(*error));
  if (auto partition = fetcher_->out_of_range()) {
    TRY(port::OffsetRange kept, bounds(model::Partition(*partition)));
    return fail(out_of_range(topic_, *partition, fetcher_->runs().position(*partition).value_or(0), kept));
  }
  fetcher_->gather(limit, woken ? Duration(0) : wait);
  auto runs = fetcher_->runs().take();
  if (runs.empty()) {
    TRY_DO(serve_group());
    announced_ = pending_ != nullptr;
  }
  return runs;
}

Status KafkaGroupSource::check_owned(const std::vector<port::PartitionEnd>& ends) {
  bool lost = rd_kafka_assignment_lost(client_->get()) != 0;
  MutexLock lock(mutex_);
  for (const port::PartitionEnd& end : ends) {
    if (lost || !owned_.contains(end.partition.value)) {
      return fail(Errc::kFenced, fmt::format("{}-{} has gone to another member of the group", topic_, end.partition.value));
    }
  }
  return {};
}

Status KafkaGroupSource::join_transaction(const std::vector<port::PartitionEnd>& ends, const Send& send) {
  if (ends.empty()) return {};
  TRY_DO(check_owned(ends));
  GroupMetadata metadata(rd_kafka_consumer_group_metadata(client_->get()));
  PartitionList list = list_of(topic_, ends, watch_.known()->id);
  return send(list.get(), metadata.get());
}

Status KafkaGroupSource::commit(const std::vector<port::PartitionEnd>& ends) {
  if (ends.empty() || std::exchange(transacted_, {}) == ends) return {};
  TRY_DO(check_owned(ends));
  PartitionList list = list_of(topic_, ends, watch_.known()->id);
  auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(kTimeoutMs);
  rd_kafka_resp_err_t error = rd_kafka_commit(client_->get(), list.get(), 0);
  // Between the two halves of a rebalance the coordinator takes no commits.
  while (error == RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    TRY_DO(check_owned(ends));
    error = rd_kafka_commit(client_->get(), list.get(), 0);
  }
  if (error != 0) return fail(client_->error(error, fmt::format("commit of the offsets of topic {}", topic_)));
  for (int i = 0; i < list->cnt; ++i) {
    if (list->elems[i].err != 0) {
      return fail(client_->error(list->elems[i].err, fmt::format("commit of {}-{}", topic_, list->elems[i].partition)));
    }
  }
  for (const port::PartitionEnd& end : ends) fetcher_->runs().set_version_floor(end.partition.value, end.version);
  return {};
}

Status KafkaGroupSource::rewind() {
  transacted_.clear();
  PartitionList list(rd_kafka_topic_partition_list_new(8));
  for (model::Partition p : owned()) rd_kafka_topic_partition_list_add(list.get(), topic_.c_str(), p.value);
  if (list->cnt == 0) return {};
  TRY_DO(load_committed(list.get()));
  Fault fault(rd_kafka_seek_partitions(client_->get(), list.get(), kTimeoutMs));
  int error = fault ? rd_kafka_error_code(fault.get()) : 0;
  for (int i = 0; i < list->cnt && error == 0; ++i) error = list->elems[i].err;
  if (error != 0) return fail(client_->error(error, fmt::format("reading again what is not committed of topic {}", topic_)));
  for (int i = 0; i < list->cnt; ++i) fetcher_->forgive(list->elems[i].partition);
  return {};
}

Result<port::SourceInfo> KafkaGroupSource::describe() {
  TRY(TopicShape shape, watch_.look());
  return port::SourceInfo{.topic_id = shape.id, .partitions = shape.partitions};
}

Result<port::OffsetRange> KafkaGroupSource::bounds(model::Partition partition) {
  TRY(auto ranges, cluster_.ranges(topic_, partition.value, 1));
  return ranges[0];
}

Status KafkaGroupSource::seek(model::Partition, model::Offset) {
  return fail(Errc::kFailedPrecondition, fmt::format("the positions in topic {} are the consumer group's", topic_),
              "kafka-consumer-groups --reset-offsets moves them while no member runs");
}

bool KafkaGroupSource::owns(int32_t partition) {
  MutexLock lock(mutex_);
  return owned_.contains(partition);
}

std::vector<model::Partition> KafkaGroupSource::owned() {
  MutexLock lock(mutex_);
  std::vector<model::Partition> out;
  for (int32_t p : owned_) out.emplace_back(p);
  return out;
}

void KafkaGroupSource::wake() {
  woken_ = true;
  fetcher_->wake();
}

}  // namespace millrace::connect::kafka
