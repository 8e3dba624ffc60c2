#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "env/fault_file_system.h"
#include "log/flusher.h"
#include "log/partition.h"

namespace millrace::log {

inline model::Record text_record(std::string value, std::optional<int64_t> timestamp_ms = {}) {
  model::Record record;
  record.value = std::move(value);
  record.timestamp_ms = timestamp_ms;
  return record;
}

/// One partition on files in memory, which can be closed, crashed and opened again.
class PartitionBed {
 public:
  PartitionBed() {
    set_log_level(LogLevel::kOff);
    options.on_sync_failure = [this](const Error& error) { sync_failures.push_back(error.message); };
    EXPECT_TRUE(files.create_directories("/log"));
    EXPECT_TRUE(PartitionLog::create(files, place));
    EXPECT_TRUE(files.sync_directory("/log"));
    EXPECT_TRUE(files.sync_directory("/"));
  }
  ~PartitionBed() { stop(); }

  Result<std::shared_ptr<PartitionLog>> try_open() {
    stop();
    flusher = std::make_unique<Flusher>(clock);
    auto opened = PartitionLog::open({files, clock, random}, place, settings, options, *flusher, committed_end);
    if (opened) partition = *opened;
    return opened;
  }
  PartitionLog& open() {
    auto opened = try_open();
    EXPECT_TRUE(opened) << (opened ? "" : opened.error().message);
    return *partition;
  }
  /// As the end of a process does it: nothing is written any more.
  void stop() {
    flusher.reset();
    partition.reset();
  }
  /// Power off and on.
  void lose_power(uint64_t seed) {
    files.lose_power(seed);
    stop();
  }
  /// All visible records as text.
  std::vector<std::string> texts(size_t bytes_max = 1 << 20) {
    std::vector<std::string> out;
    model::Offset at = partition->start_offset();
    while (at < partition->end_offset()) {
      auto run = partition->read(at, bytes_max, 1'000'000);
      EXPECT_TRUE(run) << (run ? "" : run.error().message);
      if (!run || run->next == at) break;
      for (const auto& record : run->records) out.emplace_back(record.value.value_or("NULL"));
      at = run->next;
    }
    return out;
  }
  std::string segment(int64_t base, const char* suffix = "log") const {
    std::string digits = std::to_string(base);
    return place.dir + "/" + std::string(20 - digits.size(), '0') + digits + "." + suffix;
  }
  std::string content(const std::string& path) {
    auto bytes = env::read_file(files, path, 1 << 30);
    return bytes ? *bytes : "";
  }
  /// Puts `bytes` into the file, durably.
  void overwrite(const std::string& path, std::string_view bytes) {
    auto file = files.open(path, env::OpenMode::kWrite);
    ASSERT_TRUE(file);
    ASSERT_TRUE((*file)->truncate(0));
    ASSERT_TRUE((*file)->write_at(0, bytes));
    ASSERT_TRUE((*file)->sync());
    ASSERT_TRUE(files.sync_directory(place.dir));
  }

  env::FaultFileSystem files;
  env::FakeClock clock{instant_from_millis(1'700'000'000'000)};
  env::SeededRandom random{1};
  PartitionLog::Place place{"/log/t-0", "t", env::make_uuid(random), model::Partition(0)};
  TopicSettings settings;
  Options options;
  std::optional<model::Offset> committed_end;
  std::vector<std::string> sync_failures;
  std::unique_ptr<Flusher> flusher;
  std::shared_ptr<PartitionLog> partition;
};

}  // namespace millrace::log
