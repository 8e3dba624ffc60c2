#include "dag/run/task_log.h"

#include <fmt/format.h>

#include "base/log.h"

namespace millrace::dag {
namespace {

constexpr size_t kBufferBytes = 32 << 10;
constexpr size_t kNameBytesMax = 200;

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("_-+:~").find(c) != std::string_view::npos;
}

/// Percent-encoding; a dot stays one unless the name begins with it. Long names are cut and carry a hash of the whole.
std::string file_name(std::string_view id) {
  std::string name;
  for (size_t i = 0; i < id.size(); ++i) {
    char c = id[i];
    if (is_plain(c) || (c == '.' && i > 0)) {
      name += c;
    } else {
      name += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  if (name.empty()) return "%";
  if (name.size() <= kNameBytesMax) return name;
  uint64_t hash = 0xcbf29ce484222325;
  for (char c : id) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return fmt::format("{}%%{:016x}", name.substr(0, kNameBytesMax), hash);
}

std::string stamp(Instant now) {
  auto second = std::chrono::floor<std::chrono::seconds>(now);
  std::string text = format_instant(second);
  text.pop_back();
  return fmt::format("{}.{:06}Z ", text, (now - second).count());
}

}  // namespace

std::string attempt_path(const std::string& data, std::string_view dag_id, std::string_view run_id, std::string_view task_id,
                         int try_number, std::string_view extension) {
  return fmt::format("{}/dags/{}/{}/{}/{}.{}", data, file_name(dag_id), file_name(run_id), file_name(task_id), try_number,
                     extension);
}

Result<std::unique_ptr<TaskLog>> TaskLog::create(env::Env env, const std::string& path, uint64_t bytes_max) {
  TRY_DO(env.files.create_directories(path.substr(0, path.rfind('/'))));
  TRY(auto file, env.files.open(path, env::OpenMode::kWrite));
  TRY_DO(file->truncate(0));
  return std::unique_ptr<TaskLog>(new TaskLog(env, path, std::move(file), bytes_max));
}

TaskLog::~TaskLog() {
  MutexLock lock(mutex_);
  if (!partial_.empty()) add(partial_);
  if (dropped_lines_ > 0) {
    buffer_ += stamp(env_.clock.now());
    buffer_ += fmt::format("the log is full: {} lines ({} bytes) were dropped\n", dropped_lines_, dropped_bytes_);
  }
  write_out();
}

void TaskLog::line(std::string_view text) {
  MutexLock lock(mutex_);
  add(text);
}

void TaskLog::output(std::string_view bytes) {
  MutexLock lock(mutex_);
  while (!bytes.empty()) {
    size_t end = bytes.find('\n');
    size_t room = kLineBytesMax - partial_.size();
    if (end == std::string_view::npos || end > room) {
      partial_ += bytes.substr(0, room);
      bytes.remove_prefix(std::min(room, bytes.size()));
      if (partial_.size() < kLineBytesMax) return;
      add(partial_);
    } else if (partial_.empty()) {
      add(bytes.substr(0, end));
      bytes.remove_prefix(end + 1);
    } else {
      partial_ += bytes.substr(0, end);
      bytes.remove_prefix(end + 1);
      add(partial_);
    }
    partial_.clear();
  }
}

void TaskLog::flush() {
  MutexLock lock(mutex_);
  write_out();
}

void TaskLog::add(std::string_view text) {
  std::string time = stamp(env_.clock.now());
  uint64_t bytes = time.size() + text.size() + 1;
  if (dropped_lines_ > 0 || written_ + buffer_.size() + bytes > bytes_max_) {
    ++dropped_lines_;
    dropped_bytes_ += text.size() + 1;
    return;
  }
  buffer_ += time;
  buffer_ += text;
  buffer_ += '\n';
  if (buffer_.size() >= kBufferBytes) write_out();
}

void TaskLog::write_out() {
  if (buffer_.empty() || broken_) return;
  if (auto written = file_->write_at(written_, buffer_); !written) {
    broken_ = true;
    log_warn("dag", fmt::format("a task's log is cut short: {}", written.error().message));
  }
  written_ += buffer_.size();
  buffer_.clear();
}

}  // namespace millrace::dag
