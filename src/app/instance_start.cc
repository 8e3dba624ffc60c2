#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "app/instance.h"
#include "app/query_info.h"
#include "app/registered_writer.h"
#include "base/log.h"
#include "format/csv.h"
#include "format/json_doc.h"

namespace millrace::app {
namespace {

codec::kafka_record::Compression compression_of(project::Compression compression) {
  using To = codec::kafka_record::Compression;
  switch (compression) {
    case project::Compression::kNone: return To::kNone;
    case project::Compression::kGzip: return To::kGzip;
    case project::Compression::kSnappy: return To::kSnappy;
    case project::Compression::kLz4: return To::kLz4;
    case project::Compression::kZstd: return To::kZstd;
  }
  return To::kNone;
}

log::SyncMode sync_of(project::Sync sync) {
  switch (sync) {
    case project::Sync::kAlways: return log::SyncMode::kAlways;
    case project::Sync::kInterval: return log::SyncMode::kInterval;
    case project::Sync::kNever: return log::SyncMode::kNever;
  }
  return log::SyncMode::kAlways;
}

log::TopicSettings settings_of(const project::Topic& topic, const std::optional<model::Schema>& schema) {
  log::TopicSettings settings;
  settings.partitions = static_cast<int32_t>(topic.partitions);
  settings.sync = sync_of(topic.sync);
  settings.compression = compression_of(topic.compression);
  if (topic.retention.time)
    settings.retention_ms = std::chrono::duration_cast<std::chrono::milliseconds>(*topic.retention.time).count();
  if (topic.retention.bytes) settings.retention_bytes = static_cast<uint64_t>(*topic.retention.bytes);
  if (schema) settings.schema = model::encode_schema(*schema);
  settings.owner = topic.written_by_query;
  return settings;
}

bool has_refusal(const std::vector<project::Change>& changes) {
  return std::any_of(changes.begin(), changes.end(),
                     [](const project::Change& change) { return change.verdict == project::Change::Verdict::kRefused; });
}

/// The values of a JSON object by dotted path, for templates in tasks.
void flatten(const format::Json& json, const std::string& prefix, std::map<std::string, std::string>& out) {
  if (const format::Json::Object* object = json.as_object()) {
    for (const format::Json::Member& member : *object)
      flatten(member.value, prefix.empty() ? member.name : prefix + "." + member.name, out);
  } else {
    out[prefix] = json.as_string() != nullptr ? *json.as_string() : to_json(json);
  }
}

Result<std::map<std::string, std::string>> read_conf(std::string_view text) {
  TRY(format::Json json, format::parse_json(text));
  if (json.as_object() == nullptr) return fail(Errc::kInvalidArgument, "a run's conf must be a JSON object");
  std::map<std::string, std::string> out;
  flatten(json, "", out);
  return out;
}

/// A later try may succeed.
bool is_passing(const Error& error) { return error.code == Errc::kUnavailable || error.code == Errc::kDeadlineExceeded; }

}  // namespace

Result<std::map<std::string, KnownTopic>> Instance::known_topics(const project::Project& project) {
  std::map<std::string, KnownTopic> known;
  for (const auto& topic : data_->log().topics()) known[topic->name()] = {topic->id(), local_schema(topic->name())};
  if (parts_->has_own_log()) return known;
  for (const project::Topic& topic : project.topics) {
    auto there = parts_->topics().describe(topic.name);
    if (!there && there.error().code == Errc::kNotFound) continue;
    if (!there) return fail(at("topic " + topic.name, there.error()));
    TRY(auto frozen, data_->store().get(store::Space::kMeta, schema_key(topic.name)));
    known[topic.name] = {there->id, frozen ? model::decode_schema(*frozen) : std::nullopt};
  }
  return known;
}

Result<std::vector<project::Fault>> Instance::start(project::Project project, const std::function<bool()>& cancelled) {
  constexpr Duration kAskAgain = std::chrono::seconds(1);
  // What the file alone shows comes first, without asking anybody.
  Compiled found = compile(project, *stream_engine_, {});
  project::FaultList of_parts;
  check_parts(project, of_parts);
  for (project::Fault& fault : std::move(of_parts).take()) found.faults.push_back(std::move(fault));
  if (found.has_errors()) return std::move(found.faults);
  look_at_disk();  // before any source begins
  Duration until = env().clock.monotonic() + kStartPatience;
  while (true) {
    MutexLock lock(mutex_);
    auto prepared = prepare(project);
    if (prepared) {
      if (prepared->has_errors()) return std::move(prepared->faults);
      for (CompiledQuery& query : prepared->queries) TRY_DO(add_query(std::move(query)));
      TRY_DO(start_sources(project));
      TRY_DO(start_scheduler(std::move(prepared->dags)));
      project_ = std::move(project);
      break;
    }
    bool patient = is_passing(prepared.error()) && env().clock.monotonic() < until && !(cancelled && cancelled());
    if (!patient) return fail(std::move(prepared.error()));
    log_warn("app", prepared.error().message + "; trying again");
    waiting_.wait_for(mutex_, kAskAgain);
  }
  upkeep_ = std::jthread([this](std::stop_token stop) { upkeep(stop); });
  return std::move(found.faults);
}

Result<Compiled> Instance::prepare(const project::Project& project) {
  TRY(parts_, Parts::open(project, *data_));
  if (!project.parts.metadata.embedded() && metadata_elsewhere_ == nullptr) {
    TRY(metadata_elsewhere_, open_metadata_elsewhere(project.parts.metadata, env()));
    metadata_in_use_ = metadata_elsewhere_.get();
  }
  TRY(auto known, known_topics(project));
  Compiled compiled = compile(project, *stream_engine_, known);
  if (compiled.has_errors()) return compiled;
  TRY_DO(declare_topics(project, compiled));
  // Once more: only now the topics have the ids from which uuid() and random() are made.
  TRY(known, known_topics(project));
  compiled = compile(project, *stream_engine_, known);
  TRY_DO(declare_tables(project, compiled));
  return compiled;
}

Status Instance::declare_topics(const project::Project& project, const Compiled& compiled) {
  for (const CompiledTopic& one : compiled.topics) {
    const project::Topic* declared = project::find(project.topics, one.name);
    if (declared == nullptr) continue;
    if (!parts_->has_own_log()) {
      TRY_DO(declare_topic_elsewhere(*declared, one.schema));
      continue;
    }
    log::TopicSettings settings = settings_of(*declared, one.schema);
    auto topic = data_->log().find(one.name);
    if (topic == nullptr) {
      TRY_DO(data_->log().create(one.name, settings));
      continue;
    }
    if (topic->partition_count() != settings.partitions) {
      return fail(Errc::kFailedPrecondition,
                  fmt::format("topic {} has {} partitions in {}, the file says {}", one.name, topic->partition_count(),
                              data_->path(), settings.partitions),
                  "the number of partitions is fixed for a topic's life: change the file back, or delete the topic");
    }
    if (settings != topic->settings()) TRY_DO(data_->log().alter(one.name, settings));
  }
  return {};
}

Status Instance::declare_topic_elsewhere(const project::Topic& topic, const std::optional<model::Schema>& schema) {
  port::TopicSpec spec;
  spec.name = topic.name;
  spec.partitions = static_cast<int32_t>(topic.partitions);
  spec.retention_time = topic.retention.time;
  spec.retention_bytes = topic.retention.bytes;
  spec.compression = codec::kafka_record::compression_name(compression_of(topic.compression));
  auto declared = parts_->topics().declare(spec);
  if (!declared) return fail(at("topic " + topic.name, declared.error()));
  topics_elsewhere_[topic.name] = {schema, topic.format};
  return {};
}

Status Instance::declare_tables(const project::Project& project, const Compiled& compiled) {
  for (const table::TableDef& def : compiled.tables) {
    const project::Table* table = project::find(project.tables, def.name);
    std::string connection = table == nullptr ? "" : table->connection;
    TRY(port::TableStore * tables, parts_->tables(connection));
    model::TableDef there = def;
    if (parts_->holds_tables_itself(connection)) {
      auto declared = tables->declare(def);
      if (!declared) return fail(at(fmt::format("table {} in {}", def.name, data_->path()), declared.error()));
    } else {
      TableElsewhere elsewhere{connection, def, ""};
      there = elsewhere.there();
      // The raw landing of a source: a record is JSON there.
      if (table != nullptr && table->holds_raw) parts_->keep_as_json(connection, there.name, "record");
      auto declared = tables->declare(there);
      if (!declared) return fail(at("table " + def.name, declared.error()));
      elsewhere.identity = std::move(*declared);
      tables_elsewhere_[def.name] = std::move(elsewhere);
    }
    if (table != nullptr && table->seed) TRY_DO(seed_table(project.name, *table, *tables, there));
  }
  return {};
}

model::TableDef TableElsewhere::there() const {
  model::TableDef out = def;
  out.name = name_within(connection, def.name);
  return out;
}

/// Upserts the rows of the file when it is not the one that was read last time.
Status Instance::seed_table(const std::string& pipeline, const project::Table& table, port::TableStore& tables,
                            const model::TableDef& def) {
  TRY(std::string text, env::read_file(env().files, *table.seed, 256 << 20));
  std::string key = "seed/" + table.name, mark = fmt::format("{}:{:08x}", text.size(), codec::kafka_record::crc32c(text));
  TRY(auto last, data_->store().get(store::Space::kMeta, key));
  if (last == mark) return {};
  auto schema = std::make_shared<const model::Schema>(def.schema);
  model::BatchBuilder builder(schema);
  TRY(size_t count, format::read_csv(text, std::filesystem::path(*table.seed).filename().string(), def.schema, builder));
  model::ColumnBatch rows = std::move(builder).finish();
  int64_t now = to_micros(env().clock.now());
  std::vector<port::RowOrigin> origins(count);
  for (size_t i = 0; i < count; ++i) {
    origins[i].timestamp_ms = now / 1000;
    origins[i].version = static_cast<uint64_t>(now);
    origins[i].ordinal = static_cast<uint32_t>(i);
  }
  TRY(auto sink, tables.sink({def, schema, pipeline, "seed:" + table.name, parts_->topics().uses_groups()}));
  TRY(std::optional<uint64_t> epoch, sink->recover());
  TRY(port::SinkReport report, sink->stage(rows, origins, false));
  if (!report.faults.empty()) {
    return fail(Errc::kInvalidArgument,
                fmt::format("{}: row {}: {}", *table.seed, report.faults[0].row + 1, report.faults[0].message));
  }
  store::Batch batch;
  TRY_DO(sink->commit({epoch.value_or(0) + 1, {}}, batch));
  batch.put(store::Space::kMeta, key, mark);
  TRY_DO(data_->store().commit(std::move(batch), store::Durability::kSync));
  sink->committed();
  return {};
}

Status Instance::add_query(CompiledQuery compiled) {
  std::string name = compiled.name;
  QueryPart part;
  part.compiled = std::move(compiled);
  TRY(auto info, load_query_info(data_->store(), name));
  part.paused = info && info->paused;
  TRY_DO(store_query_info(data_->store(), info_of(part.compiled, part.paused)));
  QueryPart& added = queries_[name] = std::move(part);
  start_query(name, added);
  return {};
}

/// A query that cannot start stands there as failed, with the reason, while the others run.
void Instance::start_query(const std::string& name, QueryPart& part) {
  if (!part.compiled.ready) {
    part.waiting = fmt::format("topic {} has no schema yet; it is inferred from its first records", part.compiled.topic);
    return;
  }
  auto runner = make_runner(part.compiled, part.paused);
  if (!runner) {
    part.failed = true;
    part.may_start_later = is_passing(runner.error());
    part.waiting = runner.error().hint.empty() ? runner.error().message : runner.error().message + "; " + runner.error().hint;
    log_error("app", fmt::format("query {} cannot start: {}", name, part.waiting));
    return;
  }
  part.waiting.clear();
  part.failed = false;
  part.runner = std::move(*runner);
  part.runner->start();
}

Result<stream::Position> Instance::load_position(const CompiledQuery& compiled, const port::TopicInfo& topic) {
  TRY(auto bytes, data_->store().get(store::Space::kMeta, stream::position_key(compiled.name)));
  stream::Position position;
  if (bytes) {
    TRY(position, stream::decode_position(*bytes));
    if (position.topic_id != topic.id) {
      return fail(Errc::kFailedPrecondition,
                  fmt::format("topic id changed: topic {} was deleted and made again since query {} read it", compiled.topic,
                              compiled.name),
                  fmt::format("start on the new topic with `millrace query reset {} --from earliest`", compiled.name));
    }
    TRY_DO(recover_lost_tail(compiled, position));
  }
  position.topic_id = topic.id;
  for (size_t p = position.partitions.size(); p < topic.partitions.size(); ++p)
    position.partitions.push_back({topic.partitions[p].start, 0});
  return position;
}

/// Offsets that were committed are never given out again, even if a weaker sync mode of the embedded log has lost their records.
Status Instance::recover_lost_tail(const CompiledQuery& compiled, const stream::Position& position) {
  if (!parts_->has_own_log()) return {};
  auto topic = data_->log().find(compiled.topic);
  for (int32_t p = 0; topic != nullptr && p < topic->partition_count(); ++p) {
    if (static_cast<size_t>(p) >= position.partitions.size()) break;
    TRY(int64_t lost, topic->partition(model::Partition(p)).advance_to(position.partitions[static_cast<size_t>(p)].next));
    if (lost > 0)
      log_error("app", fmt::format("topic {} partition {} lost {} records that were not synced; query {} had processed them",
                                   topic->name(), p, lost, compiled.name));
  }
  return {};
}

/// Notices a table that was dropped and made again behind the back of the query that had written it.
Status Instance::check_same_table(const CompiledQuery& compiled, const TableElsewhere& table) {
  std::string key = table_identity_key(compiled.name);
  TRY(auto before, data_->store().get(store::Space::kMeta, key));
  if (before == table.identity) return {};
  TRY(auto position, data_->store().get(store::Space::kMeta, stream::position_key(compiled.name)));
  if (before && position) {
    return fail(Errc::kFailedPrecondition,
                fmt::format("table {} was dropped and made again since query {} wrote it, so the rows that it had are gone",
                            table.def.name, compiled.name),
                fmt::format("`millrace query reset {} --from earliest` writes them again", compiled.name));
  }
  store::Batch batch;
  batch.put(store::Space::kMeta, key, table.identity);
  return data_->store().commit(std::move(batch), store::Durability::kSync);
}

/// Whether several processes may run the query side by side: each writes the rows of its partitions, and none keeps anything of
/// its own.
Status Instance::check_shareable(const CompiledQuery& compiled, const port::Sink& sink) {
  port::SinkKind kind = sink.traits().kind;
  bool same_log = !compiled.into_table && compiled.connection.empty();  // its transaction holds the group's offsets
  if (kind == port::SinkKind::kLocalCommit) {
    return fail(Errc::kFailedPrecondition,
                fmt::format("query {} shares its topic in a consumer group, but {} is in this data directory alone",
                            compiled.name, compiled.into),
                "let the profile name where tables live, or take group.id out of the log's options");
  }
  if (kind == port::SinkKind::kTransactional && !same_log) {
    return fail(
        Errc::kFailedPrecondition,
        fmt::format("query {} shares its topic in a consumer group, but {} has one writer, whose epochs it counts", compiled.name,
                    compiled.into),
        "write into a table of Cassandra or PostgreSQL, or a topic of the same log, or take group.id out of the log's options");
  }
  return {};
}

Result<std::shared_ptr<stream::Runner>> Instance::make_runner(const CompiledQuery& compiled, bool paused) {
  TRY(port::TopicInfo topic, parts_->topics().describe(compiled.topic));
  TRY(stream::Position position, load_position(compiled, topic));
  stream::Runner::Parts parts;
  parts.on_data_loss = compiled.on_data_loss;
  if (parts_->topics().uses_groups()) {
    TRY(std::unique_ptr<port::GroupSource> group, parts_->topics().group_source(compiled.topic, compiled.name));
    parts.group = group.get();
    parts.source = std::move(group);
  } else {
    TRY(parts.source, parts_->topics().source(compiled.topic));
  }
  const model::TableDef* table = nullptr;
  if (auto elsewhere = tables_elsewhere_.find(compiled.into); elsewhere != tables_elsewhere_.end()) {
    table = &elsewhere->second.def;
    TRY_DO(check_same_table(compiled, elsewhere->second));
  }
  TRY(auto encoder, encoder_for(compiled));
  TRY(parts.sink, parts_->sink(compiled, table, std::move(encoder), parts.group));
  if (parts.group != nullptr) TRY_DO(check_shareable(compiled, *parts.sink));
  TRY(auto values, decoder_for(compiled.topic, stream::value_columns(*compiled.spec.input)));
  TRY_DO(env().files.create_directories(attempts_path(data_->path())));
  TRY(parts.attempts, stream::Attempts::open(attempts_path(data_->path()) + "/" + compiled.name, topic.id));
  TRY(parts.pipeline,
      stream::Pipeline::create(compiled.spec,
                               {*stream_engine_, *parts.sink, data_->store(), env().clock, parts.attempts.get(), parts.group},
                               std::move(position), std::move(values)));
  return std::make_shared<stream::Runner>(std::move(parts), env().clock, paused);
}

std::optional<port::ValueFormat> Instance::registered_format(const std::string& topic) {
  auto elsewhere = topics_elsewhere_.find(topic);
  if (elsewhere == topics_elsewhere_.end() || parts_->registry() == nullptr) return std::nullopt;
  switch (elsewhere->second.format) {
    case project::TopicFormat::kAvro: return port::ValueFormat::kAvro;
    case project::TopicFormat::kJsonSchema: return port::ValueFormat::kJsonSchema;
    case project::TopicFormat::kJson: break;
  }
  return std::nullopt;
}

Result<std::unique_ptr<port::ValueDecoder>> Instance::decoder_for(const std::string& topic,
                                                                  std::shared_ptr<const model::Schema> columns) {
  if (!registered_format(topic)) return std::unique_ptr<port::ValueDecoder>();
  return parts_->registry()->decoder(topic, false, std::move(columns));
}

Result<std::unique_ptr<port::ValueEncoder>> Instance::encoder_for(const CompiledQuery& compiled) {
  auto format = registered_format(compiled.into);
  if (compiled.into_table || !compiled.connection.empty() || !format) return std::unique_ptr<port::ValueEncoder>();
  auto values = std::make_shared<model::Schema>(compiled.output);
  std::erase_if(values->fields, [](const model::Field& field) { return model::same_name(field.name, "_key"); });
  return parts_->registry()->encoder(compiled.into, false, *format, values);
}

Result<std::unique_ptr<port::TopicWriter>> Instance::make_writer(const std::string& topic) {
  TRY(auto writer, parts_->topics().writer(topic));
  auto format = registered_format(topic);
  if (!format) return writer;
  const std::optional<model::Schema>& declared = topics_elsewhere_[topic].schema;
  if (!declared) {
    return fail(Errc::kFailedPrecondition, fmt::format("topic {} has no schema to register", topic),
                "declare it: topics: with schema: |");
  }
  auto schema = std::make_shared<const model::Schema>(*declared);
  TRY(auto encoder, parts_->registry()->encoder(topic, false, *format, schema));
  return RegisteredWriter::make(std::move(writer), std::move(encoder), std::move(schema));
}

Result<std::unique_ptr<port::TopicWriter>> Instance::writer(const std::string& topic) {
  MutexLock lock(mutex_);
  return make_writer(topic);
}

Result<std::string> Instance::builtin_url() {
  if (people_ == nullptr) {
    TRY(people_, serve::randomuser::RandomUserServer::start({}, env().clock, env().random));
  }
  return people_->url();
}

Status Instance::start_sources(const project::Project& project) {
  for (const project::Source& source : project.sources) {
    TRY(auto feed, parts_->feed(source, [this]() NO_THREAD_SAFETY_ANALYSIS { return builtin_url(); }));
    TRY(auto writer, make_writer(source.into));
    TRY(auto ingest,
        Ingest::create(source.name, source.into,
                       {std::move(feed), std::move(writer), data_->store(), [this] { return check_room(); }}, env()));
    if (source.run == project::SourceRun::kAlways) ingest->start();
    sources_[source.name] = std::move(ingest);
  }
  return {};
}

Status Instance::start_scheduler(std::vector<dag::DagSpec> dags) {
  dag::SchedulerOptions options;
  options.data = data_->path();
  options.read_conf = read_conf;
  TRY(scheduler_, dag::Scheduler::start(env(), *metadata(), *tasks_, std::move(dags), std::move(options)));
  return {};
}

Result<Instance::Applied> Instance::apply(project::Project project) {
  Applied applied;
  Compiled found;
  std::shared_ptr<dag::Scheduler> ended;
  {
    MutexLock lock(mutex_);
    TRY(auto known, known_topics(project));
    found = compile(project, *stream_engine_, known);
    applied.faults = found.faults;
    if (found.has_errors()) return applied;
    TRY(applied.changes, changes_to(project, found));
    if (has_refusal(applied.changes)) return applied;
    TRY_DO(replace_parts(project, found));
    bool dags_changed = std::any_of(applied.changes.begin(), applied.changes.end(),
                                    [](const project::Change& change) { return change.what.starts_with("dag "); });
    if (dags_changed) ended = std::move(scheduler_);
    project_ = std::move(project);
    applied.done = true;
  }
  if (ended != nullptr) {
    // Without the lock: its tasks end, and they ask this instance for what they did.
    ended->stop();
    ended.reset();
    MutexLock lock(mutex_);
    TRY_DO(start_scheduler(std::move(found.dags)));
  }
  return applied;
}

Result<std::vector<project::Change>> Instance::changes_to(const project::Project& project, const Compiled& found) {
  if (!project_) return fail(Errc::kFailedPrecondition, "the pipeline is not started yet");
  project::DifferenceRules rules;
  rules.parse_columns = [this](const std::string& columns) { return stream_engine_->parse_columns(columns); };
  rules.stateful = [](const project::Query&) { return false; };
  std::vector<project::Change> changes = project::differences(*project_, project, rules);
  if (project.name != project_->name) {
    changes.push_back({fmt::format("name {} -> {}", project_->name, project.name), project::Change::Verdict::kRefused,
                       "this is another pipeline: run it on a data directory of its own", project.location});
  }
  for (const project::Topic& topic : project.topics) {
    auto now = parts_->has_own_log() ? data_->log().find(topic.name) : nullptr;
    if (now == nullptr || now->partition_count() == topic.partitions) continue;
    std::erase_if(changes,
                  [&](const project::Change& change) { return change.what.starts_with("topic " + topic.name + ": partitions"); });
    changes.push_back({fmt::format("topic {}: partitions {} -> {}", topic.name, now->partition_count(), topic.partitions),
                       project::Change::Verdict::kRefused, "the number of partitions is fixed for a topic's life",
                       topic.location});
  }
  // Columns that come from a query are not in the file, so the tables that are there have a say of their own.
  for (const table::TableDef& def : found.tables) {
    auto now = data_->tables().find(def.name);
    if (now == nullptr) continue;
    if (Status possible = table::check_evolution(now->def, def); !possible) {
      changes.push_back({"table " + def.name, project::Change::Verdict::kRefused, possible.error().message, {}});
    }
  }
  return changes;
}

/// Queries stop between two epochs and go on from their position with what the file says now. What can fail for the data's sake
/// comes first, while the old parts still run.
Status Instance::replace_parts(const project::Project& project, const Compiled& found) {
  TRY_DO(declare_topics(project, found));
  TRY(auto known, known_topics(project));
  Compiled compiled = compile(project, *stream_engine_, known);
  TRY_DO(declare_tables(project, compiled));
  for (auto& [name, part] : queries_) {
    if (part.runner != nullptr) part.runner->stop();
  }
  queries_.clear();
  for (auto& [name, source] : sources_) source->stop();
  sources_.clear();
  for (CompiledQuery& query : compiled.queries) TRY_DO(add_query(std::move(query)));
  return start_sources(project);
}

}  // namespace millrace::app
