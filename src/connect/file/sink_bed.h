#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "connect/file/file_sink.h"
#include "env/fault.h"
#include "env/fault_file_system.h"
#include "format/json_columns.h"

namespace millrace::connect::file {

inline std::shared_ptr<const model::Schema> schema_of(std::vector<model::Field> fields) {
  return std::make_shared<const model::Schema>(model::Schema{std::move(fields)});
}

/// Rows as their JSON objects say.
inline model::ColumnBatch rows_of(const std::shared_ptr<const model::Schema>& schema, const std::vector<std::string>& objects) {
  auto decoder = format::JsonDecoder::make(schema);
  model::BatchBuilder builder(schema);
  for (const std::string& object : objects) {
    auto kept = std::make_shared<std::string>(object);
    builder.keep(kept);
    Status appended = decoder->append(*kept, builder);
    EXPECT_TRUE(appended) << appended.error().message;
  }
  return std::move(builder).finish();
}

/// A real store, files that can lose their power, and a sink between them.
struct SinkBed {
  SinkBed() {
    set_log_level(LogLevel::kOff);
    path = std::filesystem::temp_directory_path() / ("millrace_file_sink_" + format_uuid(env::make_uuid(env::real_random())));
    std::filesystem::create_directories(path);
    store = std::move(*store::Store::open({.path = path.string()}));
    EXPECT_TRUE(files.create_directories("/out") && files.sync_directory("/"));
    spec = {.directory = "/out", .name = "people", .query = "q", .output = schema_of({{"n", {.id = model::TypeId::kBigint}}})};
  }
  ~SinkBed() {
    (void)env::set_faults("");
    sink.reset();
    store.reset();
    std::filesystem::remove_all(path);
  }

  Status try_open() {
    sink.reset();
    auto opened = FileSink::open(spec, *store, {files, clock, random}, [this](const std::string& sql) { return copy(sql); });
    if (!opened) return fail(std::move(opened.error()));
    sink = std::move(*opened);
    return {};
  }
  /// Stands for DuckDB: the lines behind a word.
  Status copy(const std::string& sql) {
    auto quoted = [&](size_t from) {
      size_t start = sql.find('\'', from) + 1;
      return sql.substr(start, sql.find('\'', start) - start);
    };
    TRY(std::string lines, env::read_file(files, quoted(sql.find("read_json("))));
    TRY(auto file, files.open(quoted(sql.rfind(" TO ")), env::OpenMode::kWrite));
    TRY_DO(file->truncate(0));
    return file->write_at(0, "PARQUET\n" + lines);
  }
  Status stage(int from, int to) {
    std::vector<std::string> objects;
    for (int i = from; i < to; ++i) objects.push_back("{\"n\":" + std::to_string(i) + "}");
    auto report = sink->stage(rows_of(spec.output, objects), std::vector<port::RowOrigin>(objects.size()), false);
    return report ? Status() : fail(std::move(report.error()));
  }
  Status commit() {
    store::Batch batch;
    TRY_DO(sink->commit({}, batch));
    TRY_DO(store->commit(std::move(batch), store::Durability::kLog));
    ++commits;
    sink->committed();
    return {};
  }
  Status epoch(int from, int to) {
    TRY_DO(stage(from, to));
    return commit();
  }
  std::vector<std::string> names() { return *files.list("/out"); }
  std::string content(const std::string& name) { return *env::read_file(files, "/out/" + name); }
  /// What all files together hold, in their order.
  Result<std::string> try_everything() {
    std::string all;
    for (const std::string& name : names()) {
      TRY(std::string text, env::read_file(files, "/out/" + name));
      all += text.starts_with("PARQUET\n") ? text.substr(8) : text;
    }
    return all;
  }
  std::string everything() { return *try_everything(); }
  static std::string lines(int from, int to) {
    std::string out;
    for (int i = from; i < to; ++i) out += "{\"n\":" + std::to_string(i) + "}\n";
    return out;
  }

  std::filesystem::path path;
  env::FaultFileSystem files;
  env::FakeClock clock{*parse_instant("2026-11-21T05:00:00Z")};
  env::SeededRandom random{1};
  std::unique_ptr<store::Store> store;
  FileSinkSpec spec;
  std::unique_ptr<FileSink> sink;
  int commits = 0;
};

}  // namespace millrace::connect::file
