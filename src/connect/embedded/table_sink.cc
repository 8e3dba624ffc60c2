#include "connect/embedded/table_sink.h"

#include <fmt/format.h>

namespace millrace::connect::embedded {

TableSink::TableSink(std::shared_ptr<const table::Table> table, store::Store& store, env::Clock& clock)
    : store_(store), clock_(clock), writer_(std::move(table)) {}

Result<std::unique_ptr<TableSink>> TableSink::create(std::shared_ptr<const table::Table> table, const model::Schema& output,
                                                     store::Store& store, env::Clock& clock) {
  std::vector<size_t> source(table->def.schema.fields.size(), table::TableWriter::kNoColumn);
  for (size_t i = 0; i < output.fields.size(); ++i) {
    auto column = table->def.schema.find(output.fields[i].name);
    if (!column)
      return fail(Errc::kInvalidArgument, fmt::format("table {} has no column '{}'", table->def.name, output.fields[i].name));
    source[*column] = i;
  }
  std::unique_ptr<TableSink> sink(new TableSink(table, store, clock));
  TRY_DO(sink->writer_.set_source(std::move(source)));
  return sink;
}

Result<port::SinkReport> TableSink::stage(const model::ColumnBatch& rows, const std::vector<port::RowOrigin>& origins,
                                          bool check_versions) {
  versions_.clear();
  timestamps_.clear();
  erased_.clear();
  for (const port::RowOrigin& origin : origins) {
    versions_.push_back(origin.version);
    timestamps_.push_back(origin.timestamp_ms * 1000);
    erased_.push_back(origin.erase ? 1 : 0);
  }
  TRY(auto added, writer_.add(rows, {versions_, timestamps_, erased_}, clock_.now()));
  port::SinkReport report;
  for (auto& fault : added.faults) report.faults.push_back({fault.row, "bad_key", std::move(fault.message)});
  report.expired = std::move(added.expired);
  if (check_versions) {
    TRY(std::vector<uint32_t> superseded, writer_.drop_superseded(store_));
    for (uint32_t number : superseded) report.superseded.push_back(number - staged_);
  }
  staged_ += static_cast<uint32_t>(rows.rows);
  return report;
}

Status TableSink::commit(const port::Epoch&, store::Batch& batch) {
  writer_.add_to(batch);
  return {};
}

void TableSink::committed() { abandon(); }

void TableSink::abandon() {
  writer_.clear();
  staged_ = 0;
}

}  // namespace millrace::connect::embedded
