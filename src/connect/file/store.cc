#include "connect/file/store.h"

#include <fmt/format.h>

#include "base/size.h"
#include "connect/file/stdout_sink.h"

namespace millrace::connect::file {
namespace {

using Options = std::map<std::string, std::string>;

constexpr Duration kParquetRotateEvery = std::chrono::seconds(60);

Result<std::string> read_url(const std::string& url) {
  if (url == "stdout:") return std::string();
  std::string_view directory = url;
  if (!directory.starts_with("file:"))
    return fail(Errc::kInvalidArgument, fmt::format("'{}' is neither file:DIR nor stdout:", url));
  directory.remove_prefix(5);
  if (directory.starts_with("//")) {
    directory.remove_prefix(2);
    if (!directory.starts_with('/'))
      return fail(Errc::kInvalidArgument, fmt::format("'{}' names a host", url), "write file:DIR, or file:///DIR");
  }
  if (directory.empty() || directory.find('\0') != std::string_view::npos)
    return fail(Errc::kInvalidArgument, fmt::format("'{}' names no directory", url), "write file:DIR, such as file:./out");
  while (directory.size() > 1 && directory.ends_with('/')) directory.remove_suffix(1);
  return std::string(directory);
}

Result<Format> read_format(const std::string& value) {
  for (Format format : {Format::kJson, Format::kCsv, Format::kParquet}) {
    static constexpr std::string_view kNames[] = {"", "json", "csv", "parquet"};
    if (value == kNames[static_cast<size_t>(format)]) return format;
  }
  return fail(Errc::kInvalidArgument, fmt::format("format: '{}' is not written here", value), "known: json, csv, parquet");
}

Status read_option(FileSinkSpec& spec, const std::string& name, const std::string& value) {
  if (name == "rotate_bytes") {
    auto bytes = parse_size(value);
    if (!bytes) return fail(at("rotate_bytes", std::move(bytes.error())));
    if (*bytes == 0) return fail(Errc::kInvalidArgument, "rotate_bytes: 0 is too little");
    spec.rotate_bytes = static_cast<uint64_t>(*bytes);
  } else if (name == "rotate_every") {
    auto every = parse_duration(value);
    if (!every) return fail(at("rotate_every", std::move(every.error())));
    spec.rotate_every = *every;
  } else if (name != "format") {
    return fail(Errc::kInvalidArgument, fmt::format("there is no option '{}' for files", name),
                "known: format, rotate_bytes, rotate_every");
  }
  return {};
}

Result<FileSinkSpec> read_options(const std::string& url, const Options& options) {
  FileSinkSpec spec;
  TRY(spec.directory, read_url(url));
  if (auto found = options.find("format"); found != options.end()) {
    TRY(spec.format, read_format(found->second));
  }
  if (spec.directory.empty()) {
    for (const auto& [name, value] : options)
      if (name != "format" || spec.format != Format::kJson)
        return fail(Errc::kInvalidArgument, fmt::format("stdout: has no option {}: {}", name, value),
                    "rows are JSON lines there");
    return spec;
  }
  if (spec.format == Format::kParquet) spec.rotate_every = kParquetRotateEvery;
  for (const auto& [name, value] : options) TRY_DO(read_option(spec, name, value));
  return spec;
}

/// A name of one file, in this directory, that is not hidden.
Status check_name(const std::string& name) {
  constexpr size_t kBytesMax = 200;
  bool plain = !name.empty() && name.size() <= kBytesMax && name[0] != '.' && name.find("..") == std::string::npos;
  for (char c : name) plain = plain && c != '/' && c != '\\' && static_cast<unsigned char>(c) >= 0x20 && c != 0x7f;
  if (plain) return {};
  return fail(Errc::kInvalidArgument, fmt::format("'{}' cannot be the name of a file", name),
              "letters, digits, '_' and '-' can; the files stand in the connection's directory");
}

}  // namespace

Status check_options(const std::string& url, const Options& options) {
  TRY_DO(read_options(url, options));
  return {};
}

Result<std::unique_ptr<FileStore>> FileStore::open(FileOptions options, store::Store& store, const env::Env& env,
                                                   RunSql run_sql) {
  TRY(FileSinkSpec spec, read_options(options.url, options.options));
  return std::unique_ptr<FileStore>(new FileStore(std::move(spec), store, env, std::move(run_sql)));
}

Result<std::unique_ptr<port::Sink>> FileStore::sink(const std::string& name, const std::string& query,
                                                    std::shared_ptr<const model::Schema> output) {
  if (spec_.directory.empty()) return std::make_unique<StdoutSink>(stdout);
  TRY_DO(check_name(name));
  auto [writer, first] = writers_.emplace(name, query);
  if (writer->second != query)
    return fail(Errc::kFailedPrecondition,
                fmt::format("{}/{} is written by query {} already", spec_.directory, name, writer->second),
                "give each query a name of its own behind the connection's");
  FileSinkSpec spec = spec_;
  spec.name = name;
  spec.query = query;
  spec.output = std::move(output);
  return FileSink::open(std::move(spec), store_, env_, run_sql_);
}

}  // namespace millrace::connect::file
