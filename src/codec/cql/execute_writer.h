#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/uuid.h"
#include "codec/cql/frame.h"
#include "codec/cql/primitive.h"
#include "codec/cql/request.h"

/// EXECUTE and BATCH of prepared statements written straight into an output buffer: the hot path of a client that writes rows.
/// Nothing is allocated but the buffer's growth. Views of params, ids and values are copied at once, but for params: they must
/// live until finish().
///
///   ExecuteWriter w(out, version, stream, id, result_metadata_id, params);
///   w.values().text(name).bigint(7).null();
///   w.finish();
namespace millrace::codec::cql {

/// Appends values one behind the other and counts them.
class ValueWriter {
 public:
  explicit ValueWriter(std::string& out) : out_(&out) {}

  ValueWriter& null();
  ValueWriter& unset();
  /// A value that is bytes already: blob, varint, …
  ValueWriter& bytes(std::string_view v);
  ValueWriter& text(std::string_view v) { return bytes(v); }
  ValueWriter& boolean(bool v);
  ValueWriter& tinyint(int8_t v);
  ValueWriter& smallint(int16_t v);
  ValueWriter& integer(int32_t v);
  ValueWriter& bigint(int64_t v);
  ValueWriter& real(float v);
  ValueWriter& double_precision(double v);
  ValueWriter& uuid(const Uuid& v);
  /// Counts a value and returns where the caller appends exactly one [value] (ValueEncoder::append).
  std::string& next() {
    ++count_;
    return *out_;
  }
  size_t count() const { return count_; }

 private:
  std::string* out_;
  size_t count_ = 0;
};

class ExecuteWriter {
 public:
  /// `result_metadata_id` is written in v5 only. `out` may hold earlier envelopes.
  ExecuteWriter(std::string& out, Version version, int16_t stream, std::string_view id, std::string_view result_metadata_id,
                const QueryParams& params);
  ValueWriter& values() { return values_; }
  /// Ends the envelope. At most 65535 values (a CHECK).
  void finish();
  /// Instead of finish: takes what was written off `out`.
  void cancel() { out_.resize(start_); }

 private:
  std::string& out_;
  size_t start_;
  Version version_;
  const QueryParams& params_;
  size_t count_at_ = 0;
  ValueWriter values_;
};

class BatchWriter {
 public:
  BatchWriter(std::string& out, Version version, int16_t stream, BatchType type, const QueryParams& params);
  /// Begins a statement; its values follow.
  ValueWriter& statement(std::string_view id);
  /// Takes the statement that was begun last off again: a value of it cannot be written.
  void drop_statement();
  size_t statements() const { return statements_; }
  /// Of the body so far.
  size_t bytes() const { return out_.size() - start_ - kHeaderBytes; }
  /// Ends the envelope. At most 65535 statements with 65535 values each (a CHECK).
  void finish();
  /// Instead of finish: takes what was written off `out`.
  void cancel() { out_.resize(start_); }

 private:
  void end_statement();

  std::string& out_;
  size_t start_;
  Version version_;
  const QueryParams& params_;
  size_t statements_ = 0;
  size_t statement_at_ = 0;
  size_t count_at_ = 0;  // of the open statement's values; 0 when none is open
  ValueWriter values_;
};

}  // namespace millrace::codec::cql
