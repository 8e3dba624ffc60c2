#include "connect/file/file_sink.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "env/fault.h"
#include "format/json_write.h"

namespace millrace::connect::file {
namespace {

constexpr size_t kBufferBytes = 1 << 20;
// DuckDB reads no longer line (maximum_object_size).
constexpr size_t kParquetRowBytesMax = 16 << 20;

}  // namespace

FileSink::FileSink(FileSinkSpec spec, store::Store& store, const env::Env& env, RunSql run_sql)
    : spec_(std::move(spec)), store_(store), env_(env), run_sql_(std::move(run_sql)) {}

Result<std::unique_ptr<FileSink>> FileSink::open(FileSinkSpec spec, store::Store& store, const env::Env& env, RunSql run_sql) {
  std::unique_ptr<FileSink> sink(new FileSink(std::move(spec), store, env, std::move(run_sql)));
  TRY_DO(env.files.create_directories(sink->spec_.directory));
  TRY_DO(sink->make_ready());
  return sink;
}

std::string FileSink::part_path(const FileState& state) const {
  return spec_.directory + "/" + part_name(spec_.name, state.number, state.format);
}
std::string FileSink::final_path(const FileState& state) const {
  return spec_.directory + "/" + final_name(spec_.name, state.number, state.format);
}

/// Behind every file of that name: an earlier data directory may have left some.
Result<FileState> FileSink::first_state() {
  FileState state{.format = spec_.format, .schema = *spec_.output};
  TRY(auto names, env_.files.list(spec_.directory));
  for (const std::string& file : names) {
    if (auto number = number_in(file, spec_.name)) state.number = std::max(state.number, *number + 1);
  }
  // Before there is a file: whatever has this number is then known to be ours.
  store::Batch batch;
  batch.put(store::Space::kMeta, file_state_key(spec_.query, spec_.name), encode_file_state(state));
  TRY_DO(store_.commit(std::move(batch), store::Durability::kSync));
  return state;
}

/// Back to what the store says is committed.
Status FileSink::restore() {
  file_.reset();
  buffer_.clear();
  std::string key = file_state_key(spec_.query, spec_.name);
  TRY(auto stored, store_.get(store::Space::kMeta, key));
  if (stored) {
    auto state = decode_file_state(*stored);
    if (!state) return fail(Errc::kCorruption, fmt::format("the store's entry {} is not what this version writes", key));
    state_ = std::move(*state);
  } else {
    TRY(state_, first_state());
  }
  if (!state_.complete) TRY_DO(cut_back());
  restored_ = true;
  if (!state_.complete && (state_.format != spec_.format || state_.schema != *spec_.output)) TRY_DO(complete_now());
  return {};
}

Status FileSink::cut_back() {
  std::string path = part_path(state_);
  TRY(bool exists, env_.files.exists(path));
  end_ = state_.length;
  unsynced_ = false;
  if (state_.length == 0) return exists ? env_.files.remove(path) : Status();
  if (!exists) {
    log_warn("file", fmt::format("{} is gone, with {} bytes of rows; query {} goes on in the next file", path, state_.length,
                                 spec_.query));
    return begin_next();
  }
  TRY(file_, env_.files.open(path, env::OpenMode::kWrite));
  TRY(uint64_t size, file_->size());
  if (size < state_.length)
    return fail(Errc::kDataLoss, fmt::format("{} has {} bytes, but {} are committed", path, size, state_.length),
                "put the whole file back, or move it away to go on in the next one");
  if (size == state_.length) return {};
  unsynced_ = true;
  return file_->truncate(state_.length);
}

/// Completes the current file without an epoch.
Status FileSink::complete_now() {
  if (state_.length > 0) {
    TRY_DO(sync_current());
    FileState complete = state_;
    complete.complete = true;
    store::Batch batch;
    batch.put(store::Space::kMeta, file_state_key(spec_.query, spec_.name), encode_file_state(complete));
    TRY_DO(store_.commit(std::move(batch), store::Durability::kSync));
    state_ = std::move(complete);
    return {};
  }
  state_.format = spec_.format;
  state_.schema = *spec_.output;
  return {};
}

/// Rows can be appended to the current file.
Status FileSink::make_ready() {
  if (broken_) return fail(*broken_);
  if (!restored_) TRY_DO(restore());
  if (!state_.complete) return {};
  TRY_DO(publish());
  return begin_next();
}

/// Gives the complete file its final name; carried out again after a crash.
Status FileSink::publish() {
  file_.reset();
  TRY_DO(env::fault("file_sink.before_rename"));
  std::string part = part_path(state_), target = final_path(state_);
  TRY(bool part_exists, env_.files.exists(part));
  if (!part_exists) return {};
  if (state_.format != Format::kParquet) {
    TRY_DO(env_.files.rename(part, target));
    return sync_directory();
  }
  TRY(bool converted, env_.files.exists(target));
  if (!converted) TRY_DO(convert(part, target));
  TRY_DO(env::fault("file_sink.before_remove"));
  TRY_DO(env_.files.remove(part));
  return sync_directory();
}

Status FileSink::convert(const std::string& lines, const std::string& parquet) {
  std::string temporary = parquet + ".tmp";
  TRY_DO(run_sql_(lines_to_parquet_sql(lines, temporary, state_.schema)));
  TRY(auto file, env_.files.open(temporary, env::OpenMode::kWrite));
  TRY_DO(file->sync());
  TRY_DO(env_.files.rename(temporary, parquet));
  return sync_directory();
}

/// In memory only: the next commit with rows tells the store. After a crash before it the same number is found again.
Status FileSink::begin_next() {
  FileState next{.number = state_.number, .format = spec_.format, .schema = *spec_.output};
  bool taken = true;
  while (taken) {
    ++next.number;
    TRY(taken, env_.files.exists(final_path(next)));
  }
  TRY(bool stale, env_.files.exists(part_path(next)));
  if (stale) TRY_DO(env_.files.remove(part_path(next)));
  file_.reset();
  end_ = 0;
  unsynced_ = false;
  state_ = std::move(next);
  return {};
}

Status FileSink::open_current() {
  if (file_) return {};
  TRY(file_, env_.files.open(part_path(state_), env::OpenMode::kCreate));
  TRY_DO(sync_directory());
  if (state_.format == Format::kCsv) append_csv_header(buffer_, state_.schema);
  return {};
}

Status FileSink::append(const model::ColumnBatch& rows, size_t row, port::SinkReport& report) {
  const auto number = static_cast<uint32_t>(row);
  if (state_.format == Format::kParquet) {
    for (size_t i = 0; i < rows.columns.size(); ++i) {
      if (!exceeds_parquet(rows.columns[i], row)) continue;
      report.faults.push_back({number, "too_large", rows.schema->fields[i].name + " has more than the 38 digits of a decimal"});
      return {};
    }
  }
  const size_t start = buffer_.size();
  if (state_.format == Format::kCsv) {
    append_csv_row(buffer_, rows, row);
  } else {
    format::append_row_json(buffer_, rows, row);
    buffer_ += '\n';
  }
  if (state_.format == Format::kParquet && buffer_.size() - start > kParquetRowBytesMax) {
    report.faults.push_back({number, "too_large", "the row is larger than 16 MiB, which is too much for Parquet"});
    buffer_.resize(start);
  }
  return buffer_.size() >= kBufferBytes ? write_out() : Status();
}

Result<port::SinkReport> FileSink::stage(const model::ColumnBatch& rows, const std::vector<port::RowOrigin>&, bool) {
  TRY_DO(make_ready());
  port::SinkReport report;
  if (rows.rows == 0) return report;
  TRY_DO(open_current());
  for (size_t row = 0; row < rows.rows; ++row) TRY_DO(append(rows, row, report));
  return report;
}

Status FileSink::write_out() {
  if (buffer_.empty()) return {};
  TRY_DO(file_->write_at(end_, buffer_));
  end_ += buffer_.size();
  unsynced_ = true;
  buffer_.clear();
  return {};
}

Status FileSink::sync_current() {
  if (!unsynced_) return {};
  if (auto synced = file_->sync(); !synced) {
    broken_ = std::move(synced.error());
    broken_->hint = "start the process again: the file is then cut back to what is committed, and the rest is written anew";
    return fail(*broken_);
  }
  unsynced_ = false;
  return {};
}

Status FileSink::sync_directory() { return env_.files.sync_directory(spec_.directory); }

bool FileSink::is_due(const FileState& state) {
  if (state.length == 0) return false;
  if (state.length >= spec_.rotate_bytes) return true;
  return spec_.rotate_every && to_micros(env_.clock.now()) - state.begun_micros >= spec_.rotate_every->count();
}

Status FileSink::commit(const port::Epoch&, store::Batch& batch) {
  TRY_DO(make_ready());
  TRY_DO(write_out());
  TRY_DO(sync_current());
  next_ = state_;
  next_.length = end_;
  if (state_.length == 0) next_.begun_micros = to_micros(env_.clock.now());
  next_.complete = is_due(next_);
  if (next_.length == state_.length && !next_.complete) {
    next_ = state_;
  } else {
    batch.put(store::Space::kMeta, file_state_key(spec_.query, spec_.name), encode_file_state(next_));
  }
  return env::fault("file_sink.before_commit");
}

void FileSink::committed() {
  state_ = next_;
  // What fails here is tried again by the next call, which can say so.
  if (Status ready = make_ready(); !ready) log_error("file", ready.error().message);
}

void FileSink::abandon() { restored_ = false; }

Result<std::optional<uint64_t>> FileSink::recover() {
  restored_ = false;
  TRY_DO(make_ready());
  return std::optional<uint64_t>();
}

Status FileSink::finish() {
  restored_ = false;  // rows of an epoch that was not committed are not part of the file
  TRY_DO(make_ready());
  TRY_DO(complete_now());
  return make_ready();
}

}  // namespace millrace::connect::file
