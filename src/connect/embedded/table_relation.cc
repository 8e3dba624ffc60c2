#include "connect/embedded/table_relation.h"

#include <algorithm>

#include "format/text.h"
#include "model/column_builder.h"
#include "table/table_reader.h"

namespace millrace::connect::embedded {
namespace {

using port::KeyPredicate;

/// One value of a type, read from text; null when the text is none, and then nothing can be said of the key.
class Constant {
 public:
  Constant(const model::Type& type, const std::string& text)
      : schema_(std::make_shared<model::Schema>(model::Schema{{{"value", type}}})), builder_(schema_) {
    if (format::append_text_as(builder_.column(0), text)) batch_ = std::move(builder_).finish();
  }
  const model::Column* value() const { return batch_.rows == 1 ? &batch_.columns[0] : nullptr; }

 private:
  std::shared_ptr<const model::Schema> schema_;
  model::BatchBuilder builder_;
  model::ColumnBatch batch_;
};

class Scan : public port::RelationScan {
 public:
  explicit Scan(std::unique_ptr<table::TableScan> scan) : scan_(std::move(scan)) {}
  Result<model::ColumnBatch> next() override { return scan_->next(); }

 private:
  std::unique_ptr<table::TableScan> scan_;
};

/// The range of keys that the predicates leave.
Result<table::KeyRange> narrow(const table::Table& table, const std::vector<KeyPredicate>& predicates) {
  std::vector<std::unique_ptr<Constant>> constants;
  std::vector<model::Column> equal;
  auto constant_of = [&](const model::Field& field, std::initializer_list<KeyPredicate::Op> ops,
                         KeyPredicate::Op* found) -> const model::Column* {
    for (const KeyPredicate& predicate : predicates) {
      if (!model::same_name(predicate.column, field.name) || std::find(ops.begin(), ops.end(), predicate.op) == ops.end())
        continue;
      constants.push_back(std::make_unique<Constant>(field.type, predicate.constant));
      if (constants.back()->value() == nullptr) continue;
      if (found != nullptr) *found = predicate.op;
      return constants.back()->value();
    }
    return nullptr;
  };
  using Op = KeyPredicate::Op;
  for (const table::ClusteringColumn& key : table.key_columns) {
    const model::Field& field = table.def.schema.fields[key.column];
    if (const model::Column* value = constant_of(field, {Op::kEq}, nullptr)) {
      equal.push_back(*value);
      continue;
    }
    std::optional<table::KeyBound> low, high;
    Op op = Op::kEq;
    if (const model::Column* value = constant_of(field, {Op::kGt, Op::kGe}, &op)) low = table::KeyBound{*value, op == Op::kGe};
    if (const model::Column* value = constant_of(field, {Op::kLt, Op::kLe}, &op)) high = table::KeyBound{*value, op == Op::kLe};
    return table::key_range(table, equal, low, high);
  }
  return table::key_range(table, equal);
}

}  // namespace

TableRelation::TableRelation(store::Store& store, std::shared_ptr<const table::Table> table, const store::Snapshot& snapshot,
                             Instant now)
    : store_(store), table_(std::move(table)), snapshot_(snapshot), now_(now) {}

Result<std::unique_ptr<port::RelationScan>> TableRelation::scan(const port::ScanRequest& request) {
  TRY(table::KeyRange range, narrow(*table_, request.predicates));
  return std::make_unique<Scan>(std::make_unique<table::TableScan>(store_, table_, range, request.columns, now_, &snapshot_));
}

}  // namespace millrace::connect::embedded
