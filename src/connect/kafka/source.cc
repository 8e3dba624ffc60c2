#include "connect/kafka/source.h"

#include <fmt/format.h>

#include "connect/kafka/handles.h"

namespace millrace::connect::kafka {

struct KafkaSource::Handles {
  TopicHandle topic;
};

Result<std::unique_ptr<KafkaSource>> KafkaSource::open(Cluster& cluster, const std::string& topic) {
  TRY(std::unique_ptr<Client> client,
      Client::make(cluster.options(),
                   {.kind = Client::Kind::kConsumer, .defaults = consumer_defaults(), .fixed = consumer_fixed()}));
  return std::unique_ptr<KafkaSource>(new KafkaSource(cluster, std::move(client), topic));
}

KafkaSource::KafkaSource(Cluster& cluster, std::unique_ptr<Client> client, const std::string& topic)
    : cluster_(cluster),
      client_(std::move(client)),
      handles_(new Handles{TopicHandle(rd_kafka_topic_new(client_->get(), topic.c_str(), nullptr))}),
      fetcher_(*client_, topic),
      watch_(cluster, topic) {}

KafkaSource::~KafkaSource() {
  for (size_t p = 0; p < started_.size(); ++p) stop(static_cast<int32_t>(p));
}

Result<port::SourceInfo> KafkaSource::describe() {
  TRY(TopicShape shape, watch_.look());
  return port::SourceInfo{.topic_id = shape.id, .partitions = shape.partitions};
}

Result<port::OffsetRange> KafkaSource::bounds(model::Partition partition) {
  TRY(auto ranges, cluster_.ranges(watch_.topic(), partition.value, 1));
  return ranges[0];
}

Status KafkaSource::seek(model::Partition partition, model::Offset offset) {
  TRY(port::OffsetRange kept, bounds(partition));
  if (offset < kept.start || kept.end < offset) {
    return fail(out_of_range(watch_.topic(), partition.value, offset.value, kept));
  }
  stop(partition.value);
  fetcher_.forgive(partition.value);
  fetcher_.runs().set_position(partition.value, offset.value);
  return start(partition.value, offset.value);
}

Status KafkaSource::start(int32_t partition, int64_t offset) {
  if (rd_kafka_consume_start_queue(handles_->topic.get(), partition, offset, fetcher_.queue()) != 0) {
    return fail(client_->error(rd_kafka_last_error(), fmt::format("{}-{}", watch_.topic(), partition)));
  }
  auto p = static_cast<size_t>(partition);
  if (started_.size() <= p) started_.resize(p + 1);
  started_[p] = true;
  return {};
}

void KafkaSource::stop(int32_t partition) {
  if (!reading(partition)) return;
  rd_kafka_consume_stop(handles_->topic.get(), partition);
  started_[static_cast<size_t>(partition)] = false;
}

Status KafkaSource::refresh() {
  rd_kafka_poll(client_->get(), 0);
  if (client_->take_trouble() || fetcher_.take_doubt()) watch_.hurry();
  if (watch_.due()) TRY_DO(watch_.look(&woken_));
  for (int32_t p = 0; p < watch_.known()->partitions; ++p) {
    if (!reading(p)) TRY_DO(start(p, RD_KAFKA_OFFSET_BEGINNING));
  }
  return {};
}

Result<std::vector<model::RecordRun>> KafkaSource::poll(const port::PollLimit& limit, Duration wait) {
  Status looked = refresh();
  bool woken = woken_.exchange(false);
  if (!looked && looked.error().code == Errc::kCancelled) return std::vector<model::RecordRun>();
  if (!looked) return fail(looked.error());
  if (auto error = fetcher_.take_error()) return fail(std::move(*error));
  if (auto partition = fetcher_.out_of_range()) {
    TRY(port::OffsetRange kept, bounds(model::Partition(*partition)));
    return fail(out_of_range(watch_.topic(), *partition, fetcher_.runs().position(*partition).value_or(0), kept));
  }
  fetcher_.gather(limit, woken ? Duration(0) : wait);
  return fetcher_.runs().take();
}

void KafkaSource::wake() {
  woken_ = true;
  fetcher_.wake();
}

}  // namespace millrace::connect::kafka
