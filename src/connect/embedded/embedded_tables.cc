#include "connect/embedded/embedded_tables.h"

#include <fmt/format.h>

#include "connect/embedded/table_relation.h"
#include "connect/embedded/table_sink.h"

namespace millrace::connect::embedded {
namespace {

/// A relation on a snapshot of its own.
class SnapshotRelation : public port::Relation {
 public:
  SnapshotRelation(store::Store& store, table::Tables::TablePtr table, Instant now)
      : snapshot_(store.snapshot()), relation_(store, std::move(table), *snapshot_, now) {}
  const model::Schema& schema() const override { return relation_.schema(); }
  Result<std::unique_ptr<port::RelationScan>> scan(const port::ScanRequest& request) override { return relation_.scan(request); }

 private:
  const std::unique_ptr<store::Snapshot> snapshot_;
  TableRelation relation_;
};

}  // namespace

Result<std::string> EmbeddedTables::declare(const model::TableDef& def) {
  TRY(auto table, tables_.declare(def));
  return std::to_string(table->id);
}

Result<std::unique_ptr<port::Sink>> EmbeddedTables::sink(const port::TableSinkSpec& spec) {
  auto table = tables_.find(spec.def.name);
  if (table == nullptr) return fail(Errc::kNotFound, fmt::format("table {} does not exist", spec.def.name));
  return TableSink::create(table, *spec.output, store_, clock_);
}

Result<std::unique_ptr<port::Relation>> EmbeddedTables::relation(const model::TableDef& def) {
  auto table = tables_.find(def.name);
  if (table == nullptr) return fail(Errc::kNotFound, fmt::format("table {} does not exist", def.name));
  return std::make_unique<SnapshotRelation>(store_, table, clock_.now());
}

}  // namespace millrace::connect::embedded
