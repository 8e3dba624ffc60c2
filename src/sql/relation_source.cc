#include "sql/relation_source.h"

#include <algorithm>

namespace millrace::sql {
namespace {

using model::TypeId;

bool is_integer(TypeId id) { return id >= TypeId::kTinyint && id <= TypeId::kUbigint; }
bool is_integer(std::string_view type) { return type == "INTEGER" || type.ends_with("INT"); }

/// Whether `column op constant` means the same when the constant's text is read as the column's type. DuckDB compares a text
/// column with a number as numbers, for one, so most mixed pairs do not.
bool reads_alike(const model::Type& column, std::string_view constant) {
  bool text = constant == "VARCHAR";
  switch (column.id) {
    case TypeId::kText:
    case TypeId::kBoolean: return text;
    case TypeId::kUuid: return text || constant == "UUID";
    case TypeId::kDate: return text || constant == "DATE";
    case TypeId::kTimestamp: return text || constant == "TIMESTAMP" || constant == "DATE";
    case TypeId::kTimestampTz:
      return text || constant == "TIMESTAMP WITH TIME ZONE" || constant == "TIMESTAMP" || constant == "DATE";
    case TypeId::kDecimal: return is_integer(constant);
    default: return is_integer(column.id) && is_integer(constant);
  }
}

class RelationCursor : public ScanCursor {
 public:
  explicit RelationCursor(std::unique_ptr<port::RelationScan> scan) : scan_(std::move(scan)) {}

  Result<Slice> next() override {
    if (at_ == batch_.rows) {
      TRY(batch_, scan_->next());
      at_ = 0;
    }
    Slice slice{&batch_, at_, std::min(port::kScanRowsMax, batch_.rows - at_)};
    at_ += slice.count;
    return slice;
  }

 private:
  std::unique_ptr<port::RelationScan> scan_;
  model::ColumnBatch batch_;
  size_t at_ = 0;
};

}  // namespace

bool is_metadata_column(std::string_view name) {
  constexpr std::string_view kNames[] = {"_key", "_value", "_offset", "_partition", "_timestamp", "_headers"};
  return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

RelationSource::RelationSource(port::Relation& relation, const RelationUse& use, const StatementShape& shape)
    : relation_(relation) {
  const std::vector<model::Field>& fields = relation.schema().fields;
  bool only_metadata =
      std::all_of(fields.begin(), fields.end(), [](const model::Field& field) { return is_metadata_column(field.name); });
  for (size_t i = 0; i < fields.size(); ++i) {
    bool hidden = !only_metadata && is_metadata_column(fields[i].name);
    if (hidden && !shape.names_column(fields[i].name)) continue;
    if (hidden) hidden_.push_back(fields[i].name);
    columns_.fields.push_back(fields[i]);
    indexes_.push_back(i);
  }
  first_is_unread_ = !shape.reads_unnamed && !shape.names_column(columns_.fields[0].name) && !shape.names_column(use.name) &&
                     (use.alias.empty() || !shape.names_column(use.alias));
  for (const ConstantPredicate& predicate : use.predicates) {
    auto column = relation.schema().find(predicate.column);
    if (!column || !reads_alike(fields[*column].type, predicate.type)) continue;
    predicates_.push_back({fields[*column].name, predicate.op, predicate.constant});
  }
}

Result<std::unique_ptr<ScanCursor>> RelationSource::open(const std::vector<size_t>& wanted) {
  port::ScanRequest request;
  bool only_count = first_is_unread_ && wanted.size() == 1 && wanted[0] == 0;
  for (size_t column : wanted) {
    if (!only_count) request.columns.push_back(indexes_[column]);
  }
  request.predicates = predicates_;
  TRY(auto scan, relation_.scan(request));
  return std::make_unique<RelationCursor>(std::move(scan));
}

}  // namespace millrace::sql
