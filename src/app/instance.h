#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "app/backup.h"
#include "app/compile.h"
#include "app/data_dir.h"
#include "app/disk_mark.h"
#include "app/ingest.h"
#include "app/parts.h"
#include "base/mutex.h"
#include "dag/run/scheduler.h"
#include "port/metadata_store.h"
#include "project/differences.h"
#include "serve/randomuser/server.h"
#include "sql/duck_engine.h"
#include "stream/exec/runner.h"

namespace millrace::app {

/// What one query is doing; also for a data directory at rest, from what is stored.
struct QueryView {
  std::string name;
  std::string topic;
  std::string into;
  bool into_table = false;
  std::string state;   // running, paused, failed, stopped, waiting
  std::string reason;  // why it failed or waits
  stream::Position position;
  uint64_t in_flight = 0;  // records of the topic that no commit covers yet
};

/// A topic of the pipeline that another system holds.
struct TopicElsewhere {
  std::optional<model::Schema> schema;
  project::TopicFormat format = project::TopicFormat::kJson;
};

/// A table of the pipeline that another system holds.
struct TableElsewhere {
  std::string connection;  // empty: the profile's tables
  model::TableDef def;     // with the pipeline's name for it
  std::string identity;    // as port::TableStore::declare said
  model::TableDef there() const;
};

struct SourceView {
  std::string name;
  std::string topic;
  IngestCounts counts;
};

/// One data directory with, unless it is read-only, the pipeline that runs on it: topics, queries, sources, scheduler.
///
/// **Threading**: every method from any thread. Parts are handed out as shared pointers, so that one which is replaced meanwhile
/// ends in peace.
/// **Lifetime**: stop() in reverse order of start; the destructor calls it.
class Instance {
 public:
  struct Options {
    std::string data;
    bool read_only = false;
    size_t statement_memory_bytes = size_t{1} << 30;  // of all statements of the shell together
    Duration statement_time_max = std::chrono::seconds(60);
    /// Below so much free room on the disk nothing new comes in; by default what DiskMark says.
    std::optional<uint64_t> min_free_bytes;
  };
  static Result<std::unique_ptr<Instance>> open(env::Env env, Options options);
  ~Instance();

  /// Compiles the pipeline and starts its parts. Faults of the file are returned and nothing is started then; an Error is one of
  /// the data directory: a table or topic that is there and does not fit.
  /// A system elsewhere that does not answer is asked again for kStartPatience, unless `cancelled`.
  static constexpr Duration kStartPatience = std::chrono::seconds(60);
  Result<std::vector<project::Fault>> start(project::Project project, const std::function<bool()>& cancelled = {});
  /// Changes a running pipeline: what can change live does. Faults or refused changes leave everything as it was.
  struct Applied {
    std::vector<project::Fault> faults;
    std::vector<project::Change> changes;
    bool done = false;
  };
  Result<Applied> apply(project::Project project);

  /// Sources and schedules end, running tasks get their grace.
  void stop_inputs();
  /// Waits until every query has committed what its topic holds. False when `cancelled` said so or a query cannot go on.
  bool drain(const std::function<bool()>& cancelled);
  void stop();

  DataDir& data() { return *data_; }
  env::Env env() const { return data_->env(); }
  const Options& options() const { return options_; }
  Instant started_at() const { return started_at_; }
  port::SqlEngine& shell_engine() { return *shell_engine_; }
  port::Catalog& catalog() { return *catalog_; }
  /// Null at rest, before start, and for a moment during apply.
  std::shared_ptr<dag::Scheduler> scheduler();
  /// Everything embedded before start and at rest.
  std::shared_ptr<Parts> parts();
  /// The topics and tables of the pipeline that are in other systems, by name.
  std::vector<std::string> topics_elsewhere();
  std::vector<TableElsewhere> tables_elsewhere();
  std::vector<std::string> names_elsewhere();
  Backups& backups() { return *backups_; }
  /// Also at rest.
  port::MetadataStore* metadata() { return metadata_in_use_; }

  /// Empty when everything works; else a sentence for each thing that does not.
  std::vector<std::string> not_ready();
  /// kDiskFull while the disk is below its low-water mark: asked before anything new is let in.
  Status check_room() const;
  uint64_t min_free_bytes() const { return mark_ ? mark_->min_free() : 0; }
  std::vector<QueryView> queries();
  Result<QueryView> query(std::string_view name);
  std::vector<SourceView> sources();
  std::string pipeline_name();

  Status pause_query(std::string_view name);
  Status resume_query(std::string_view name);
  /// Moves a query to `offsets` (by partition) and runs it again from there.
  Status reset_query(std::string_view name, const std::vector<model::Offset>& offsets);
  /// Replays dead letters of one query.
  Result<stream::Pipeline::ReplayReport> replay(std::string_view query, std::vector<table::DeadLetter> letters);
  /// kFailedPrecondition naming the query or source that uses the topic or table.
  Status check_unused_topic(std::string_view topic);
  Status check_unused_table(std::string_view table);
  /// Waits until the query has processed what its topic holds now.
  Status wait_for_query(std::string_view name, std::optional<Duration> timeout, std::stop_token stop);
  Status ingest(std::string_view source, Duration length, std::stop_token stop);
  /// The schema that SQL sees for a topic: declared, or frozen; nullopt when it is not known yet.
  std::optional<model::Schema> topic_schema(std::string_view topic);
  /// Takes JSON values, whatever the topic is registered with.
  Result<std::unique_ptr<port::TopicWriter>> writer(const std::string& topic);
  /// A topic or table of the pipeline that another system holds, by name without case; null when there is none.
  std::unique_ptr<port::Relation> relation_elsewhere(const std::string& name);

 private:
  struct QueryPart {
    CompiledQuery compiled;
    bool paused = false;
    bool failed = false;                     // could not be started
    bool may_start_later = false;            // since somebody elsewhere did not answer
    std::string waiting;                     // why it has no runner
    std::shared_ptr<stream::Runner> runner;  // null while it waits
  };

  Instance(Options options) : options_(std::move(options)) {}
  Status open_metadata();
  void set_parts(std::shared_ptr<Parts> parts);
  std::optional<model::Schema> local_schema(std::string_view topic);
  std::optional<port::ValueFormat> registered_format(const std::string& topic) REQUIRES(mutex_);
  Result<std::unique_ptr<port::ValueEncoder>> encoder_for(const CompiledQuery& compiled) REQUIRES(mutex_);
  Result<std::unique_ptr<port::TopicWriter>> make_writer(const std::string& topic) REQUIRES(mutex_);
  /// Null: JSON.
  Result<std::unique_ptr<port::ValueDecoder>> decoder_for(const std::string& topic, std::shared_ptr<const model::Schema> columns)
      REQUIRES(mutex_);

  // instance_start.cc: a project becomes parts
  /// What must answer and fit before anything runs: the systems elsewhere, topics, tables.
  Result<Compiled> prepare(const project::Project& project) REQUIRES(mutex_);
  Status declare_topics(const project::Project& project, const Compiled& compiled) REQUIRES(mutex_);
  Status declare_topic_elsewhere(const project::Topic& topic, const std::optional<model::Schema>& schema) REQUIRES(mutex_);
  Status declare_tables(const project::Project& project, const Compiled& compiled) REQUIRES(mutex_);
  Status check_shareable(const CompiledQuery& compiled, const port::Sink& sink) REQUIRES(mutex_);
  Status check_same_table(const CompiledQuery& compiled, const TableElsewhere& table) REQUIRES(mutex_);
  Status seed_table(const std::string& pipeline, const project::Table& table, port::TableStore& tables,
                    const model::TableDef& def) REQUIRES(mutex_);
  Status add_query(CompiledQuery compiled) REQUIRES(mutex_);
  void start_query(const std::string& name, QueryPart& part) REQUIRES(mutex_);
  Result<std::shared_ptr<stream::Runner>> make_runner(const CompiledQuery& compiled, bool paused) REQUIRES(mutex_);
  Result<stream::Position> load_position(const CompiledQuery& compiled, const port::TopicInfo& topic) REQUIRES(mutex_);
  Status recover_lost_tail(const CompiledQuery& compiled, const stream::Position& position) REQUIRES(mutex_);
  Status start_sources(const project::Project& project) REQUIRES(mutex_);
  Status start_scheduler(std::vector<dag::DagSpec> dags) REQUIRES(mutex_);
  Result<std::string> builtin_url() REQUIRES(mutex_);
  Result<std::vector<project::Change>> changes_to(const project::Project& project, const Compiled& found) REQUIRES(mutex_);
  Status replace_parts(const project::Project& project, const Compiled& found) REQUIRES(mutex_);
  Result<std::map<std::string, KnownTopic>> known_topics(const project::Project& project) REQUIRES(mutex_);

  // instance_upkeep.cc: what goes on beside
  void upkeep(std::stop_token stop);
  void look_at_disk();
  void look_at_syncs();
  void enforce_retention();
  bool infer_schemas();
  std::optional<model::Schema> sample_schema(port::TopicStore& topics, const std::string& name);
  Status freeze_schema(const std::string& topic, const model::Schema& schema);
  void start_waiting_queries();
  void start_failed_queries();

  bool writes_elsewhere(const CompiledQuery& query) REQUIRES(mutex_);
  /// Without `in_flight`, which may have to ask another system.
  QueryView view_of(const std::string& name, const QueryPart& part) REQUIRES(mutex_);

  const Options options_;
  Instant started_at_;
  std::unique_ptr<DataDir> data_;
  std::unique_ptr<Backups> backups_;
  std::unique_ptr<sql::DuckEngine> stream_engine_;
  std::unique_ptr<sql::DuckEngine> shell_engine_;
  std::unique_ptr<port::Catalog> catalog_;
  std::unique_ptr<port::MetadataStore> metadata_;
  std::unique_ptr<port::MetadataStore> metadata_elsewhere_;  // null: metadata_ is used
  std::atomic<port::MetadataStore*> metadata_in_use_ = nullptr;
  std::unique_ptr<dag::TaskRunner> tasks_;

  Mutex mutex_;
  CondVar waiting_;
  std::shared_ptr<Parts> parts_ GUARDED_BY(mutex_);
  std::map<std::string, TopicElsewhere> topics_elsewhere_ GUARDED_BY(mutex_);
  std::map<std::string, TableElsewhere> tables_elsewhere_ GUARDED_BY(mutex_);
  std::optional<project::Project> project_ GUARDED_BY(mutex_);
  std::map<std::string, QueryPart, std::less<>> queries_ GUARDED_BY(mutex_);
  std::map<std::string, std::shared_ptr<Ingest>, std::less<>> sources_ GUARDED_BY(mutex_);
  std::unique_ptr<serve::randomuser::RandomUserServer> people_ GUARDED_BY(mutex_);
  std::shared_ptr<dag::Scheduler> scheduler_ GUARDED_BY(mutex_);
  bool stopped_ GUARDED_BY(mutex_) = false;
  std::optional<DiskMark> mark_;  // empty when read-only; asked by start() and then by the thread of upkeep
  std::atomic<bool> disk_is_low_ = false;
  std::atomic<uint64_t> free_bytes_ = 0;
  bool sync_stalls_ = false;  // of the thread of upkeep
  std::jthread upkeep_;
};

}  // namespace millrace::app
