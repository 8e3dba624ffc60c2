#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/mutex.h"
#include "base/result.h"
#include "env/env.h"

namespace millrace::dag {

/// `<data>/dags/<dag>/<run>/<task>/<try>.log`; ids that are no file names are encoded, so no id leads out of the folder.
std::string attempt_path(const std::string& data, std::string_view dag_id, std::string_view run_id, std::string_view task_id,
                         int try_number, std::string_view extension);

/// The output of one attempt: lines with the time before them, up to a size; what comes after is counted, and the last line says
/// how much it was. Threading: safe from any thread. Errors of the disk do not stop a task; they are said once in the server's
/// log.
class TaskLog {
 public:
  static constexpr size_t kLineBytesMax = 16 << 10;  // longer lines are broken

  /// Replaces a file of that name.
  static Result<std::unique_ptr<TaskLog>> create(env::Env env, const std::string& path, uint64_t bytes_max);
  ~TaskLog();

  /// One line without its end.
  void line(std::string_view text) EXCLUDES(mutex_);
  /// Bytes as a program writes them: lines are cut here, an unfinished one waits for its rest.
  void output(std::string_view bytes) EXCLUDES(mutex_);
  /// Writes what is buffered.
  void flush() EXCLUDES(mutex_);

 private:
  TaskLog(env::Env env, std::string path, std::unique_ptr<env::File> file, uint64_t bytes_max)
      : env_(env), path_(std::move(path)), bytes_max_(bytes_max), file_(std::move(file)) {}
  void add(std::string_view text) REQUIRES(mutex_);
  void write_out() REQUIRES(mutex_);

  const env::Env env_;
  const std::string path_;
  const uint64_t bytes_max_;

  Mutex mutex_;
  std::unique_ptr<env::File> file_ GUARDED_BY(mutex_);
  std::string partial_ GUARDED_BY(mutex_);
  std::string buffer_ GUARDED_BY(mutex_);
  uint64_t written_ GUARDED_BY(mutex_) = 0;
  uint64_t dropped_lines_ GUARDED_BY(mutex_) = 0;
  uint64_t dropped_bytes_ GUARDED_BY(mutex_) = 0;
  bool broken_ GUARDED_BY(mutex_) = false;
};

}  // namespace millrace::dag
