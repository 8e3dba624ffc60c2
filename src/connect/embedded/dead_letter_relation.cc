#include "connect/embedded/dead_letter_relation.h"

#include "base/bytes.h"
#include "model/column_builder.h"
#include "table/dead_letters.h"

namespace millrace::connect::embedded {
namespace {

using model::ColumnBuilder;
using model::TypeId;

void append_bytes(ColumnBuilder& column, const std::optional<std::string>& bytes) {
  if (!bytes) return column.append_null();
  column.append_text(is_utf8(*bytes) ? *bytes : "\\x" + to_hex(*bytes));
}

struct LetterColumn {
  const char* name;
  TypeId type;
  void (*append)(ColumnBuilder& column, const table::DeadLetter& letter);
};

constexpr LetterColumn kColumns[] = {
    {"id", TypeId::kText, [](ColumnBuilder& c, const table::DeadLetter& l) { c.append_text(table::dead_letter_id(l)); }},
    {"query", TypeId::kText, [](ColumnBuilder& c, const table::DeadLetter& l) { c.append_text(l.query); }},
    {"stage", TypeId::kText, [](ColumnBuilder& c, const table::DeadLetter& l) { c.append_text(l.stage); }},
    {"code", TypeId::kText, [](ColumnBuilder& c, const table::DeadLetter& l) { c.append_text(l.code); }},
    {"message", TypeId::kText, [](ColumnBuilder& c, const table::DeadLetter& l) { c.append_text(l.message); }},
    {"topic", TypeId::kText, [](ColumnBuilder& c, const table::DeadLetter& l) { c.append_text(l.topic); }},
    {"partition", TypeId::kInteger, [](ColumnBuilder& c, const table::DeadLetter& l) { c.append(l.partition); }},
    {"offset", TypeId::kBigint, [](ColumnBuilder& c, const table::DeadLetter& l) { c.append(l.offset); }},
    {"ts", TypeId::kTimestampTz, [](ColumnBuilder& c, const table::DeadLetter& l) { c.append(to_micros(l.timestamp)); }},
    {"key", TypeId::kText, [](ColumnBuilder& c, const table::DeadLetter& l) { append_bytes(c, l.key); }},
    {"value", TypeId::kText, [](ColumnBuilder& c, const table::DeadLetter& l) { append_bytes(c, l.value); }},
};

class Scan : public port::RelationScan {
 public:
  Scan(table::DeadLetterScan letters, std::vector<size_t> columns) : letters_(std::move(letters)), columns_(std::move(columns)) {
    auto schema = std::make_shared<model::Schema>();
    for (size_t column : columns_) schema->fields.push_back({kColumns[column].name, {kColumns[column].type}});
    schema_ = std::move(schema);
  }

  Result<model::ColumnBatch> next() override {
    model::BatchBuilder builder(schema_);
    for (size_t rows = 0; rows < port::kScanRowsMax; ++rows) {
      TRY(auto letter, letters_.next());
      if (!letter) break;
      for (size_t i = 0; i < columns_.size(); ++i) kColumns[columns_[i]].append(builder.column(i), *letter);
      if (columns_.empty()) builder.add_row_without_columns();
    }
    return std::move(builder).finish();
  }

 private:
  table::DeadLetterScan letters_;
  std::vector<size_t> columns_;
  std::shared_ptr<const model::Schema> schema_;
};

}  // namespace

const model::Schema& DeadLetterRelation::schema() const {
  static const model::Schema schema = [] {
    model::Schema made;
    for (const LetterColumn& column : kColumns) made.fields.push_back({column.name, {column.type}});
    return made;
  }();
  return schema;
}

Result<std::unique_ptr<port::RelationScan>> DeadLetterRelation::scan(const port::ScanRequest& request) {
  std::string query;
  for (const port::KeyPredicate& predicate : request.predicates) {
    if (predicate.column == "query" && predicate.op == port::KeyPredicate::Op::kEq) query = predicate.constant;
  }
  return std::make_unique<Scan>(table::DeadLetterScan(store_, query, &snapshot_), request.columns);
}

}  // namespace millrace::connect::embedded
