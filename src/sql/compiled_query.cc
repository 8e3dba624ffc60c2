#include "sql/compiled_query.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "base/check.h"
#include "sql/vectors.h"

namespace millrace::sql {
namespace {

/// The rows of a batch in pieces of DuckDB's vector size, with the column of row numbers.
class BatchCursor : public ScanCursor {
 public:
  BatchCursor(const model::ColumnBatch& input, size_t first, size_t count, const std::vector<size_t>& wanted,
              const model::Type& number_type)
      : at_(first), end_(first + count) {
    for (size_t column : wanted) {
      if (column < input.columns.size()) {
        batch_.columns.push_back(input.columns[column]);
      } else {
        number_column_ = batch_.columns.size();
        batch_.columns.push_back({&number_type, nullptr, nullptr, {}});
      }
    }
    if (number_column_) numbers_.resize(port::kScanRowsMax);
  }

  Result<Slice> next() override {
    size_t count = std::min(port::kScanRowsMax, end_ - at_);
    if (number_column_) {
      // The slice is read from row `at_` on, so the buffer is shown as if it began that much earlier.
      std::iota(numbers_.begin(), numbers_.begin() + static_cast<ptrdiff_t>(count), static_cast<int64_t>(at_));
      batch_.columns[*number_column_].data =
          reinterpret_cast<const void*>(reinterpret_cast<uintptr_t>(numbers_.data()) - at_ * sizeof(int64_t));
    }
    Slice slice{&batch_, at_, count};
    at_ += count;
    return slice;
  }

 private:
  model::ColumnBatch batch_;
  std::optional<size_t> number_column_;
  std::vector<int64_t> numbers_;
  size_t at_;
  const size_t end_;
};

/// What the values of a column take; the texts of a list's elements too.
size_t bytes_of(const model::Column& column, size_t rows) {
  using model::TypeId;
  TypeId id = column.type->id;
  size_t bytes = 0;
  if (id == TypeId::kText || id == TypeId::kBlob) {
    for (size_t i = 0; i < rows; ++i) bytes += sizeof(model::StringRef) + (column.is_null(i) ? 0 : column.text(i).size());
  } else if (id == TypeId::kStruct) {
    for (const model::Column& child : column.children) bytes += bytes_of(child, rows);
  } else if (id == TypeId::kList) {
    size_t elements = 0;
    for (size_t i = 0; i < rows; ++i) {
      if (column.is_null(i)) continue;
      const auto& entry = column.at<model::ListEntry>(i);
      elements = std::max(elements, static_cast<size_t>(entry.offset + entry.length));
    }
    bytes = rows * sizeof(model::ListEntry) + (elements > 0 ? bytes_of(column.children[0], elements) : 0);
  } else {
    bytes = rows * model::element_size(*column.type);
  }
  return bytes;
}

Status check_statement_type(const Statement& statement) {
  if (statement.type() != DUCKDB_STATEMENT_TYPE_SELECT)
    return fail(Errc::kPermissionDenied, "a query is a SELECT; this is another statement");
  if (duckdb_nparams(statement.get()) > 0)
    return fail(Errc::kInvalidArgument, "a query has no parameters ($1 or ?): write the value itself");
  return {};
}

}  // namespace

class BatchQuery::Source : public ScanSource {
 public:
  explicit Source(std::shared_ptr<const model::Schema> input) : input_(std::move(input)), columns_(*input_) {
    columns_.fields.push_back({std::string(port::kRowNumberColumn), {model::TypeId::kBigint}});
  }

  const model::Schema& columns() const override { return columns_; }
  Result<std::unique_ptr<ScanCursor>> open(const std::vector<size_t>& wanted) override {
    static const model::ColumnBatch kNothing;
    const model::ColumnBatch& batch = batch_ == nullptr ? kNothing : *batch_;
    return std::make_unique<BatchCursor>(batch, first_, count_, wanted, columns_.fields.back().type);
  }
  void failed(Error) override {}

  void set(const model::ColumnBatch* batch, size_t first, size_t count) {
    batch_ = batch;
    first_ = first;
    count_ = count;
  }

 private:
  const std::shared_ptr<const model::Schema> input_;
  model::Schema columns_;
  const model::ColumnBatch* batch_ = nullptr;
  size_t first_ = 0;
  size_t count_ = 0;
};

BatchQuery::Prepared::~Prepared() {
  statement.reset();
  connection.instance()->scans().remove(scan_id);
}

BatchQuery::BatchQuery(std::shared_ptr<Instances> instances, std::string sql, port::QueryInput input)
    : instances_(std::move(instances)),
      sql_(std::move(sql)),
      input_name_(std::move(input.name)),
      source_(std::make_unique<Source>(input.schema)) {}

BatchQuery::~BatchQuery() = default;

Result<std::unique_ptr<port::CompiledQuery>> BatchQuery::create(std::shared_ptr<Instances> instances, std::string sql,
                                                                port::QueryInput input) {
  TRY_DO(check_text(sql));
  std::unique_ptr<BatchQuery> query(new BatchQuery(std::move(instances), std::move(sql), std::move(input)));
  TRY_DO(query->prepare());
  return query;
}

Status BatchQuery::prepare() {
  prepared_.reset();
  TRY(auto instance, instances_->current());
  TRY(Connection connection, Connection::open(instance));
  int64_t id = instance->scans().add(*source_);
  auto prepared = std::unique_ptr<Prepared>(new Prepared{std::move(connection), id, std::nullopt});
  Guarded guarded(*instances_, prepared->connection, instances_->options().run_time_max);
  TRY_DO(guarded.run([&] { return prepare_in(*prepared); }));
  prepared_ = std::move(prepared);
  return {};
}

Status BatchQuery::prepare_in(Prepared& prepared) {
  TRY_DO(prepared.connection.run("CREATE TEMP VIEW " + model::quote_identifier(input_name_) + " AS FROM " + kScanFunction + "(" +
                                 std::to_string(prepared.scan_id) + ")"));
  TRY(Statement statement, prepared.connection.prepare(StatementText(sql_)));
  TRY_DO(check_statement_type(statement));
  TRY(model::Schema columns, statement.columns());
  prepared.statement.emplace(std::move(statement));
  output_ = std::make_shared<const model::Schema>(std::move(columns));
  return {};
}

Result<std::vector<model::ColumnBatch>> BatchQuery::run(const model::ColumnBatch& input, size_t first, size_t count,
                                                        Duration time_max) {
  CHECK(first + count <= input.rows, "the rows to run are in the batch");
  CHECK(input.columns.size() + 1 == source_->columns().fields.size(), "the batch has the input's columns");
  if (prepared_ == nullptr || prepared_->connection.instance()->broken()) TRY_DO(prepare());
  if (interrupted()) return fail(Errc::kCancelled, "the query was stopped");
  source_->set(&input, first, count);
  std::vector<model::ColumnBatch> out;
  Guarded guarded(*instances_, prepared_->connection, std::min(time_max, instances_->options().run_time_max));
  watch_with(&guarded.watchdog());
  Status done = guarded.run([&] { return collect(out, input.owner); });
  watch_with(nullptr);
  source_->set(nullptr, 0, 0);
  if (done) return out;
  if (done.error().code == Errc::kCancelled || interrupted()) return fail(Errc::kCancelled, "the query was stopped");
  return fail(std::move(done.error()));
}

Status BatchQuery::collect(std::vector<model::ColumnBatch>& out, const std::shared_ptr<const void>& owner) {
  const EngineOptions& limits = instances_->options();
  size_t rows_made = 0, bytes = 0;
  TRY(Rows rows, prepared_->statement->execute());
  while (true) {
    TRY(duckdb_data_chunk chunk, rows.next());
    if (chunk == nullptr) return {};
    out.push_back(view_chunk(chunk, output_, owner));
    rows_made += out.back().rows;
    for (const model::Column& column : out.back().columns) bytes += bytes_of(column, out.back().rows);
    if (rows_made > limits.run_rows_max) {
      return fail(Errc::kResourceExhausted,
                  fmt::format("the query makes more than {} rows of these records", limits.run_rows_max));
    }
    if (bytes > limits.run_bytes_max) {
      return fail(Errc::kResourceExhausted,
                  fmt::format("the query makes more than {} bytes of these records", limits.run_bytes_max));
    }
  }
}

void BatchQuery::interrupt() {
  MutexLock lock(mutex_);
  interrupted_ = true;
  if (watchdog_ != nullptr) watchdog_->fire();
}

bool BatchQuery::interrupted() {
  MutexLock lock(mutex_);
  return interrupted_;
}

void BatchQuery::watch_with(Watchdog* watchdog) {
  MutexLock lock(mutex_);
  watchdog_ = watchdog;
  if (watchdog_ != nullptr && interrupted_) watchdog_->fire();
}

}  // namespace millrace::sql
