#include <fmt/format.h>

#include <set>

#include "app/instance.h"
#include "app/query_info.h"
#include "base/log.h"
#include "connect/http/poller.h"
#include "format/infer.h"

namespace millrace::app {
namespace {

constexpr Duration kRetentionEvery = std::chrono::seconds(30);
constexpr Duration kLookForRecordsEvery = std::chrono::milliseconds(200);
constexpr Duration kLookAtDiskEvery = std::chrono::milliseconds(500);
constexpr Duration kTryAgainEvery = std::chrono::seconds(5);
constexpr Duration kSyncIsSlow = std::chrono::seconds(5);
constexpr Duration kSampleWait = std::chrono::milliseconds(100);
constexpr size_t kSamplesMax = 1000;
constexpr size_t kSampleBytesMax = 4 << 20;

std::string slow_sync(Duration taken) {
  return fmt::format("a sync of the log has taken {} s so far: the disk is slow or stalls, and producers wait",
                     std::chrono::floor<std::chrono::seconds>(taken).count());
}

}  // namespace

std::vector<std::string> Instance::not_ready() {
  std::vector<std::string> reasons;
  if (options_.read_only) return {"no server runs on this data directory"};
  if (Status room = check_room(); !room) reasons.push_back(room.error().message);
  if (Duration taken = data_->log().sync_running_for(); taken >= kSyncIsSlow) reasons.push_back(slow_sync(taken));
  MutexLock lock(mutex_);
  if (!project_ || stopped_) reasons.emplace_back(stopped_ ? "the server is stopping" : "the pipeline is not started yet");
  for (const auto& [name, part] : queries_) {
    if (part.runner == nullptr && part.failed) reasons.push_back(fmt::format("query {} has not started: {}", name, part.waiting));
    if (part.runner == nullptr) continue;
    stream::QueryStatus status = part.runner->status();
    if (status.state == stream::QueryState::kFailed)
      reasons.push_back(fmt::format("query {} has failed: {}", name, status.reason));
  }
  if (scheduler_ != nullptr) {
    if (Status health = scheduler_->health(); !health) reasons.push_back(health.error().message);
  }
  return reasons;
}

/// Watches the disk, deletes what retention allows, and gives topics without a schema one when their first records are there.
void Instance::upkeep(std::stop_token stop) {
  const connect::http::HttpPoller::Wait wait = connect::http::HttpPoller::real_wait();
  Duration next_retention{0}, next_try{0};
  while (!stop.stop_requested()) {
    look_at_disk();
    look_at_syncs();
    bool waiting = infer_schemas();
    Duration now = env().clock.monotonic();
    if (now >= next_try) {
      start_failed_queries();
      next_try = now + kTryAgainEvery;
    }
    if (now >= next_retention) {
      enforce_retention();
      next_retention = now + kRetentionEvery;
    }
    if (!wait(waiting ? kLookForRecordsEvery : kLookAtDiskEvery, stop)) return;
  }
}

void Instance::look_at_disk() {
  auto space = env().files.space(data_->path());
  if (!space) {
    log_warn("app", "the free room on the disk is unknown: " + space.error().message);
    return;
  }
  free_bytes_ = space->free_bytes;
  bool low = mark_->is_low(space->free_bytes);
  if (low == disk_is_low_.exchange(low)) return;
  if (low) {
    log_warn("app", check_room().error().message);
    return;
  }
  log_info("app", fmt::format("the disk of {} has {} MiB free again: producing and ingesting go on", data_->path(),
                              space->free_bytes >> 20));
}

Status Instance::check_room() const {
  if (!disk_is_low_) return {};
  return fail(Errc::kDiskFull,
              fmt::format("the disk of {} is nearly full: {} MiB are free, and nothing new is taken in below {} MiB",
                          data_->path(), free_bytes_ >> 20, min_free_bytes() >> 20),
              fmt::format("free space up to {} MiB, or lower the mark with `millrace run --min-free`; reading, deleting and the "
                          "queries go on",
                          mark_->opens_at() >> 20));
}

void Instance::look_at_syncs() {
  Duration taken = data_->log().sync_running_for();
  bool stalls = taken >= kSyncIsSlow;
  if (stalls && !sync_stalls_) log_warn("app", slow_sync(taken));
  sync_stalls_ = stalls;
}

void Instance::enforce_retention() {
  // What is asked for below must survive power loss before records behind it may go.
  std::map<model::TopicId, std::vector<model::Offset>> floors;
  {
    MutexLock lock(mutex_);
    for (const auto& [name, part] : queries_) {
      if (part.runner == nullptr) continue;
      stream::Position position = part.runner->status().position;
      auto& floor = floors[position.topic_id];
      for (size_t p = 0; p < position.partitions.size(); ++p) {
        if (p >= floor.size()) {
          floor.push_back(position.partitions[p].next);
        } else {
          floor[p] = std::min(floor[p], position.partitions[p].next);
        }
      }
    }
  }
  if (Status synced = data_->store().sync(); !synced) {
    log_warn("app", "retention waits: " + synced.error().message);
    return;
  }
  auto freed = data_->log().enforce_retention(
      data_->deletion_clock().now(), [&](const model::TopicId& id, model::Partition partition) -> std::optional<model::Offset> {
        auto found = floors.find(id);
        if (found == floors.end() || static_cast<size_t>(partition.value) >= found->second.size()) return std::nullopt;
        return found->second[static_cast<size_t>(partition.value)];
      });
  if (!freed) log_warn("app", "retention: " + freed.error().message);
  if (freed && *freed > 0) log_info("app", fmt::format("retention freed {} bytes", *freed));
}

/// True while a query still waits for a schema.
bool Instance::infer_schemas() {
  std::set<std::string> without;
  std::shared_ptr<Parts> parts;
  {
    MutexLock lock(mutex_);
    parts = parts_;
    for (const auto& [name, part] : queries_) {
      if (!part.compiled.ready && !part.failed) without.insert(part.compiled.topic);
    }
  }
  bool found_any = false;
  for (const std::string& name : without) {
    auto schema = sample_schema(parts->topics(), name);
    if (!schema) continue;
    log_warn("app", fmt::format("topic {}: schema inferred from its first records and frozen: {}", name, model::to_sql(*schema)));
    if (Status frozen = freeze_schema(name, *schema); !frozen) {
      log_error("app", frozen.error().message);
      continue;
    }
    found_any = true;
  }
  if (found_any) start_waiting_queries();
  return found_any || !without.empty();
}

Status Instance::freeze_schema(const std::string& name, const model::Schema& schema) {
  if (auto topic = data_->log().find(name); topic != nullptr && parts()->has_own_log()) {
    log::TopicSettings settings = topic->settings();
    settings.schema = model::encode_schema(schema);
    return data_->log().alter(name, settings);
  }
  store::Batch batch;
  batch.put(store::Space::kMeta, schema_key(name), model::encode_schema(schema));
  TRY_DO(data_->store().commit(std::move(batch), store::Durability::kSync));
  MutexLock lock(mutex_);
  topics_elsewhere_[name].schema = schema;
  return {};
}

std::optional<model::Schema> Instance::sample_schema(port::TopicStore& topics, const std::string& name) {
  auto source = topics.source(name);
  if (!source) return std::nullopt;
  auto runs = (*source)->poll({kSamplesMax, kSampleBytesMax}, kSampleWait);
  if (!runs) return std::nullopt;
  std::vector<std::string_view> samples;
  for (const model::RecordRun& run : *runs) {
    for (const model::RecordView& record : run.records) {
      // What is no JSON object will be a dead letter; it says nothing of the others.
      if (record.value && format::infer_schema(std::span(&*record.value, 1))) samples.push_back(*record.value);
    }
  }
  if (samples.empty()) return std::nullopt;
  auto schema = format::infer_schema(samples);
  if (!schema) {
    log_warn("app", fmt::format("topic {}: no schema can be inferred: {}", name, schema.error().message));
    return std::nullopt;
  }
  return std::move(*schema);
}

/// Queries that could not start for somebody who did not answer then.
void Instance::start_failed_queries() {
  MutexLock lock(mutex_);
  for (auto& [name, part] : queries_) {
    if (part.runner == nullptr && part.failed && part.may_start_later) start_query(name, part);
  }
}

void Instance::start_waiting_queries() {
  MutexLock lock(mutex_);
  if (!project_ || stopped_) return;
  auto known = known_topics(*project_);
  if (!known) return log_error("app", known.error().message);
  Compiled compiled = compile(*project_, *stream_engine_, *known);
  for (const project::Fault& fault : compiled.faults) {
    if (fault.severity == project::Severity::kError) log_error("app", project::to_string(fault));
  }
  if (Status declared = declare_tables(*project_, compiled); !declared) {
    log_error("app", declared.error().message);
    return;
  }
  for (CompiledQuery& query : compiled.queries) {
    auto part = queries_.find(query.name);
    if (part == queries_.end() || part->second.runner != nullptr || !query.ready) continue;
    part->second.compiled = std::move(query);
    start_query(part->first, part->second);
  }
  for (auto& [name, part] : queries_) {
    bool compiled_now = std::any_of(compiled.queries.begin(), compiled.queries.end(),
                                    [&](const CompiledQuery& query) { return query.name == name; });
    if (part.runner != nullptr || compiled_now || part.compiled.ready) continue;
    part.failed = true;
    part.waiting = "its SQL does not fit the schema that was inferred; `millrace check` shows where";
  }
}

}  // namespace millrace::app
