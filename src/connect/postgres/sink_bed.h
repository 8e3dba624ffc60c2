#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "connect/postgres/database_bed.h"
#include "connect/postgres/tables.h"
#include "format/json_columns.h"
#include "model/column_builder.h"

namespace millrace::connect::postgres {

/// A row to stage: JSON of its columns, and where it comes from.
struct Staged {
  std::string json;
  uint64_t version = 1;
  bool erase = false;
};

inline model::ColumnBatch batch_of(std::shared_ptr<const model::Schema> schema, const std::vector<Staged>& rows) {
  model::BatchBuilder builder(schema);
  auto decoder = format::JsonDecoder::make(schema);
  for (const Staged& row : rows) {
    std::string padded = row.json + std::string(64, ' ');
    Status read = decoder->append(std::string_view(padded).substr(0, row.json.size()), builder);
    EXPECT_TRUE(read) << read.error().message;
  }
  return std::move(builder).finish();
}

inline std::vector<port::RowOrigin> origins_of(const std::vector<Staged>& rows) {
  std::vector<port::RowOrigin> origins;
  for (const Staged& row : rows) {
    port::RowOrigin origin;
    origin.offset = static_cast<int64_t>(origins.size());
    origin.version = row.version;
    origin.erase = row.erase;
    origins.push_back(origin);
  }
  return origins;
}

/// Table app.t(id bigint, v text), key id, with a sink of query q.
inline model::TableDef small_def() {
  model::TableDef def;
  def.name = "app.t";
  def.schema.fields = {{"id", {.id = model::TypeId::kBigint}}, {"v", {.id = model::TypeId::kText}}};
  def.partition_key = {0};
  return def;
}

inline std::unique_ptr<port::Sink> sink_of(const std::string& url, const model::TableDef& def, bool shared = false) {
  auto tables = PostgresTables::open({url, {}}, env::real_env());
  EXPECT_TRUE(tables) << tables.error().message;
  auto declared = (*tables)->declare(def);
  EXPECT_TRUE(declared) << declared.error().message;
  auto sink = (*tables)->sink({def, std::make_shared<model::Schema>(def.schema), "p", "q", shared});
  EXPECT_TRUE(sink) << sink.error().message;
  return sink ? std::move(*sink) : nullptr;
}

inline Result<port::SinkReport> stage(port::Sink& sink, const std::vector<Staged>& rows, const model::TableDef& def = small_def(),
                                      bool check_versions = false) {
  return sink.stage(batch_of(std::make_shared<model::Schema>(def.schema), rows), origins_of(rows), check_versions);
}
inline Status commit(port::Sink& sink, uint64_t epoch) {
  store::Batch batch;
  return sink.commit({epoch, {}}, batch);
}

}  // namespace millrace::connect::postgres
