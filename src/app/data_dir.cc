#include "app/data_dir.h"

#include <fmt/format.h>

#include "table/row_codec.h"

namespace millrace::app {

std::string store_path(const std::string& data) { return data + "/store"; }
std::string log_path(const std::string& data) { return data + "/log"; }
std::string metadata_path(const std::string& data) { return data + "/meta.db"; }
std::string server_json_path(const std::string& data) { return data + "/server.json"; }
std::string token_path(const std::string& data) { return data + "/token"; }

DataDir::~DataDir() {
  if (log_ != nullptr) (void)log_->close();
}

Result<std::unique_ptr<DataDir>> DataDir::open(env::Env env, const std::string& path, bool read_only) {
  std::unique_ptr<DataDir> dir(new DataDir(env, path, read_only));
  if (read_only) {
    TRY(bool there, env.files.exists(store_path(path)));
    if (!there)
      return fail(Errc::kNotFound, fmt::format("there is no data in {}", path),
                  "start a pipeline there with `millrace run FILE --data DIR`, or name another directory with --data");
  } else {
    TRY_DO(env.files.create_directories(path));
    auto lock = env::DataLock::acquire(path);
    if (!lock) return fail(Errc::kUnavailable, lock.error().message, "stop that process, or name another directory with --data");
    dir->lock_ = std::make_unique<env::DataLock>(std::move(*lock));
  }
  store::Options options;
  options.path = store_path(path);
  options.read_only = read_only;
  options.row_is_dead = [&clock = env.clock](std::string_view, std::string_view value) {
    return table::row_is_dead(value, clock.now());
  };
  TRY(dir->store_, store::Store::open(options));
  log::Options log_options;
  log_options.read_only = read_only;
  TRY(dir->log_, log::Log::open(env, log_path(path), *dir->store_, log_options));
  TRY(dir->tables_, table::Tables::open(*dir->store_));
  return dir;
}

}  // namespace millrace::app
