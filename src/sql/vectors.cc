#include "sql/vectors.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace millrace::sql {
namespace {

using model::Column;
using model::ListEntry;
using model::TypeId;

static_assert(sizeof(duckdb_string_t) == sizeof(model::StringRef));
static_assert(sizeof(duckdb_list_entry) == sizeof(ListEntry));

void copy_validity(const Column& column, size_t first, size_t count, duckdb_vector out) {
  duckdb_vector_ensure_validity_writable(out);
  uint64_t* to = duckdb_vector_get_validity(out);
  const uint64_t* from = column.validity + first / 64;
  size_t shift = first % 64;
  size_t last = (shift + count - 1) / 64;  // word of the last bit, from `from` on
  for (size_t word = 0; word * 64 < count; ++word) {
    uint64_t bits = from[word] >> shift;
    if (shift != 0 && word + 1 <= last) bits |= from[word + 1] << (64 - shift);
    to[word] = bits;
  }
}

/// Entries of a slice start at 0 again, and only the elements between its first and last one are copied.
void copy_list(const Column& column, size_t first, size_t count, duckdb_vector out) {
  const auto* from = static_cast<const ListEntry*>(column.data) + first;
  auto* to = static_cast<ListEntry*>(duckdb_vector_get_data(out));
  uint64_t begin = UINT64_MAX, end = 0;
  for (size_t i = 0; i < count; ++i) {
    if (column.is_null(first + i) || from[i].length == 0) continue;
    begin = std::min(begin, from[i].offset);
    end = std::max(end, from[i].offset + from[i].length);
  }
  uint64_t elements = begin == UINT64_MAX ? 0 : end - begin;
  for (size_t i = 0; i < count; ++i) {
    bool empty = column.is_null(first + i) || from[i].length == 0;
    to[i] = empty ? ListEntry{} : ListEntry{from[i].offset - begin, from[i].length};
  }
  CHECK(duckdb_list_vector_reserve(out, elements) == DuckDBSuccess, "no memory for the elements of lists");
  CHECK(duckdb_list_vector_set_size(out, elements) == DuckDBSuccess, "a list vector takes its size");
  if (elements > 0) copy_to_vector(column.children[0], begin, elements, duckdb_list_vector_get_child(out));
}

struct ChunkOwner {
  duckdb_data_chunk chunk;
  std::shared_ptr<const model::Schema> schema;  // column types point into it
  std::shared_ptr<const void> also;
  ~ChunkOwner() { duckdb_destroy_data_chunk(&chunk); }
};

}  // namespace

void copy_to_vector(const Column& column, size_t first, size_t count, duckdb_vector out) {
  if (count == 0) return;
  if (column.validity != nullptr) copy_validity(column, first, count, out);
  if (column.type->id == TypeId::kStruct) {
    for (size_t i = 0; i < column.children.size(); ++i) {
      copy_to_vector(column.children[i], first, count, duckdb_struct_vector_get_child(out, i));
    }
  } else if (column.type->id == TypeId::kList) {
    copy_list(column, first, count, out);
  } else {
    size_t size = model::element_size(*column.type);
    std::memcpy(duckdb_vector_get_data(out), static_cast<const char*>(column.data) + first * size, count * size);
  }
}

Column view_vector(duckdb_vector vector, const model::Type& type) {
  Column column;
  column.type = &type;
  column.validity = duckdb_vector_get_validity(vector);
  if (type.id == TypeId::kStruct) {
    for (size_t i = 0; i < type.fields.size(); ++i) {
      column.children.push_back(view_vector(duckdb_struct_vector_get_child(vector, i), type.fields[i].type));
    }
    return column;
  }
  column.data = duckdb_vector_get_data(vector);
  if (type.id == TypeId::kList) column.children.push_back(view_vector(duckdb_list_vector_get_child(vector), type.fields[0].type));
  return column;
}

model::ColumnBatch view_chunk(duckdb_data_chunk chunk, std::shared_ptr<const model::Schema> schema,
                              std::shared_ptr<const void> also) {
  model::ColumnBatch batch;
  batch.rows = duckdb_data_chunk_get_size(chunk);
  for (size_t i = 0; i < schema->fields.size(); ++i) {
    batch.columns.push_back(view_vector(duckdb_data_chunk_get_vector(chunk, i), schema->fields[i].type));
  }
  batch.owner = std::shared_ptr<ChunkOwner>(new ChunkOwner{chunk, schema, std::move(also)});
  batch.schema = std::move(schema);
  return batch;
}

}  // namespace millrace::sql
