#include "sql/scan.h"

#include <algorithm>
#include <string>

#include "sql/memory_guard.h"
#include "sql/types.h"
#include "sql/vectors.h"

namespace millrace::sql {
namespace {

struct Execution {
  ScanSource* source;
  std::unique_ptr<ScanCursor> cursor;
  size_t columns = 0;
};

template <class T>
void destroy(void* p) {
  MemoryPause ours;
  delete static_cast<T*>(p);
}

std::string words_of(const Error& error) { return error.hint.empty() ? error.message : error.message + " (" + error.hint + ")"; }

void fill_with_nulls(duckdb_vector vector) {
  duckdb_vector_ensure_validity_writable(vector);
  std::fill_n(duckdb_vector_get_validity(vector), duckdb_vector_size() / 64, uint64_t{0});
}

void bind(duckdb_bind_info info) {
  auto* registry = static_cast<ScanRegistry*>(duckdb_bind_get_extra_info(info));
  duckdb_value parameter = duckdb_bind_get_parameter(info, 0);
  ScanSource* source = registry->find(duckdb_get_int64(parameter));
  duckdb_destroy_value(&parameter);
  if (source == nullptr) return duckdb_bind_set_error(info, "there is no such scan");
  for (const model::Field& field : source->columns().fields) {
    LogicalType type = to_duckdb(field.type);
    duckdb_bind_add_result_column(info, field.name.c_str(), type.get());
  }
  duckdb_bind_set_bind_data(info, new ScanSource*(source), destroy<ScanSource*>);
}

void init(duckdb_init_info info) {
  ScanSource* source = *static_cast<ScanSource**>(duckdb_init_get_bind_data(info));
  auto execution = std::make_unique<Execution>();
  execution->source = source;
  std::vector<size_t> wanted;
  size_t all = source->columns().fields.size();
  // A column beyond ours is DuckDB's row id, which it asks for when it needs the number of rows alone; it stands last.
  for (idx_t i = 0; i < duckdb_init_get_column_count(info); ++i) {
    idx_t column = duckdb_init_get_column_index(info, i);
    if (column < all) wanted.push_back(column);
  }
  execution->columns = wanted.size();
  MemoryPause ours;
  auto cursor = source->open(wanted);
  if (!cursor) {
    duckdb_init_set_error(info, words_of(cursor.error()).c_str());
    source->failed(std::move(cursor.error()));
    return;
  }
  execution->cursor = std::move(*cursor);
  duckdb_init_set_init_data(info, execution.release(), destroy<Execution>);
  duckdb_init_set_max_threads(info, 1);
}

void read(duckdb_function_info info, duckdb_data_chunk out) {
  auto* execution = static_cast<Execution*>(duckdb_function_get_init_data(info));
  auto slice = [&] {
    MemoryPause ours;
    return execution->cursor->next();
  }();
  if (!slice) {
    duckdb_function_set_error(info, words_of(slice.error()).c_str());
    execution->source->failed(std::move(slice.error()));
    return;
  }
  for (size_t i = 0; i < execution->columns; ++i) {
    duckdb_vector to = duckdb_data_chunk_get_vector(out, i);
    if (i < slice->batch->columns.size()) {
      copy_to_vector(slice->batch->columns[i], slice->first, slice->count, to);
    } else {
      fill_with_nulls(to);
    }
  }
  duckdb_data_chunk_set_size(out, slice->count);
}

}  // namespace

int64_t ScanRegistry::add(ScanSource& source) {
  MutexLock lock(mutex_);
  sources_[next_id_] = &source;
  return next_id_++;
}

void ScanRegistry::remove(int64_t id) {
  MutexLock lock(mutex_);
  sources_.erase(id);
}

ScanSource* ScanRegistry::find(int64_t id) {
  MutexLock lock(mutex_);
  auto found = sources_.find(id);
  return found == sources_.end() ? nullptr : found->second;
}

Status register_scan(duckdb_connection connection, ScanRegistry& registry) {
  duckdb_table_function function = duckdb_create_table_function();
  duckdb_table_function_set_name(function, kScanFunction);
  LogicalType bigint(duckdb_create_logical_type(DUCKDB_TYPE_BIGINT));
  duckdb_table_function_add_parameter(function, bigint.get());
  duckdb_table_function_set_extra_info(function, &registry, nullptr);
  duckdb_table_function_set_bind(function, bind);
  duckdb_table_function_set_init(function, init);
  duckdb_table_function_set_function(function, read);
  duckdb_table_function_supports_projection_pushdown(function, true);
  duckdb_state state = duckdb_register_table_function(connection, function);
  duckdb_destroy_table_function(&function);
  if (state != DuckDBSuccess) return fail(Errc::kInternal, "DuckDB refuses the scan function");
  return {};
}

}  // namespace millrace::sql
