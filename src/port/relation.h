#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/column.h"

namespace millrace::port {

/// `column op constant`, taken from the WHERE of a statement. The constant is text, to be read as the column's type.
struct KeyPredicate {
  enum class Op { kEq, kLt, kLe, kGt, kGe };
  std::string column;
  Op op = Op::kEq;
  std::string constant;
};

struct ScanRequest {
  /// Indexes into the relation's schema, in the order that the batches shall have.
  std::vector<size_t> columns;
  /// All of them hold for the rows that are wanted. A hint: the engine filters again, so a relation may use some or none.
  std::vector<KeyPredicate> predicates;
};

/// The rows of one scan. Single-threaded; not valid after its snapshot.
class RelationScan {
 public:
  virtual ~RelationScan() = default;
  /// At most `kScanRowsMax` rows; none at the end.
  virtual Result<model::ColumnBatch> next() = 0;
};
inline constexpr size_t kScanRowsMax = 2048;  // DuckDB's vector size

/// Something that can stand in FROM: a topic, a table, the dead letters.
class Relation {
 public:
  virtual ~Relation() = default;
  virtual const model::Schema& schema() const = 0;
  virtual Result<std::unique_ptr<RelationScan>> scan(const ScanRequest& request) = 0;
};

/// Every relation as of one moment: one statement reads one snapshot.
class CatalogSnapshot {
 public:
  virtual ~CatalogSnapshot() = default;
  /// Null when there is none of that name. `schema_name` is empty for a one-part name. The snapshot owns the relation.
  virtual Relation* find(std::string_view schema_name, std::string_view name) = 0;
  /// `name` or `schema.name` of each, for messages such as "did you mean".
  virtual std::vector<std::string> names() = 0;
};

class Catalog {
 public:
  virtual ~Catalog() = default;
  virtual std::unique_ptr<CatalogSnapshot> snapshot() = 0;
};

}  // namespace millrace::port
