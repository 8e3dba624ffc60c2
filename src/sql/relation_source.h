#pragma once

#include <optional>
#include <vector>

#include "port/relation.h"
#include "sql/scan.h"
#include "sql/statement_shape.h"

namespace millrace::sql {

/// `_key`, `_value` and the others that every topic has: left out of `SELECT *` unless the statement names them.
bool is_metadata_column(std::string_view name);

/// A relation of the catalog as a scan of one statement.
class RelationSource : public ScanSource {
 public:
  RelationSource(port::Relation& relation, const RelationUse& use, const StatementShape& shape);

  const model::Schema& columns() const override { return columns_; }
  Result<std::unique_ptr<ScanCursor>> open(const std::vector<size_t>& wanted) override;
  void failed(Error error) override { error_ = std::move(error); }

  /// Columns that are there because the statement names them; `SELECT *` leaves them out.
  const std::vector<std::string>& hidden() const { return hidden_; }
  const std::optional<Error>& error() const { return error_; }

 private:
  port::Relation& relation_;
  model::Schema columns_;
  std::vector<size_t> indexes_;  // in the relation's schema
  std::vector<std::string> hidden_;
  std::vector<port::KeyPredicate> predicates_;
  /// The statement cannot look at the first column: DuckDB asks for it alone when it wants the number of rows.
  bool first_is_unread_;
  std::optional<Error> error_;
};

}  // namespace millrace::sql
