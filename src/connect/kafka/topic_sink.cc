#include "connect/kafka/topic_sink.h"

#include <fmt/format.h>

#include <chrono>
#include <random>

#include "base/log.h"
#include "connect/kafka/group_source.h"
#include "connect/kafka/handles.h"
#include "format/json_write.h"

namespace millrace::connect::kafka {

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::string_view kKeyColumn = "_key";
constexpr int kSliceMs = 500;
// Sending positions begins anew with every try.
constexpr int kPositionsMs = 5'000;
constexpr std::chrono::seconds kPatience{30};
constexpr std::chrono::seconds kAbortPatience{2};

/// Members of a group write side by side, so each has an id of its own; one that keeps its name over restarts has the same again.
std::string transactional_id(const Cluster& cluster, const port::TopicSinkSpec& spec) {
  std::string id = fmt::format("millrace.{}.{}", spec.pipeline, spec.query);
  if (spec.group == nullptr) return id;
  auto name = cluster.options().options.find("group.instance.id");
  if (name != cluster.options().options.end()) return fmt::format("{}.{}", id, name->second);
  std::random_device random;
  return fmt::format("{}.{:08x}{:08x}", id, random(), random());
}

/// The batch without its key.
model::ColumnBatch values_of(const model::ColumnBatch& rows, size_t key) {
  model::ColumnBatch values = rows;
  auto schema = std::make_shared<model::Schema>(*rows.schema);
  schema->fields.erase(schema->fields.begin() + static_cast<ptrdiff_t>(key));
  values.schema = std::move(schema);
  values.columns.erase(values.columns.begin() + static_cast<ptrdiff_t>(key));
  return values;
}

void append_key(std::string& out, const model::Column& column, size_t row) {
  if (column.type->id == model::TypeId::kText || column.type->id == model::TypeId::kBlob) {
    out += column.text(row);
  } else {
    format::append_value_text(out, column, row);
  }
}

}  // namespace

struct TopicSink::Handles {
  TopicHandle topic;
};

struct TopicSink::Row {
  std::optional<std::string> key;
  std::string value;
  int64_t timestamp_ms = 0;
  int32_t unkeyed = 0;
};

Result<std::unique_ptr<TopicSink>> TopicSink::open(Cluster& cluster, const port::TopicSinkSpec& spec) {
  auto* group = dynamic_cast<KafkaGroupSource*>(spec.group);
  if (spec.group != nullptr && group == nullptr) {
    return fail(Errc::kInvalidArgument, fmt::format("query {} reads a consumer group of another store", spec.query));
  }
  return std::unique_ptr<TopicSink>(new TopicSink(cluster, spec, group));
}

TopicSink::TopicSink(Cluster& cluster, const port::TopicSinkSpec& spec, KafkaGroupSource* group)
    : cluster_(cluster), spec_(spec), group_(group), transactional_id_(transactional_id(cluster, spec)) {}

TopicSink::~TopicSink() = default;

port::SinkTraits TopicSink::traits() const {
  // Readers of committed records wait for the oldest open transaction.
  return {.kind = port::SinkKind::kTransactional, .epoch_records_max = 200'000, .epoch_time_max = std::chrono::seconds(10)};
}

Result<std::optional<uint64_t>> TopicSink::recover() {
  if (stop_) return fail(Errc::kCancelled, fmt::format("kafka: query {} stops", spec_.query));
  open_ = false;
  broken_ = true;
  delivery_.reset();
  handles_.reset();
  client_.reset();
  TRY(TopicShape shape, cluster_.shape(spec_.topic, &stop_));
  partitions_ = shape.partitions;
  auto callbacks = [](rd_kafka_conf_t* conf) {
    rd_kafka_conf_set_dr_msg_cb(conf, [](rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
      auto* client = static_cast<Client*>(opaque);
      auto* sink = static_cast<TopicSink*>(client->owner());
      if (message->err == 0 || sink->delivery_) return;
      sink->delivery_ = client->error(message->err, fmt::format("{}-{}", sink->spec_.topic, message->partition));
    });
  };
  TRY(client_, Client::make(cluster_.options(), {.kind = Client::Kind::kProducer,
                                                 .defaults = {{"linger.ms", "20"},
                                                              {"queue.buffering.max.messages", "200000"},
                                                              {"queue.buffering.max.kbytes", "131072"}},
                                                 .fixed = {{"transactional.id", transactional_id_},
                                                           {"partitioner", "murmur2_random"},
                                                           {"delivery.report.only.error", "true"}},
                                                 .callbacks = callbacks,
                                                 .owner = this}));
  rd_kafka_t* rk = client_->get();
  handles_.reset(new Handles{TopicHandle(rd_kafka_topic_new(rk, spec_.topic.c_str(), nullptr))});
  TRY_DO(insist("taking over the transactions", kSliceMs, [&](int ms) { return rd_kafka_init_transactions(rk, ms); }));
  TRY(auto committed, cluster_.committed(transactional_id_ + ".epochs", spec_.topic, 0));
  broken_ = false;
  if (!committed) return std::optional<uint64_t>();
  return std::optional<uint64_t>(static_cast<uint64_t>(*committed));
}

Status TopicSink::begin() {
  if (stop_) return fail(Errc::kCancelled, fmt::format("kafka: query {} stops", spec_.query));
  if (broken_) return fail(Errc::kUnavailable, fmt::format("kafka: the transaction of query {} has failed", spec_.query));
  if (open_) return {};
  Fault fault(rd_kafka_begin_transaction(client_->get()));
  if (fault) return fail(failure("begin of the transaction", fault.get()));
  open_ = true;
  return {};
}

Result<port::SinkReport> TopicSink::stage(const model::ColumnBatch& rows, const std::vector<port::RowOrigin>& origins, bool) {
  TRY_DO(begin());
  std::optional<size_t> key = rows.schema->find(kKeyColumn);
  model::ColumnBatch values = key ? values_of(rows, *key) : rows;
  port::SinkReport report;
  Row row;
  for (uint32_t i = 0; i < rows.rows; ++i) {
    row.key.reset();
    row.value.clear();
    if (key && !rows.columns[*key].is_null(i)) append_key(row.key.emplace(), rows.columns[*key], i);
    if (spec_.encoder) {
      Status encoded = spec_.encoder->append(row.value, values, i);
      if (!encoded && encoded.error().code != Errc::kInvalidArgument) return fail(encoded.error());
      if (!encoded) {
        report.faults.push_back({i, "bad_value", encoded.error().message});
        continue;
      }
    } else {
      format::append_row_json(row.value, values, i);
    }
    row.timestamp_ms = origins[i].timestamp_ms;
    row.unkeyed = origins[i].partition % partitions_;
    TRY_DO(produce(row, i, report));
  }
  rd_kafka_poll(client_->get(), 0);
  return report;
}

Result<bool> TopicSink::produce(const Row& row, uint32_t index, port::SinkReport& report) {
  rd_kafka_t* rk = client_->get();
  Clock::time_point deadline = Clock::now() + kPatience;
  while (true) {
    // A pointer that is null is a null key; an empty key has one.
    rd_kafka_resp_err_t error = rd_kafka_producev(
        rk, RD_KAFKA_V_RKT(handles_->topic.get()), RD_KAFKA_V_PARTITION((row.key ? RD_KAFKA_PARTITION_UA : row.unkeyed)),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
        RD_KAFKA_V_KEY((row.key ? row.key->data() : nullptr), (row.key ? row.key->size() : 0)),
        RD_KAFKA_V_VALUE(const_cast<char*>(row.value.data()), row.value.size()), RD_KAFKA_V_TIMESTAMP(row.timestamp_ms),
        RD_KAFKA_V_END);
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return true;
    if (error == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) {
      report.faults.push_back(
          {index, "too_large", fmt::format("a record of {} bytes is above message.max.bytes", row.value.size())});
      return false;
    }
    if (error != RD_KAFKA_RESP_ERR__QUEUE_FULL) return fail(transaction_failed(error));
    if (stop_) return fail(Errc::kCancelled, fmt::format("kafka: query {} stops", spec_.query));
    if (Clock::now() > deadline) return fail(transaction_failed(RD_KAFKA_RESP_ERR__TIMED_OUT));
    rd_kafka_poll(rk, 50);
  }
}

Status TopicSink::send_positions(const port::Epoch& epoch) {
  rd_kafka_t* rk = client_->get();
  GroupMetadata marker(rd_kafka_consumer_group_metadata_new((transactional_id_ + ".epochs").c_str()));
  PartitionList list(rd_kafka_topic_partition_list_new(1));
  rd_kafka_topic_partition_list_add(list.get(), spec_.topic.c_str(), 0)->offset = static_cast<int64_t>(epoch.number);
  auto send = [&](const rd_kafka_topic_partition_list_t* offsets, const rd_kafka_consumer_group_metadata_t* group) {
    return insist("commit of the positions", kPositionsMs,
                  [&](int ms) { return rd_kafka_send_offsets_to_transaction(rk, offsets, group, ms); });
  };
  TRY_DO(send(list.get(), marker.get()));
  return group_ == nullptr ? Status() : group_->join_transaction(epoch.ends, send);
}

Status TopicSink::commit(const port::Epoch& epoch, store::Batch&) {
  TRY_DO(begin());
  TRY_DO(send_positions(epoch));
  // Until the answer is here nobody knows whether the transaction is committed: recover() asks.
  broken_ = true;
  TRY_DO(insist("commit of the transaction", kSliceMs, [&](int ms) { return rd_kafka_commit_transaction(client_->get(), ms); }));
  broken_ = open_ = false;
  if (group_ != nullptr) group_->transacted(epoch.ends);
  return {};
}

void TopicSink::abandon() {
  delivery_.reset();
  if (!std::exchange(open_, false)) return;
  // Without an answer recover() or the broker's transaction.timeout.ms ends it.
  Clock::time_point deadline = Clock::now() + kAbortPatience;
  for (bool passing = true; passing && Clock::now() < deadline;) {
    Fault fault(rd_kafka_abort_transaction(client_->get(), kSliceMs));
    if (!fault) return;
    passing = rd_kafka_error_is_retriable(fault.get()) != 0;
  }
  broken_ = true;
}

Status TopicSink::insist(std::string_view what, int slice_ms, const Call& call) {
  Clock::time_point deadline = Clock::now() + kPatience;
  while (true) {
    if (stop_) return fail(Errc::kCancelled, fmt::format("kafka: {}: query {} stops", what, spec_.query));
    Fault fault(call(slice_ms));
    if (!fault) return {};
    if (!rd_kafka_error_is_retriable(fault.get()) || Clock::now() > deadline) return fail(failure(what, fault.get()));
    rd_kafka_poll(client_->get(), 20);
  }
}

Error TopicSink::failure(std::string_view what, const rd_kafka_error_t* error) {
  broken_ = true;
  rd_kafka_poll(client_->get(), 0);  // lets delivery reports speak first
  int code = rd_kafka_error_code(error);
  char text[512] = "";
  if (rd_kafka_error_is_fatal(error)) {
    if (int fatal = rd_kafka_fatal_error(client_->get(), text, sizeof text)) code = fatal;
  }
  Error out = client_->error(code, fmt::format("topic {}: {}", spec_.topic, what), rd_kafka_error_string(error));
  if (out.code == Errc::kFenced) {
    out.hint = "another process writes as this query, or an epoch was open for longer than transaction.timeout.ms";
  } else if (delivery_) {
    out = at(out.message, *delivery_);
  }
  return out;
}

Error TopicSink::transaction_failed(int error) {
  Fault fault(rd_kafka_error_new(static_cast<rd_kafka_resp_err_t>(error), "%s",
                                 rd_kafka_err2str(static_cast<rd_kafka_resp_err_t>(error))));
  char text[512] = "";
  if (int fatal = rd_kafka_fatal_error(client_->get(), text, sizeof text)) {
    fault.reset(rd_kafka_error_new(static_cast<rd_kafka_resp_err_t>(fatal), "%s", text));
  }
  return failure("sending records", fault.get());
}

}  // namespace millrace::connect::kafka
