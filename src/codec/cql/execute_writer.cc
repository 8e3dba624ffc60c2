#include "codec/cql/execute_writer.h"

#include "base/bytes.h"
#include "base/check.h"
#include "codec/cql/params.h"

namespace millrace::codec::cql {
namespace {

/// Length and big-endian bytes at once.
template <class T>
void put_number(std::string& out, T v) {
  char bytes[4 + sizeof(T)];
  store_be(bytes, static_cast<int32_t>(sizeof(T)));
  store_be(bytes + 4, v);
  out.append(bytes, sizeof bytes);
}

void set_count(std::string& out, size_t at, size_t count) {
  CHECK(count <= UINT16_MAX, "a statement has at most 65535 values, a batch 65535 statements");
  store_be(out.data() + at, static_cast<uint16_t>(count));
}

}  // namespace

ValueWriter& ValueWriter::null() {
  put_null(next());
  return *this;
}
ValueWriter& ValueWriter::unset() {
  put_unset(next());
  return *this;
}
ValueWriter& ValueWriter::bytes(std::string_view v) {
  put_bytes(next(), v);
  return *this;
}
ValueWriter& ValueWriter::boolean(bool v) {
  put_number(next(), static_cast<int8_t>(v));
  return *this;
}
ValueWriter& ValueWriter::tinyint(int8_t v) {
  put_number(next(), v);
  return *this;
}
ValueWriter& ValueWriter::smallint(int16_t v) {
  put_number(next(), v);
  return *this;
}
ValueWriter& ValueWriter::integer(int32_t v) {
  put_number(next(), v);
  return *this;
}
ValueWriter& ValueWriter::bigint(int64_t v) {
  put_number(next(), v);
  return *this;
}
ValueWriter& ValueWriter::real(float v) {
  put_number(next(), std::bit_cast<uint32_t>(v));
  return *this;
}
ValueWriter& ValueWriter::double_precision(double v) {
  put_number(next(), std::bit_cast<uint64_t>(v));
  return *this;
}
ValueWriter& ValueWriter::uuid(const Uuid& v) {
  put_int(next(), 16);
  put_uuid(*out_, v);
  return *this;
}

ExecuteWriter::ExecuteWriter(std::string& out, Version version, int16_t stream, std::string_view id,
                             std::string_view result_metadata_id, const QueryParams& params)
    : out_(out), start_(out.size()), version_(version), params_(params), values_(out) {
  begin_envelope(out, version, false, stream, Opcode::kExecute);
  put_short_bytes(out, id);
  if (version >= Version::kV5) put_short_bytes(out, result_metadata_id);
  put_params_head(out, version, params, param_flags(version, params) | kParamValues);
  count_at_ = out.size();
  put_short(out, 0);
}

void ExecuteWriter::finish() {
  set_count(out_, count_at_, values_.count());
  put_params_tail(out_, params_, param_flags(version_, params_));
  end_envelope(out_, start_);
}

BatchWriter::BatchWriter(std::string& out, Version version, int16_t stream, BatchType type, const QueryParams& params)
    : out_(out), start_(out.size()), version_(version), params_(params), values_(out) {
  begin_envelope(out, version, false, stream, Opcode::kBatch);
  put_byte(out, static_cast<uint8_t>(type));
  put_short(out, 0);
}

ValueWriter& BatchWriter::statement(std::string_view id) {
  end_statement();
  ++statements_;
  statement_at_ = out_.size();
  put_byte(out_, 1);
  put_short_bytes(out_, id);
  count_at_ = out_.size();
  put_short(out_, 0);
  values_ = ValueWriter(out_);
  return values_;
}

void BatchWriter::end_statement() {
  if (count_at_ != 0) set_count(out_, count_at_, values_.count());
  count_at_ = 0;
}

void BatchWriter::drop_statement() {
  CHECK(count_at_ != 0, "only the statement that is open can be dropped");
  out_.resize(statement_at_);
  --statements_;
  count_at_ = 0;
}

void BatchWriter::finish() {
  end_statement();
  set_count(out_, start_ + kHeaderBytes + 1, statements_);
  const uint32_t flags = param_flags(version_, params_) & ~kParamsNotInBatch;
  put_params_head(out_, version_, params_, flags);
  put_params_tail(out_, params_, flags);
  end_envelope(out_, start_);
}

}  // namespace millrace::codec::cql
