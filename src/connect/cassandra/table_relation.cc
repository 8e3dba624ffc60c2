#include "connect/cassandra/table_relation.h"

#include <fmt/format.h>

#include <algorithm>

#include "codec/cql/value.h"
#include "format/text.h"
#include "model/column_builder.h"

namespace millrace::connect::cassandra {
namespace {

constexpr int32_t kPageRowsMax = 2000;
constexpr int32_t kFirstPageRows = 200;
/// What a page should hold: rows may be large, and pages are counted in rows.
constexpr size_t kPageBytes = 2 << 20;
static_assert(kPageRowsMax <= static_cast<int32_t>(port::kScanRowsMax));

/// Types whose values are equal in SQL exactly when their bytes are in Cassandra.
bool compares_by_bytes(model::TypeId id) {
  return id != model::TypeId::kFloat && id != model::TypeId::kDouble && id != model::TypeId::kDecimal &&
         id != model::TypeId::kHugeint && id != model::TypeId::kList && id != model::TypeId::kStruct;
}

/// The constant as the column's bytes; none when it is no such value.
std::optional<std::string> constant(const model::Field& field, const ExistingColumn& column, const std::string& text) {
  auto schema = std::make_shared<model::Schema>(model::Schema{{field}});
  model::BatchBuilder builder(schema);
  if (!format::append_text_as(builder.column(0), text)) return std::nullopt;
  model::ColumnBatch batch = std::move(builder).finish();
  auto encoder = cql::ValueEncoder::make(field.type, column.type);
  std::string bytes;
  if (!encoder || !encoder->append(bytes, batch.columns[0], 0)) return std::nullopt;
  return bytes.substr(sizeof(int32_t));
}

class Scan : public port::RelationScan {
 public:
  Scan(Session& session, std::string name, Selection selection, model::Schema schema)
      : session_(session),
        name_(std::move(name)),
        selection_(std::move(selection)),
        schema_(std::make_shared<model::Schema>(std::move(schema))) {}

  Result<model::ColumnBatch> next() override {
    model::BatchBuilder builder(schema_);
    while (!ended_ && builder.rows() == 0) TRY_DO(read_page(builder));
    return std::move(builder).finish();
  }

 private:
  Status read_page(model::BatchBuilder& builder) {
    cql::QueryRequest request;
    request.query = selection_.text;
    request.params = session_.read_params();
    request.params.page_size = page_rows_;
    if (!paging_state_.empty()) request.params.paging_state = paging_state_;
    for (const std::string& value : selection_.values) request.values.values.push_back(cql::Value::of(value));
    auto reply = session_.ask(request);
    if (!reply) return fail(at("reading table " + name_, std::move(reply.error())));
    const cql::RowsResult* rows = reply->rows();
    if (rows == nullptr) return fail(Errc::kCorruption, "reading table " + name_ + ": the answer has no rows");
    TRY_DO(append(*rows, builder));
    paging_state_ = rows->metadata.paging_state.value_or("");
    ended_ = paging_state_.empty();
    size_t row_bytes = rows->row_count == 0 ? 1 : std::max<size_t>(1, rows->cells.size() / rows->row_count);
    page_rows_ = static_cast<int32_t>(std::clamp<size_t>(kPageBytes / row_bytes, 1, kPageRowsMax));
    return {};
  }

  Status append(const cql::RowsResult& rows, model::BatchBuilder& builder) {
    std::vector<cql::ValueDecoder> decoders;
    for (size_t i = 0; i < schema_->fields.size(); ++i) {
      if (i >= rows.metadata.columns.size()) return fail(Errc::kCorruption, "reading table " + name_ + ": columns are lacking");
      auto decoder = cql::ValueDecoder::make(rows.metadata.columns[i].type, schema_->fields[i].type);
      if (!decoder)
        return fail(at(fmt::format("reading table {}: column {}", name_, schema_->fields[i].name), std::move(decoder.error())));
      decoders.push_back(std::move(*decoder));
    }
    cql::RowsReader reader(rows);
    while (true) {
      TRY(bool more, reader.next());
      if (!more) return {};
      if (decoders.empty()) builder.add_row_without_columns();
      for (size_t i = 0; i < decoders.size(); ++i) {
        Status taken = decoders[i].append(reader.row()[i], builder.column(i));
        if (!taken)
          return fail(at(fmt::format("reading table {}: column {}", name_, schema_->fields[i].name), std::move(taken.error())));
      }
    }
  }

  Session& session_;
  const std::string name_;
  const Selection selection_;
  const std::shared_ptr<const model::Schema> schema_;
  std::string paging_state_;
  int32_t page_rows_ = kFirstPageRows;
  bool ended_ = false;
};

}  // namespace

Selection select_statement(const TableName& name, const model::TableDef& def, const ExistingTable& table,
                           const port::ScanRequest& request) {
  auto column_of = [&](size_t i) { return table.find(def.schema.fields[i].name); };
  Selection selection;
  std::string columns;
  for (size_t i : request.columns) columns += (columns.empty() ? "" : ", ") + model::quote_identifier(column_of(i)->name);
  if (columns.empty()) columns = model::quote_identifier(column_of(def.partition_key[0])->name);
  selection.text = fmt::format("SELECT {} FROM {}", columns, name.quoted());

  auto equal = [&](size_t i) -> std::optional<std::string> {
    const model::Field& field = def.schema.fields[i];
    for (const port::KeyPredicate& predicate : request.predicates) {
      if (predicate.op != port::KeyPredicate::Op::kEq || !model::same_name(predicate.column, field.name)) continue;
      if (compares_by_bytes(field.type.id)) return constant(field, *column_of(i), predicate.constant);
    }
    return std::nullopt;
  };
  std::string where;
  auto add = [&](size_t i) {
    auto value = equal(i);
    if (!value) return false;
    where += fmt::format("{}{} = ?", where.empty() ? " WHERE " : " AND ", model::quote_identifier(column_of(i)->name));
    selection.values.push_back(std::move(*value));
    return true;
  };
  if (std::all_of(def.partition_key.begin(), def.partition_key.end(), add)) {
    for (const model::ClusteringColumn& key : def.clustering) {
      if (!add(key.column)) break;
    }
    selection.text += where;
  } else {
    selection.values.clear();
  }
  return selection;
}

TableRelation::TableRelation(Session& session, TableName name, model::TableDef def, ExistingTable table)
    : session_(session), name_(std::move(name)), def_(std::move(def)), table_(std::move(table)) {}

Result<std::unique_ptr<port::RelationScan>> TableRelation::scan(const port::ScanRequest& request) {
  model::Schema schema;
  for (size_t i : request.columns) schema.fields.push_back(def_.schema.fields[i]);
  return std::make_unique<Scan>(session_, name_.text(), select_statement(name_, def_, table_, request), std::move(schema));
}

}  // namespace millrace::connect::cassandra
