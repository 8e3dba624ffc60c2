#include "app/instance.h"

#include <fmt/format.h>

#include <set>

#include "app/catalog.h"
#include "app/query_info.h"
#include "app/tasks.h"
#include "base/log.h"
#include "connect/sqlite/sqlite_metadata_store.h"

namespace millrace::app {

Result<std::unique_ptr<Instance>> Instance::open(env::Env env, Options options) {
  std::unique_ptr<Instance> instance(new Instance(std::move(options)));
  instance->started_at_ = env.clock.now();
  const std::string& data = instance->options_.data;
  TRY(instance->data_, DataDir::open(env, data, instance->options_.read_only));
  instance->backups_ = std::make_unique<Backups>(*instance->data_);
  TRY(instance->shell_engine_, sql::DuckEngine::open({.memory_bytes_max = instance->options_.statement_memory_bytes}));
  instance->set_parts(std::make_shared<Parts>(*instance->data_));
  instance->catalog_ = std::make_unique<DataCatalog>(
      *instance->data_,
      DataCatalog::Hooks{[self = instance.get()](const std::string& topic) { return self->topic_schema(topic); },
                         [self = instance.get()](const std::string& name) { return self->relation_elsewhere(name); },
                         [self = instance.get()] { return self->names_elsewhere(); }});
  TRY_DO(instance->open_metadata());
  if (!instance->options_.read_only) {
    TRY(instance->stream_engine_, sql::DuckEngine::open({}));
    instance->tasks_ = std::make_unique<Tasks>(*instance);
    TRY(env::DiskSpace space, env.files.space(data));
    instance->mark_.emplace(instance->options_.min_free_bytes.value_or(DiskMark::default_min_free(space.total_bytes)));
  }
  return instance;
}

Status Instance::open_metadata() {
  std::string path = metadata_path(data_->path());
  TRY(bool exists, env().files.exists(path));
  if (options_.read_only && !exists) return {};
  if (options_.read_only) {
    TRY(metadata_, connect::sqlite::open_metadata_store_at_rest(path));
  } else {
    TRY(bool must_exist, has_metadata(data_->store()));
    TRY(metadata_, connect::sqlite::open_metadata_store(path, must_exist));
    if (!must_exist) TRY_DO(remember_metadata(data_->store()));
  }
  metadata_in_use_ = metadata_.get();
  return {};
}

Instance::~Instance() { stop(); }

std::shared_ptr<dag::Scheduler> Instance::scheduler() {
  MutexLock lock(mutex_);
  return scheduler_;
}

std::string Instance::pipeline_name() {
  MutexLock lock(mutex_);
  return project_ ? project_->name : "";
}

void Instance::set_parts(std::shared_ptr<Parts> parts) {
  MutexLock lock(mutex_);
  parts_ = std::move(parts);
}

std::shared_ptr<Parts> Instance::parts() {
  MutexLock lock(mutex_);
  return parts_;
}

std::optional<model::Schema> Instance::topic_schema(std::string_view name) {
  {
    MutexLock lock(mutex_);
    if (auto elsewhere = topics_elsewhere_.find(std::string(name)); elsewhere != topics_elsewhere_.end())
      return elsewhere->second.schema;
  }
  return local_schema(name);
}

std::optional<model::Schema> Instance::local_schema(std::string_view name) {
  auto topic = data_->log().find(name);
  if (topic == nullptr) return std::nullopt;
  std::string bytes = topic->settings().schema;
  return bytes.empty() ? std::nullopt : model::decode_schema(bytes);
}

std::vector<std::string> Instance::topics_elsewhere() {
  MutexLock lock(mutex_);
  std::vector<std::string> names;
  for (const auto& [name, topic] : topics_elsewhere_) names.push_back(name);
  return names;
}

std::vector<TableElsewhere> Instance::tables_elsewhere() {
  MutexLock lock(mutex_);
  std::vector<TableElsewhere> tables;
  for (const auto& [name, table] : tables_elsewhere_) tables.push_back(table);
  return tables;
}

std::vector<std::string> Instance::names_elsewhere() {
  std::vector<std::string> names = topics_elsewhere();
  for (const TableElsewhere& table : tables_elsewhere()) names.push_back(table.def.name);
  return names;
}

std::unique_ptr<port::Relation> Instance::relation_elsewhere(const std::string& name) {
  std::shared_ptr<Parts> parts = this->parts();
  for (const TableElsewhere& table : tables_elsewhere()) {
    if (!model::same_name(table.def.name, name)) continue;
    auto tables = parts->tables(table.connection);
    return tables ? relation_or_error((*tables)->relation(table.there())) : relation_or_error(fail(tables.error()));
  }
  for (const std::string& topic : topics_elsewhere()) {
    if (!model::same_name(topic, name)) continue;
    MakeValues values = [this, topic](std::shared_ptr<const model::Schema> columns) {
      MutexLock lock(mutex_);
      return decoder_for(topic, std::move(columns));
    };
    return topic_relation(parts, topic, topic_schema(topic), std::move(values));
  }
  return nullptr;
}

std::vector<SourceView> Instance::sources() {
  MutexLock lock(mutex_);
  std::vector<SourceView> views;
  for (const auto& [name, source] : sources_) views.push_back({name, source->topic(), source->counts()});
  return views;
}

// ---- queries
// -------------------------------------------------------------------------------------------------------------------

namespace {

Error no_query(std::string_view name) {
  return {Errc::kNotFound, fmt::format("there is no query '{}'", name), "`millrace query list` shows them"};
}

}  // namespace

QueryView Instance::view_of(const std::string& name, const QueryPart& part) {
  QueryView view{name, part.compiled.topic, part.compiled.into, part.compiled.into_table, "waiting", part.waiting, {}, 0};
  if (part.failed) view.state = "failed";
  if (part.runner != nullptr) {
    stream::QueryStatus status = part.runner->status();
    view.state = stream::query_state_name(status.state);
    view.reason = status.reason;
    view.position = std::move(status.position);
  } else if (parts_->has_own_log()) {
    view.in_flight = records_behind(data_->log(), view.topic, view.position);
  }
  return view;
}

std::vector<QueryView> Instance::queries() {
  if (options_.read_only) return stored_queries(*data_);
  std::vector<QueryView> views;
  std::vector<std::shared_ptr<stream::Runner>> runners;
  {
    MutexLock lock(mutex_);
    for (const auto& [name, part] : queries_) {
      views.push_back(view_of(name, part));
      runners.push_back(part.runner);
    }
  }
  for (size_t i = 0; i < views.size(); ++i) {
    if (runners[i] != nullptr) views[i].in_flight = runners[i]->in_flight();
  }
  return views;
}

Result<QueryView> Instance::query(std::string_view name) {
  for (QueryView& view : queries()) {
    if (view.name == name) return std::move(view);
  }
  return fail(no_query(name));
}

Status Instance::pause_query(std::string_view name) {
  MutexLock lock(mutex_);
  auto part = queries_.find(name);
  if (part == queries_.end()) return fail(no_query(name));
  part->second.paused = true;
  if (part->second.runner != nullptr) part->second.runner->pause();
  return store_query_info(data_->store(), info_of(part->second.compiled, true));
}

Status Instance::resume_query(std::string_view name) {
  MutexLock lock(mutex_);
  auto part = queries_.find(name);
  if (part == queries_.end()) return fail(no_query(name));
  part->second.paused = false;
  if (part->second.runner != nullptr) part->second.runner->resume();
  return store_query_info(data_->store(), info_of(part->second.compiled, false));
}

bool Instance::writes_elsewhere(const CompiledQuery& query) {
  if (query.into_table) return !parts_->holds_tables_itself(query.connection);
  return !query.connection.empty() || !parts_->has_own_log();
}

Status Instance::reset_query(std::string_view name, const std::vector<model::Offset>& offsets) {
  MutexLock lock(mutex_);
  auto found = queries_.find(name);
  if (found == queries_.end()) return fail(no_query(name));
  QueryPart& part = found->second;
  if (!part.compiled.ready)
    return fail(Errc::kFailedPrecondition, fmt::format("query {} has not started: {}", name, part.waiting));
  if (parts_->topics().uses_groups()) {
    return fail(Errc::kFailedPrecondition, fmt::format("the consumer group keeps the position of query {}", name),
                "stop every member, and move the group with `kafka-consumer-groups --reset-offsets`");
  }
  TRY(port::TopicInfo topic, parts_->topics().describe(part.compiled.topic));
  if (part.runner != nullptr) {
    part.runner->stop();
    part.runner.reset();
  }
  stream::Position before;
  TRY(auto stored, data_->store().get(store::Space::kMeta, stream::position_key(name)));
  if (stored) {
    TRY(before, stream::decode_position(*stored));
  }
  // Versions go on from where they were, so that rows which are written again win over the ones they replace.
  stream::Position position;
  position.topic_id = topic.id;
  // An output of another system counts the epochs; from 0 on they are taken over.
  position.epoch = writes_elsewhere(part.compiled) ? 0 : before.epoch;
  for (size_t p = 0; p < offsets.size(); ++p) {
    uint64_t version = p < before.partitions.size() ? before.partitions[p].version : 0;
    position.partitions.push_back({offsets[p], version});
  }
  store::Batch batch;
  std::set<std::pair<int32_t, int64_t>> kept;
  table::DeadLetterScan letters(data_->store(), name);
  while (true) {
    TRY(auto letter, letters.next());
    if (!letter) break;
    // Letters of records that will not be read again are the last copy of what was wrong with them, and begin the new counts.
    bool of_topic = letter->topic_id == topic.id && static_cast<size_t>(letter->partition) < offsets.size();
    bool read_again = of_topic && model::Offset(letter->offset) >= offsets[static_cast<size_t>(letter->partition)];
    if (read_again) TRY_DO(letter->erase_from(batch));
    if (of_topic && !read_again) kept.emplace(letter->partition, letter->offset);
  }
  position.balance.in = position.balance.dead = kept.size();
  batch.put(store::Space::kMeta, stream::position_key(name), encode_position(position));
  batch.erase(store::Space::kMeta, stream::intent_key(name));
  batch.erase(store::Space::kMeta, table_identity_key(name));
  TRY_DO(data_->store().commit(std::move(batch), store::Durability::kSync));
  part.failed = false;
  TRY(part.runner, make_runner(part.compiled, part.paused));
  part.runner->start();
  return {};
}

Result<stream::Pipeline::ReplayReport> Instance::replay(std::string_view name, std::vector<table::DeadLetter> letters) {
  std::shared_ptr<stream::Runner> runner;
  {
    MutexLock lock(mutex_);
    auto part = queries_.find(name);
    if (part == queries_.end() || part->second.runner == nullptr) return fail(no_query(name));
    runner = part->second.runner;
  }
  return runner->replay(std::move(letters));
}

Status Instance::check_unused_topic(std::string_view topic) {
  MutexLock lock(mutex_);
  for (const auto& [name, part] : queries_) {
    if (part.compiled.topic == topic)
      return fail(Errc::kFailedPrecondition, fmt::format("query {} reads topic {}", name, topic),
                  "take the query out of the pipeline first");
    if (!part.compiled.into_table && part.compiled.into == topic)
      return fail(Errc::kFailedPrecondition, fmt::format("query {} writes topic {}", name, topic),
                  "take the query out of the pipeline first");
  }
  for (const auto& [name, source] : sources_) {
    if (source->topic() == topic)
      return fail(Errc::kFailedPrecondition, fmt::format("source {} writes topic {}", name, topic),
                  "take the source out of the pipeline first");
  }
  return {};
}

Status Instance::check_unused_table(std::string_view table) {
  MutexLock lock(mutex_);
  for (const auto& [name, part] : queries_) {
    if (part.compiled.into_table && model::same_name(part.compiled.into, table)) {
      return fail(Errc::kFailedPrecondition, fmt::format("query {} writes table {}", name, table),
                  "take the query out of the pipeline first, or truncate the table");
    }
  }
  return {};
}

Status Instance::wait_for_query(std::string_view name, std::optional<Duration> timeout, std::stop_token stop) {
  std::shared_ptr<stream::Runner> runner;
  {
    MutexLock lock(mutex_);
    auto part = queries_.find(name);
    if (part == queries_.end()) return fail(no_query(name));
    if (part->second.runner == nullptr)
      return fail(Errc::kFailedPrecondition, fmt::format("query {} is not running: {}", name, part->second.waiting));
    runner = part->second.runner;
  }
  TRY(auto ends, runner->ends());
  if (runner->wait_for(ends, timeout.value_or(std::chrono::hours(24 * 365)), [&] { return stop.stop_requested(); })) return {};
  stream::QueryStatus status = runner->status();
  if (status.state == stream::QueryState::kFailed) return fail(Errc::kFailedPrecondition, status.reason);
  return fail(stop.stop_requested() ? Errc::kCancelled : Errc::kDeadlineExceeded,
              fmt::format("query {} has not caught up", name));
}

Status Instance::ingest(std::string_view name, Duration length, std::stop_token stop) {
  std::shared_ptr<Ingest> source;
  {
    MutexLock lock(mutex_);
    auto found = sources_.find(name);
    if (found == sources_.end()) return fail(Errc::kNotFound, fmt::format("there is no source '{}'", name));
    source = found->second;
  }
  return source->poll_for(length, stop);
}

// ---- the end
// -------------------------------------------------------------------------------------------------------------------

void Instance::stop_inputs() {
  // Without the lock: a task that ends asks this instance for what it did.
  std::vector<std::shared_ptr<Ingest>> sources;
  std::shared_ptr<dag::Scheduler> scheduler;
  {
    MutexLock lock(mutex_);
    for (auto& [name, source] : sources_) sources.push_back(source);
    scheduler = scheduler_;
  }
  for (const auto& source : sources) source->stop();
  if (scheduler != nullptr) scheduler->stop();
}

bool Instance::drain(const std::function<bool()>& cancelled) {
  // A query may feed another, so it is done when a whole round finds nothing left.
  while (true) {
    bool idle = true;
    for (const QueryView& view : queries()) {
      if ((view.in_flight == 0 && view.state != "failed") || view.state == "waiting") continue;
      if (view.state != "running" || cancelled()) return false;
      idle = false;
      std::stop_source stop;
      (void)wait_for_query(view.name, std::chrono::milliseconds(100), stop.get_token());
    }
    if (idle) return true;
  }
}

void Instance::stop() {
  if (upkeep_.joinable()) {
    upkeep_.request_stop();
    upkeep_.join();
  }
  stop_inputs();
  MutexLock lock(mutex_);
  if (stopped_) return;
  stopped_ = true;
  if (parts_ != nullptr) parts_->interrupt();  // null when the data directory could not be opened
  for (auto& [name, part] : queries_) {
    if (part.runner != nullptr) part.runner->stop();
  }
  scheduler_.reset();
  sources_.clear();
  people_.reset();
  queries_.clear();
}

}  // namespace millrace::app
