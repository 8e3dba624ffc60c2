#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "env/crash_page.h"
#include "model/ids.h"

namespace millrace::stream {

struct RecordRange {
  int32_t partition = 0;
  int64_t first = 0;
  int64_t next = 0;
  bool holds(int32_t other, int64_t offset) const { return other == partition && first <= offset && offset < next; }
  friend bool operator==(const RecordRange&, const RecordRange&) = default;
};

/// The records that were being processed, as noted for the case that the process dies of them. A range of one record that was
/// noted as `alone` was processed by itself.
struct Attempt {
  model::TopicId topic_id;
  std::vector<RecordRange> ranges;
  std::optional<RecordRange> alone;
  /// How much speaks against `alone`, or else against the ranges, from the processes before: a crash counts 2, an end of unknown
  /// cause (kill -9, the system out of memory, power) counts 1.
  uint32_t strikes = 0;
  friend bool operator==(const Attempt&, const Attempt&) = default;
};
std::string encode_attempt(const Attempt& attempt);
/// Nothing for bytes that are not a whole attempt.
std::optional<Attempt> decode_attempt(std::string_view bytes);

/// Finds the record that the process dies of. Two strikes against a slice: its records are run one by one. Two against a record
/// that was alone: it is condemned, and becomes a dead letter. So a record that crashes the process is a dead letter after its
/// second crash, and one that gets the process killed after the fourth time.
///
/// The notes are in a CrashPage and cost nothing; docs/design/poison-records.md. Threading: one thread.
class Attempts {
 public:
  static constexpr uint32_t kStrikesMax = 2;
  static constexpr uint32_t kStrikesOfCrash = 2;

  static Result<std::unique_ptr<Attempts>> open(const std::string& path, const model::TopicId& topic);

  /// Some of these are to be run one by one.
  bool suspects(const std::vector<RecordRange>& ranges) const;
  bool condemns(int32_t partition, int64_t offset) const;
  void begin(const std::vector<RecordRange>& ranges);
  void begin_alone(int32_t partition, int64_t offset);
  void end();
  volatile char* crash_note() { return page_->bytes().data(); }

 private:
  Attempts(std::unique_ptr<env::CrashPage> page, const model::TopicId& topic) : page_(std::move(page)), topic_(topic) {}
  void note(const Attempt& attempt);

  std::unique_ptr<env::CrashPage> page_;
  const model::TopicId topic_;
  Attempt left_;  // by the process before, with its own end among the strikes
};

}  // namespace millrace::stream
