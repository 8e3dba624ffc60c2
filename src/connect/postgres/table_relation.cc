#include "connect/postgres/table_relation.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <optional>

#include "connect/postgres/binary_value.h"
#include "connect/postgres/column_type.h"
#include "connect/postgres/copy_text.h"
#include "format/text.h"
#include "model/column_builder.h"

namespace millrace::connect::postgres {
namespace {

using model::TypeId;
using port::KeyPredicate;

/// Texts are ordered by a collation there and by their bytes here; the constant of a decimal may be rounded; floats differ in
/// NaN.
bool goes_along(TypeId id, KeyPredicate::Op op) {
  switch (id) {
    case TypeId::kText:
    case TypeId::kBlob:
    case TypeId::kUuid:
    case TypeId::kDecimal:
    case TypeId::kBoolean: return op == KeyPredicate::Op::kEq;
    case TypeId::kFloat:
    case TypeId::kDouble:
    case TypeId::kInterval:
    case TypeId::kList:
    case TypeId::kStruct: return false;
    default: return true;
  }
}

std::string_view operator_of(KeyPredicate::Op op) {
  switch (op) {
    case KeyPredicate::Op::kEq: return "=";
    case KeyPredicate::Op::kLt: return "<";
    case KeyPredicate::Op::kLe: return "<=";
    case KeyPredicate::Op::kGt: return ">";
    case KeyPredicate::Op::kGe: return ">=";
  }
  return "=";
}

/// The constant as the server writes the type; none when it is no such value, or is not exactly one.
std::optional<std::string> literal_of(const model::Type& type, const std::string& constant) {
  auto schema = std::make_shared<model::Schema>(model::Schema{{{"value", type}}});
  model::BatchBuilder builder(schema);
  if (!format::append_text_as(builder.column(0), constant)) return std::nullopt;
  model::ColumnBatch batch = std::move(builder).finish();
  std::string literal;
  append_literal(literal, batch.columns[0], 0);
  return literal;
}

class Scan : public port::RelationScan {
 public:
  Scan(std::shared_ptr<const model::Schema> schema, std::unique_ptr<Connection> connection)
      : schema_(std::move(schema)), connection_(std::move(connection)) {}

  Result<model::ColumnBatch> next() override {
    TRY(Rows rows, connection_->query(fmt::format("FETCH {} FROM millrace_scan", port::kScanRowsMax), {}, true));
    model::BatchBuilder builder(schema_);
    for (size_t row = 0; row < rows.size(); ++row) {
      if (schema_->fields.empty()) builder.add_row_without_columns();
      for (size_t column = 0; column < schema_->fields.size(); ++column) {
        if (rows.is_null(row, column)) {
          builder.column(column).append_null();
        } else if (Status read = read_value(builder.column(column), rows.text(row, column)); !read) {
          return fail(at(fmt::format("{}: column '{}'", connection_->shown(), schema_->fields[column].name), read.error()));
        }
      }
    }
    return std::move(builder).finish();
  }

 private:
  const std::shared_ptr<const model::Schema> schema_;
  const std::unique_ptr<Connection> connection_;
};

}  // namespace

TableRelation::TableRelation(model::Schema schema, std::string quoted_table, std::vector<std::string> columns, Open open)
    : schema_(std::move(schema)), table_(std::move(quoted_table)), columns_(std::move(columns)), open_(std::move(open)) {}

Result<std::unique_ptr<port::RelationScan>> TableRelation::scan(const port::ScanRequest& request) {
  auto schema = std::make_shared<model::Schema>();
  std::vector<std::string> selected, wanted;
  for (size_t column : request.columns) {
    schema->fields.push_back(schema_.fields[column]);
    selected.push_back(select_as(columns_[column], schema_.fields[column].type));
  }
  Parameters parameters;
  for (const KeyPredicate& predicate : request.predicates) {
    auto column = schema_.find(predicate.column);
    if (!column || !goes_along(schema_.fields[*column].type.id, predicate.op)) continue;
    const model::Type& type = schema_.fields[*column].type;
    std::optional<std::string> literal = literal_of(type, predicate.constant);
    if (!literal) continue;
    parameters.push_back(std::move(literal));
    wanted.push_back(fmt::format("{} {} ${}::{}", select_as(columns_[*column], type), operator_of(predicate.op),
                                 parameters.size(), ddl_type(type)));
  }
  TRY(auto connection, open_());
  TRY_DO(connection->execute("BEGIN READ ONLY"));
  TRY_DO(
      connection->query(fmt::format("DECLARE millrace_scan NO SCROLL CURSOR FOR SELECT {} FROM {}{}{}", fmt::join(selected, ", "),
                                    table_, wanted.empty() ? "" : " WHERE ", fmt::join(wanted, " AND ")),
                        parameters));
  return std::make_unique<Scan>(std::move(schema), std::move(connection));
}

}  // namespace millrace::connect::postgres
