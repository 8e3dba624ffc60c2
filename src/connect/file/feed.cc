#include "connect/file/feed.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/log.h"
#include "connect/file/text_records.h"
#include "format/json_doc.h"

namespace millrace::connect::file {
namespace {

constexpr uint64_t kChunkBytes = 1 << 20;
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

bool is_pattern(std::string_view name) { return name.find_first_of("*?") != std::string_view::npos; }

/// Whether one of `names` stands at the beginning of `name`.
bool begins_with_any(std::string_view name, const std::set<std::string_view>& names) {
  for (size_t size = 1; size < name.size(); ++size)
    if (names.contains(name.substr(0, size))) return true;
  return names.contains(name);
}

/// A column of a Parquet file such that DuckDB writes JSON which format/json_columns.h reads.
std::string as_json(const std::string& column, std::string_view type) {
  if (type == "BLOB") return fmt::format("base64({})", column);
  if (type == "FLOAT" || type == "DOUBLE")
    return fmt::format("CASE WHEN isfinite({0}) THEN to_json({0}) ELSE to_json(CAST({0} AS VARCHAR)) END", column);
  return column;
}

}  // namespace

FileFeed::FileFeed(FileFeedOptions options, env::FileSystem& files, RunSql run_sql, std::optional<format::JsonPath> key)
    : options_(std::move(options)), files_(files), run_sql_(std::move(run_sql)), key_(std::move(key)) {
  size_t slash = options_.path.rfind('/');
  directory_ = slash == 0 ? "/" : options_.path.substr(0, slash);
  pattern_ = options_.path.substr(slash + 1);
  parquet_rows_ = options_.poll_records_max;
}

Result<std::unique_ptr<FileFeed>> FileFeed::create(FileFeedOptions options, env::FileSystem& files, RunSql run_sql) {
  size_t slash = options.path.rfind('/');
  if (slash == std::string::npos || slash + 1 == options.path.size())
    return fail(Errc::kInvalidArgument, fmt::format("'{}' names no file", options.path), "write DIR/NAME or DIR/*.jsonl");
  if (is_pattern(std::string_view(options.path).substr(0, slash)))
    return fail(Errc::kInvalidArgument, fmt::format("'{}' has a pattern in the name of a directory", options.path),
                "only the last name may hold * and ?");
  std::optional<format::JsonPath> key;
  if (!options.key.empty()) {
    TRY(key, format::JsonPath::parse(options.key));
  }
  return std::unique_ptr<FileFeed>(new FileFeed(std::move(options), files, std::move(run_sql), std::move(key)));
}

Status FileFeed::resume(const std::string& position) {
  known_.clear();
  if (position.empty()) return {};
  auto files = decode_feed_position(position);
  if (!files)
    return fail(Errc::kFailedPrecondition,
                fmt::format("the stored position of the files {} cannot be read: {}", options_.path, files.error().message),
                "give the source another name, or make it again what it was");
  known_ = std::move(*files);
  return {};
}

FileFeedCounters FileFeed::counters() const {
  MutexLock lock(mutex_);
  return counters_;
}

port::Feed::Polled FileFeed::poll(std::stop_token stop) {
  Polled out{.next_delay = options_.interval};
  taken_bytes_ = 0;
  if (Status looked = look(); !looked) {
    out.error = std::move(looked.error());
  } else {
    for (KnownFile& file : known_) {
      if (stop.stop_requested() || !has_room(out)) break;
      if (file.done) continue;
      if (Status was_read = read(file, out); !was_read) out.error = std::move(was_read.error());
    }
  }
  if (!has_room(out)) out.next_delay = Duration(0);
  out.position = encode_feed_position(known_);
  MutexLock lock(mutex_);
  counters_.records += out.records.size();
  counters_.bytes += taken_bytes_;
  return out;
}

bool FileFeed::has_room(const Polled& out) const {
  return out.records.size() < options_.poll_records_max && taken_bytes_ < options_.poll_bytes_max;
}

/// Finds out which files there are now.
Status FileFeed::look() {
  TRY(auto names, files_.list(directory_));
  std::vector<SeenFile> seen;
  bool any = false;
  std::set<std::string_view> known_names;
  for (const KnownFile& file : known_) known_names.insert(file.name);
  for (const std::string& name : names) {
    bool wanted = is_pattern(pattern_) ? matches_pattern(pattern_, name) : name == pattern_;
    // Where logs are rotated, `a.log` goes on as `a.log.1`.
    bool perhaps = !wanted && begins_with_any(name, known_names);
    any = any || wanted;
    if (!wanted && !perhaps) continue;
    if (seen.size() == kFilesMax)
      return fail(Errc::kResourceExhausted, fmt::format("{}: more than {} files", options_.path, kFilesMax),
                  "move files away that have been read");
    auto file = see(name, wanted);
    if (file) {
      seen.push_back(std::move(*file));
    } else if (file.error().code != Errc::kNotFound) {
      return fail(std::move(file.error()));
    }
  }
  if (!any && !is_pattern(pattern_)) return fail(Errc::kNotFound, options_.path + ": no such file");
  Matched matched = match_files(known_, seen, options_.format == Format::kParquet);
  for (const std::string& warning : matched.warnings) log_warn("file", directory_ + "/" + warning);
  known_ = std::move(matched.files);
  return {};
}

Result<SeenFile> FileFeed::see(const std::string& name, bool wanted) {
  TRY(auto open, files_.open(directory_ + "/" + name, env::OpenMode::kRead));
  SeenFile file{.name = name, .wanted = wanted};
  TRY(file.first_bytes, bytes_at(*open, 0, kHeadBytes));
  TRY(file.size, open->size());
  return file;
}

Result<std::string> FileFeed::bytes_at(env::File& open, uint64_t offset, uint64_t count) {
  std::string bytes(count, '\0');
  TRY(size_t got, open.read_at(offset, bytes.data(), bytes.size()));
  bytes.resize(got);
  return bytes;
}

Status FileFeed::read(KnownFile& file, Polled& out) {
  TRY(auto open, files_.open(path_of(file), env::OpenMode::kRead));
  return options_.format == Format::kParquet ? read_parquet(file, *open, out) : read_text(file, *open, out);
}

Status FileFeed::read_text(KnownFile& file, env::File& open, Polled& out) {
  TRY(uint64_t size, open.size());
  if (file.offset == 0) {
    TRY(std::string mark, bytes_at(open, 0, kByteOrderMark.size()));
    if (mark == kByteOrderMark) file.offset = mark.size();
  }
  if (options_.format == Format::kCsv) {
    TRY_DO(read_header(file, open, size));
    if (header_.empty()) return {};
  }
  bool more = true;
  while (more && has_room(out)) {
    if (file.skipping) {
      TRY(more, skip_line(file, open, size));
    } else {
      TRY(more, read_chunk(file, open, size, out));
    }
  }
  if (!options_.follow && file.offset == size) file.done = true;
  return {};
}

/// Takes the records of the next bytes. False when there is no whole one.
Result<bool> FileFeed::read_chunk(KnownFile& file, env::File& open, uint64_t size, Polled& out) {
  const bool csv = options_.format == Format::kCsv;
  for (uint64_t count = kChunkBytes;; count *= 4) {
    count = std::min<uint64_t>({count, options_.line_bytes_max + 1, size - file.offset});
    TRY(std::string bytes, bytes_at(open, file.offset, count));
    std::string_view rest = bytes;
    const bool is_end = bytes.size() < count || file.offset + bytes.size() >= size;
    while (!rest.empty() && has_room(out)) {
      auto record = record_size(rest, csv);
      if (!record && (options_.follow || !is_end || rest.size() > options_.line_bytes_max)) break;
      std::string_view text = rest.substr(0, record.value_or(rest.size()));
      take_text(without_line_end(text), out);
      file.offset += text.size();
      file.line += static_cast<uint64_t>(std::ranges::count(text, '\n'));
      rest.remove_prefix(text.size());
    }
    if (rest.size() < bytes.size()) return true;
    if (bytes.size() > options_.line_bytes_max) break;
    if (is_end) return false;
  }
  file.skipping = true;
  out.error = Error{Errc::kResourceExhausted,
                    fmt::format("{}:{}: the line is longer than {} bytes and is left out", path_of(file), file.line + 1,
                                options_.line_bytes_max),
                    {}};
  MutexLock lock(mutex_);
  ++counters_.lines_too_long;
  return true;
}

/// Goes behind the end of the line. False when it is not there yet.
Result<bool> FileFeed::skip_line(KnownFile& file, env::File& open, uint64_t size) {
  while (file.offset < size) {
    TRY(std::string bytes, bytes_at(open, file.offset, std::min(kChunkBytes, size - file.offset)));
    if (bytes.empty()) return false;
    size_t end = bytes.find('\n');
    file.offset += end == std::string::npos ? bytes.size() : end + 1;
    if (end == std::string::npos) continue;
    ++file.line;
    file.skipping = false;
    return true;
  }
  return false;
}

/// The first record of the file; leaves header_ empty when it is not there yet.
Status FileFeed::read_header(KnownFile& file, env::File& open, uint64_t size) {
  header_.clear();
  TRY(std::string bytes, bytes_at(open, 0, std::min(kChunkBytes, size)));
  std::string_view text = bytes;
  const size_t mark = text.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0;
  text.remove_prefix(mark);
  auto record = record_size(text, true);
  if (!record && options_.follow && size < kChunkBytes) return {};
  auto fields = csv_fields(without_line_end(text.substr(0, record.value_or(text.size()))));
  if (!fields || (!record && size > kChunkBytes))
    return fail(Errc::kInvalidArgument, fmt::format("{}:1: the header of a CSV file is expected", path_of(file)),
                "name the columns in the first line");
  for (auto& field : *fields) header_.push_back(std::move(field).value_or(""));
  if (file.offset > mark) return {};
  file.offset = mark + record.value_or(text.size());
  file.line = static_cast<uint64_t>(std::ranges::count(text.substr(0, record.value_or(0)), '\n'));
  return {};
}

void FileFeed::take_text(std::string_view line, Polled& out) {
  if (line.empty()) return;
  if (options_.format != Format::kCsv) return take(std::string(line), out);
  auto object = csv_to_json(header_, line);
  take(object ? std::move(*object) : std::string(line), out);
}

void FileFeed::take(std::string value, Polled& out) {
  taken_bytes_ += value.size();
  model::Record& record = out.records.emplace_back();
  record.value = std::move(value);
  if (!key_) return;
  // What is no JSON has no key either; the query's dead letter says why.
  if (auto key = format::select_text(*record.value, *key_)) record.key = std::move(*key);
  if (record.key) return;
  MutexLock lock(mutex_);
  ++counters_.records_without_key;
}

Result<std::string> FileFeed::run_to_lines(const std::string& sql) {
  TRY_DO(files_.create_directories(options_.scratch));
  TRY_DO(run_sql_(sql));
  constexpr uint64_t kLinesBytesMax = 1 << 30;
  auto lines = env::read_file(files_, scratch_path(), kLinesBytesMax);
  TRY_DO(files_.remove(scratch_path()));
  return lines;
}

/// The SELECT list that gives every column as JSON holds it.
Result<std::string> FileFeed::parquet_columns(const std::string& path) {
  TRY(std::string lines, run_to_lines(parquet_columns_sql(path, scratch_path())));
  std::string columns;
  std::string_view rest = lines;
  while (auto size = record_size(rest, false)) {
    TRY(format::Json column, format::parse_json(rest.substr(0, *size)));
    rest.remove_prefix(*size);
    std::string name = model::quote_identifier(column.string_or("column_name", ""));
    columns += fmt::format("{}{} AS {}", columns.empty() ? "" : ", ", as_json(name, column.string_or("column_type", "")), name);
  }
  return columns;
}

Status FileFeed::read_parquet(KnownFile& file, env::File& open, Polled& out) {
  constexpr std::string_view kMagic = "PAR1";
  TRY(uint64_t size, open.size());
  if (size < 3 * kMagic.size()) return {};
  TRY(std::string magic, bytes_at(open, size - kMagic.size(), kMagic.size()));
  if (magic != kMagic) return {};  // not whole yet
  TRY(std::string columns, parquet_columns(path_of(file)));
  while (!file.done && has_room(out)) {
    TRY(std::string lines,
        run_to_lines(parquet_to_lines_sql(path_of(file), columns, file.offset, parquet_rows_, scratch_path())));
    if (lines.size() > 4 * options_.poll_bytes_max && parquet_rows_ > 1) {
      parquet_rows_ /= 2;
      continue;
    }
    uint64_t rows = 0;
    for (std::string_view rest = lines; auto line = record_size(rest, false); ++rows) {
      take(std::string(without_line_end(rest.substr(0, *line))), out);
      rest.remove_prefix(*line);
    }
    file.offset += rows;
    file.done = rows < parquet_rows_;
  }
  return {};
}

}  // namespace millrace::connect::file
