#include "stream/exec/record_decoder.h"

#include <gtest/gtest.h>

#include "format/json_write.h"

namespace millrace::stream {
namespace {

using model::TypeId;

std::shared_ptr<const model::Schema> columns() {
  return std::make_shared<model::Schema>(
      model::Schema{{{"name", {TypeId::kText}}, {"_offset", {TypeId::kBigint}}, {"_key", {TypeId::kText}}}});
}

/// Answers with an error, or takes the value as the only column.
class Scripted : public port::ValueDecoder {
 public:
  explicit Scripted(std::optional<Error> error) : error_(std::move(error)) {}
  Status append(std::string_view value, model::BatchBuilder& out) override {
    if (error_) return fail(*error_);
    out.column(0).append_stable_text(value);
    return {};
  }
  std::string_view fault() const override { return "of_its_own"; }

 private:
  std::optional<Error> error_;
};

/// The row as JSON, the fault as `stage/code/message`, or the error's code.
std::string decode(RecordDecoder decoder, std::optional<std::string_view> value) {
  model::RecordView record;
  record.offset = model::Offset(7);
  record.key = "k";
  record.value = value;
  model::BatchBuilder rows(columns());
  auto fault = decoder.append(record, model::Partition(0), rows);
  EXPECT_EQ(rows.rows(), fault && !*fault ? 1u : 0u);
  if (!fault) return std::string(errc_name(fault.error().code));
  if (*fault) return (*fault)->stage + "/" + (*fault)->code + "/" + (*fault)->message;
  std::string out;
  format::append_row_json(out, std::move(rows).finish(), 0);
  return out;
}

std::string decode(std::optional<Error> error) {
  return decode(RecordDecoder(columns(), std::make_unique<Scripted>(std::move(error))), "v");
}

TEST(RecordDecoder, values_are_json_unless_somebody_else_reads_them) {
  std::string json = R"({"name":"Bob"})" + std::string(64, ' ');
  EXPECT_EQ(decode(RecordDecoder(columns()), json), R"({"name":"Bob","_offset":7,"_key":"k"})");
  EXPECT_EQ(decode(std::nullopt), R"({"name":"v","_offset":7,"_key":"k"})");
  EXPECT_EQ(value_columns(*columns())->fields.size(), 1u);
}

TEST(RecordDecoder, a_null_value_is_null_in_every_column_of_the_value) {
  EXPECT_EQ(decode(RecordDecoder(columns(), std::make_unique<Scripted>(Error{})), std::nullopt),
            R"({"name":null,"_offset":7,"_key":"k"})");
}

TEST(RecordDecoder, faults_of_the_record_are_letters_and_all_others_errors) {
  EXPECT_EQ(decode(Error{Errc::kInvalidArgument, "no", {}}), "decode/of_its_own/no");
  EXPECT_EQ(decode(Error{Errc::kUnavailable, "later", {}}), "unavailable");
  EXPECT_EQ(decode(Error{Errc::kPermissionDenied, "you not", {}}), "permission_denied");
}

}  // namespace
}  // namespace millrace::stream
