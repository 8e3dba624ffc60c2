#include "connect/kafka/topic_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>

#include "connect/kafka/handles.h"

namespace millrace::connect::kafka {

namespace {

constexpr int kMetadataTimeoutMs = 10'000;
constexpr int kPollMs = 50;  // send() may take the reports that a poll waits for

/// Where a record has come to stand; written by whoever polls the producer.
struct Delivery {
  std::atomic<size_t>* open = nullptr;
  int error = 0;
  int32_t partition = -1;
  int64_t offset = -1;
};

void on_delivery(rd_kafka_t*, const rd_kafka_message_t* message, void*) {
  auto* delivery = static_cast<Delivery*>(message->_private);
  delivery->error = message->err;
  delivery->partition = message->partition;
  delivery->offset = message->offset;
  delivery->open->fetch_sub(1, std::memory_order_release);
}

rd_kafka_headers_t* headers_of(const model::Record& record) {
  rd_kafka_headers_t* headers = rd_kafka_headers_new(record.headers.size());
  for (const model::Header& header : record.headers) {
    rd_kafka_header_add(headers, header.key.data(), static_cast<ssize_t>(header.key.size()),
                        header.value ? header.value->data() : nullptr,
                        header.value ? static_cast<ssize_t>(header.value->size()) : 0);
  }
  return headers;
}

/// Hands the record over; waits while the queue is full, which ends at the latest when what stands in it has timed out.
rd_kafka_resp_err_t send(rd_kafka_t* rk, rd_kafka_topic_t* topic, const model::Record& record, int32_t unkeyed,
                         Delivery& delivery) {
  bool asked = false;
  while (true) {
    rd_kafka_headers_t* headers = record.headers.empty() ? nullptr : headers_of(record);
    rd_kafka_resp_err_t error =
        rd_kafka_producev(rk, RD_KAFKA_V_RKT(topic), RD_KAFKA_V_PARTITION((record.key ? RD_KAFKA_PARTITION_UA : unkeyed)),
                          RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
                          RD_KAFKA_V_KEY((record.key ? record.key->data() : nullptr), (record.key ? record.key->size() : 0)),
                          RD_KAFKA_V_VALUE((record.value ? const_cast<char*>(record.value->data()) : nullptr),
                                           (record.value ? record.value->size() : 0)),
                          RD_KAFKA_V_TIMESTAMP(record.timestamp_ms.value_or(0)), RD_KAFKA_V_HEADERS(headers),
                          RD_KAFKA_V_OPAQUE(&delivery), RD_KAFKA_V_END);
    if (error != 0 && headers != nullptr) rd_kafka_headers_destroy(headers);
    if (error == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION && !std::exchange(asked, true)) {
      // It may be newer than what this client knows of the topic.
      const rd_kafka_metadata_t* metadata = nullptr;
      if (rd_kafka_metadata(rk, 0, topic, &metadata, kMetadataTimeoutMs) == 0) rd_kafka_metadata_destroy(metadata);
      continue;
    }
    if (error != RD_KAFKA_RESP_ERR__QUEUE_FULL) return error;
    rd_kafka_poll(rk, 10);
  }
}

std::vector<port::Appended> runs_of(std::vector<Delivery>& deliveries) {
  std::ranges::sort(deliveries, {}, [](const Delivery& d) { return std::pair(d.partition, d.offset); });
  std::vector<port::Appended> runs;
  for (const Delivery& d : deliveries) {
    if (runs.empty() || runs.back().partition.value != d.partition ||
        runs.back().first.value + static_cast<int64_t>(runs.back().count) != d.offset) {
      runs.push_back({model::Partition(d.partition), model::Offset(d.offset), 0});
    }
    ++runs.back().count;
  }
  return runs;
}

}  // namespace

void Producer::wait(const std::atomic<size_t>& open) {
  MutexLock lock(mutex_);
  while (open.load(std::memory_order_acquire) > 0) {
    if (polling_) {
      polled_.wait(mutex_);
      continue;
    }
    polling_ = true;
    mutex_.unlock();
    rd_kafka_poll(client_->get(), kPollMs);
    mutex_.lock();
    polling_ = false;
    polled_.notify_all();
  }
}

Result<std::shared_ptr<Producer>> SharedProducer::get() {
  MutexLock lock(mutex_);
  if (producer_ && rd_kafka_fatal_error(producer_->client().get(), nullptr, 0) == 0) return producer_;
  TRY(std::unique_ptr<Client> client,
      Client::make(options_, {.kind = Client::Kind::kProducer,
                              .defaults = {{"linger.ms", "1"},
                                           {"message.timeout.ms", "30000"},
                                           {"queue.buffering.max.messages", "200000"},
                                           {"queue.buffering.max.kbytes", "131072"}},
                              .fixed = {{"enable.idempotence", "true"}, {"partitioner", "murmur2_random"}},
                              .callbacks = [](rd_kafka_conf_t* conf) { rd_kafka_conf_set_dr_msg_cb(conf, on_delivery); }}));
  producer_ = std::make_shared<Producer>(std::move(client));
  return producer_;
}

Result<std::vector<port::Appended>> KafkaTopicWriter::append(const std::vector<model::Record>& records,
                                                             std::optional<model::Partition> unkeyed) {
  TRY(std::shared_ptr<Producer> producer, producer_.get());
  Client& client = producer->client();
  rd_kafka_t* rk = client.get();
  TopicHandle topic(rd_kafka_topic_new(rk, topic_.c_str(), nullptr));
  std::vector<Delivery> deliveries(records.size());
  std::atomic<size_t> open = 0;
  for (size_t i = 0; i < records.size(); ++i) {
    deliveries[i].open = &open;
    ++open;
    deliveries[i].error = send(rk, topic.get(), records[i], unkeyed ? unkeyed->value : RD_KAFKA_PARTITION_UA, deliveries[i]);
    if (deliveries[i].error == 0) continue;
    --open;
    break;
  }
  // Every record that was handed over has its report within message.timeout.ms.
  producer->wait(open);
  for (size_t i = 0; i < records.size(); ++i) {
    const Delivery& d = deliveries[i];
    if (d.error == 0) continue;
    Error error = client.error(d.error, d.partition < 0 ? "topic " + topic_ : fmt::format("{}-{}", topic_, d.partition));
    if (d.error == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) {
      error.code = Errc::kInvalidArgument;
      error.hint = "the option message.max.bytes, and max.message.bytes of the topic";
    }
    return fail(std::move(error));
  }
  return runs_of(deliveries);
}

}  // namespace millrace::connect::kafka
