#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "app/compile.h"
#include "app/data_dir.h"
#include "app/load_project.h"
#include "bench/report.h"
#include "sql/duck_engine.h"
#include "stream/exec/runner.h"

/// The main job of the benchmarks: JSON of 12 fields, of which a query selects 11, and the parts that run it.
namespace millrace::bench {

inline constexpr std::string_view kPipeline = R"yaml(
name: bench
topics:
  users:
    partitions: 1
    schema: |
      id uuid, first_name text, last_name text, gender text, address text, post_code text, email text, username text, dob text,
      registered_date text, phone text, picture text
queries:
  q:
    into: bench.users
    sql: |
      SELECT id, first_name, last_name, gender, address, post_code, email, username, registered_date, phone, picture FROM users
tables:
  bench.users: { partition_key: [id] }
)yaml";

/// Takes rows and forgets them.
class NullSink : public port::Sink {
 public:
  port::SinkTraits traits() const override { return {}; }
  Result<port::SinkReport> stage(const model::ColumnBatch&, const std::vector<port::RowOrigin>&, bool) override {
    return port::SinkReport{};
  }
  Status commit(const port::Epoch&, store::Batch&) override { return {}; }
  void committed() override {}
  void abandon() override {}
};

/// A new data directory, and the query compiled.
struct Bed {
  env::Env env = env::real_env();
  std::string dir;
  std::unique_ptr<app::DataDir> data;
  std::unique_ptr<sql::DuckEngine> engine;
  app::CompiledQuery query;
  model::TableDef table;

  explicit Bed(const std::string& directory) : dir(directory) {
    std::filesystem::remove_all(dir);
    std::filesystem::create_directories(dir);
    std::string file = dir + "/bench.yaml";
    must(env::write_file_atomically(env.files, file, kPipeline));
    project::LoadResult loaded = app::load_project(env, file, "");
    if (!loaded.project) must(Result<void>(fail(Errc::kInternal, project::to_string(loaded.faults.at(0)))));
    data = must(app::DataDir::open(env, dir + "/data", false));
    engine = must(sql::DuckEngine::open({}));
    app::Compiled compiled = app::compile(*loaded.project, *engine, {});
    query = std::move(compiled.queries.at(0));
    table = compiled.tables.at(0);
  }

  /// The query from `source` into `sink`; `name` is where its position is kept.
  std::unique_ptr<stream::Runner> runner(const std::string& name, std::unique_ptr<port::Source> source,
                                         std::unique_ptr<port::Sink> sink) {
    stream::Runner::Parts parts;
    parts.source = std::move(source);
    parts.sink = std::move(sink);
    port::SourceInfo info = must(parts.source->describe());
    stream::Position position;
    position.topic_id = info.topic_id;
    for (int32_t p = 0; p < info.partitions; ++p) {
      position.partitions.push_back({must(parts.source->bounds(model::Partition(p))).start, 0});
    }
    stream::PipelineSpec spec = query.spec;
    spec.query = name;
    parts.pipeline = must(stream::Pipeline::create(spec, {*engine, *parts.sink, data->store(), env.clock}, position));
    return std::make_unique<stream::Runner>(std::move(parts), env.clock, false);
  }
};

}  // namespace millrace::bench
