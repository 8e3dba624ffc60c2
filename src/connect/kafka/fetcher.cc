#include "connect/kafka/fetcher.h"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <chrono>

#include "base/bytes.h"
#include "base/log.h"

namespace millrace::connect::kafka {

namespace {
using Clock = std::chrono::steady_clock;

int to_ms(Clock::duration wait) {
  return static_cast<int>(std::clamp<int64_t>(std::chrono::ceil<std::chrono::milliseconds>(wait).count(), 0, 3'600'000));
}
}  // namespace

Client::Settings consumer_defaults() {
  // What is fetched ahead should be small enough to be still in the processor's cache when it is taken: with 64 MiB a record cost
  // a fifth more, and the process half a gigabyte.
  return {{"fetch.wait.max.ms", "100"},           {"fetch.error.backoff.ms", "50"},  {"fetch.queue.backoff.ms", "2"},
          {"fetch.message.max.bytes", "4194304"}, {"queued.min.messages", "200000"}, {"queued.max.messages.kbytes", "4096"},
          {"session.timeout.ms", "8000"},         {"heartbeat.interval.ms", "2000"}, {"max.poll.interval.ms", "600000"}};
}

Client::Settings consumer_fixed() {
  return {{"enable.auto.commit", "false"},  {"enable.auto.offset.store", "false"}, {"auto.offset.reset", "error"},
          {"enable.partition.eof", "true"}, {"allow.auto.create.topics", "false"}, {"group.protocol", "classic"}};
}

Fetcher::Fetcher(Client& client, std::string topic)
    : client_(client), topic_(std::move(topic)), queue_(rd_kafka_queue_new(client.get())) {}

Fetcher::~Fetcher() { rd_kafka_queue_destroy(queue_); }

void Fetcher::wake() { rd_kafka_queue_yield(queue_); }

void Fetcher::gather(const port::PollLimit& limit, Duration wait) {
  limit_ = limit;
  Clock::time_point deadline = Clock::now() + std::min<Duration>(wait, std::chrono::hours(1));
  auto settled = [&] { return runs_.any() || doubt_ || out_of_range_ || error_; };
  int served = 1;
  while (served > 0 && !settled()) {
    served = rd_kafka_consume_callback_queue(queue_, to_ms(deadline - Clock::now()), on_message, this);
  }
  while (served > 0 && !full()) served = rd_kafka_consume_callback_queue(queue_, 0, on_message, this);
}

void Fetcher::on_message(rd_kafka_message_t* message, void* self) {
  auto* fetcher = static_cast<Fetcher*>(self);
  fetcher->deliver(*message);
  if (fetcher->full()) rd_kafka_yield(fetcher->client_.get());
}

void Fetcher::deliver(const rd_kafka_message_t& message) {
  if (message.err == 0) [[likely]] {
    take(message);
  } else {
    note(message);
  }
}

void Fetcher::take(const rd_kafka_message_t& message) {
  auto view = [](const void* bytes, size_t size) {
    return bytes == nullptr ? std::nullopt : std::optional(std::string_view(static_cast<const char*>(bytes), size));
  };
  rd_kafka_timestamp_type_t type;
  model::RecordView& record =
      runs_.add(message.partition, message.offset, std::max<int64_t>(rd_kafka_message_timestamp(&message, &type), 0),
                view(message.key, message.key_len), view(message.payload, message.len));
  take_headers(message, record);
}

void Fetcher::take_headers(const rd_kafka_message_t& message, model::RecordView& record) {
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(&message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return;
  headers_.clear();
  append_zigzag(headers_, static_cast<int64_t>(rd_kafka_header_cnt(headers)));
  const char* name;
  const void* value;
  size_t size;
  for (size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR; ++i) {
    std::string_view key(name);
    append_zigzag(headers_, static_cast<int64_t>(key.size()));
    headers_.append(key);
    append_zigzag(headers_, value == nullptr ? -1 : static_cast<int64_t>(size));
    if (value != nullptr) headers_.append(static_cast<const char*>(value), size);
  }
  record.raw_headers = runs_.keep(headers_);
}

void Fetcher::note(const rd_kafka_message_t& message) {
  switch (message.err) {
    case RD_KAFKA_RESP_ERR__PARTITION_EOF: runs_.reached(message.partition, message.offset); return;
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
      out_of_range_ = message.partition;
      doubt_ = true;  // a topic that was made again begins at 0
      return;
    default: break;
  }
  Error error = client_.error(message.err, fmt::format("{}-{}", topic_, message.partition), rd_kafka_message_errstr(&message));
  switch (error.code) {
    case Errc::kNotFound:
    case Errc::kUnavailable:
      log_debug("kafka", error.message);
      doubt_ = true;
      return;
    default: error_ = std::move(error);
  }
}

Error out_of_range(std::string_view topic, int32_t partition, int64_t offset, const port::OffsetRange& kept) {
  std::string_view remedy = "`millrace query reset` gives up what is lost and reads on from the first record that is kept";
  std::string place = fmt::format("{}-{}", topic, partition);
  std::string keeps = kept.start == kept.end ? fmt::format("the topic is empty and goes on at {}", kept.end.value)
                                             : fmt::format("the topic keeps {} to {}", kept.start.value, kept.end.value - 1);
  if (offset < kept.start.value) {
    return {Errc::kOutOfRange, fmt::format("offsets {} to {} of {} are gone: {}", offset, kept.start.value - 1, place, keeps),
            std::string(remedy)};
  }
  return {Errc::kOutOfRange, fmt::format("offset {} of {} is behind its end: {}", offset, place, keeps),
          "the topic was cut back, or this is another cluster"};
}

}  // namespace millrace::connect::kafka
