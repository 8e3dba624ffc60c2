// Against a real registry: MILLRACE_TEST_REGISTRY=http://127.0.0.1:8081/apis/ccompat/v7. Skipped without it.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>

#include "base/bytes.h"
#include "connect/registry/api.h"
#include "connect/registry/registry_client.h"
#include "format/json_columns.h"
#include "format/json_write.h"
#include "net/http/client.h"

namespace millrace::connect::registry {
namespace {

using model::Field;
using model::Type;
using model::TypeId;
using port::ValueFormat;

using Columns = std::shared_ptr<const model::Schema>;
Columns columns_of(std::vector<Field> fields) { return std::make_shared<model::Schema>(model::Schema{std::move(fields)}); }

class RegistryReal : public testing::Test {
 protected:
  void SetUp() override {
    const char* url = std::getenv("MILLRACE_TEST_REGISTRY");
    if (url == nullptr) GTEST_SKIP() << "MILLRACE_TEST_REGISTRY is not set";
    url_ = url;
    static std::atomic<int> next = 0;
    topic_ = "mr-registry-" + std::to_string(getpid()) + "-" +
             std::to_string(env::real_clock().now().time_since_epoch().count()) + "-" + std::to_string(next++);
    client_ = std::move(*RegistryClient::open(url_, {}, env::real_clock()));
  }
  void TearDown() override {
    if (!url_.empty()) (void)ask("DELETE", "/subjects/" + topic_ + "-value", "");
  }
  int ask(const std::string& method, const std::string& path, const std::string& body) {
    net::http::HttpClient http;
    auto answer =
        http.request({.method = method, .url = url_ + path, .headers = {{"Content-Type", "application/json"}}, .body = body});
    return answer ? answer->status : 0;
  }
  Result<std::string> write(ValueFormat format, const Columns& columns, std::string json) {
    TRY(auto encoder, client_->encoder(topic_, false, format, columns));
    auto decoder = format::JsonDecoder::make(columns);
    model::BatchBuilder rows(columns);
    TRY_DO(decoder->append(json, rows));
    std::string out;
    TRY_DO(encoder->append(out, std::move(rows).finish(), 0));
    return out;
  }
  std::string read(std::string value, const Columns& columns) {
    auto decoder = client_->decoder(topic_, false, columns);
    model::BatchBuilder rows(columns);
    size_t size = value.size();
    value.append(64, ' ');
    Status done = (*decoder)->append(std::string_view(value).substr(0, size), rows);
    if (!done) return std::string((*decoder)->fault()) + ": " + done.error().message;
    std::string out;
    format::append_row_json(out, std::move(rows).finish(), 0);
    return out;
  }

  std::string url_, topic_;
  std::unique_ptr<RegistryClient> client_;
};

TEST_F(RegistryReal, rows_survive_the_evolution_of_their_columns) {
  Columns first = columns_of({{"name", {TypeId::kText}}, {"age", {TypeId::kInteger}}});
  Columns second = columns_of({{"age", {TypeId::kInteger}}, {"email", {TypeId::kText}}, {"name", {TypeId::kText}}});
  auto old_value = write(ValueFormat::kAvro, first, R"({"name":"Bob","age":42})");
  ASSERT_TRUE(old_value) << old_value.error().message;
  EXPECT_EQ(*write(ValueFormat::kAvro, first, R"({"name":"Bob","age":42})"), *old_value) << "the id stays";
  ASSERT_EQ(ask("PUT", "/config/" + topic_ + "-value", R"({"compatibility":"FULL"})"), 200);
  auto new_value = write(ValueFormat::kAvro, second, R"({"name":"Eve","age":1,"email":"e@x"})");
  ASSERT_TRUE(new_value) << new_value.error().message;
  EXPECT_EQ(read(*old_value, second), R"({"age":42,"email":null,"name":"Bob"})");
  EXPECT_EQ(read(*new_value, first), R"({"name":"Eve","age":1})");

  auto refused = write(ValueFormat::kAvro, columns_of({{"name", {TypeId::kInteger}}}), "{}");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kFailedPrecondition) << refused.error().message;
  EXPECT_NE(refused.error().message.find("subject " + topic_ + "-value: "), std::string::npos) << refused.error().message;
  EXPECT_NE(refused.error().hint.find("compatibility"), std::string::npos);
}

TEST_F(RegistryReal, a_json_schema_is_taken) {
  Columns columns = columns_of({{"n", {TypeId::kBigint}}, {"at", {TypeId::kTimestampTz}}});
  auto value = write(ValueFormat::kJsonSchema, columns, R"({"n":"9007199254740993","at":"2026-01-31T08:00:00Z"})");
  ASSERT_TRUE(value) << value.error().message;
  EXPECT_EQ(read(*value, columns), R"({"n":"9007199254740993","at":"2026-01-31T08:00:00Z"})");
}

TEST_F(RegistryReal, what_confluents_serializer_wrote_is_read) {
  constexpr std::string_view kOrder = R"({"type":"record","name":"Order","namespace":"shop","fields":[
    {"name":"id","type":{"type":"string","logicalType":"uuid"}},
    {"name":"amount","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}},
    {"name":"placed","type":{"type":"long","logicalType":"timestamp-millis"}},
    {"name":"note","type":["null","string"],"default":null},
    {"name":"lines","type":{"type":"array","items":{"type":"record","name":"Line","fields":[
      {"name":"sku","type":"string"},{"name":"count","type":"int"}]}}}]})";
  // The value of confluent-kafka 2.16 for Python (AvroSerializer), behind its head.
  constexpr std::string_view kPayload =
      "4831323334353637382d313233342d353637382d313233342d3536373831323334353637380407c6809087b1826702086ec3a9650206612d310400";
  Api api(*read_options(url_, {}));
  auto id = api.register_schema(topic_ + "-value", "AVRO", kOrder);
  ASSERT_TRUE(id) << id.error().message;
  EXPECT_EQ(*api.look_up(topic_ + "-value", "AVRO", kOrder), *id);
  std::string value(1, '\0');
  append_be(value, *id);
  value += *from_hex(kPayload);
  Type line{TypeId::kStruct, 0, 0, {{"count", {TypeId::kInteger}}, {"sku", {TypeId::kText}}}};
  Columns columns = columns_of({{"id", {TypeId::kUuid}},
                                {"amount", {TypeId::kDecimal, 9, 2, {}}},
                                {"placed", {TypeId::kTimestampTz}},
                                {"note", {TypeId::kText}},
                                {"lines", {TypeId::kList, 0, 0, {{"element", line}}}}});
  EXPECT_EQ(read(value, columns),
            R"({"id":"12345678-1234-5678-1234-567812345678","amount":"19.90","placed":"2026-01-31T08:00:00Z","note":"née",)"
            R"("lines":[{"count":2,"sku":"a-1"}]})");
}

TEST_F(RegistryReal, unknown_ids_and_subjects_are_told) {
  Columns columns = columns_of({{"name", {TypeId::kText}}});
  EXPECT_TRUE(read(std::string("\0\x7f\xff\xff\xff!", 6), columns).starts_with("unknown_schema: registry "));
  auto strict = RegistryClient::open(url_, {{"auto.register.schemas", "false"}}, env::real_clock());
  EXPECT_EQ((*strict)->encoder(topic_, false, ValueFormat::kAvro, columns).error().code, Errc::kFailedPrecondition);
  auto latest = RegistryClient::open(url_, {{"use.latest.version", "true"}}, env::real_clock());
  EXPECT_EQ((*latest)->encoder(topic_, false, ValueFormat::kAvro, columns).error().code, Errc::kFailedPrecondition);
  auto registered = write(ValueFormat::kAvro, columns, R"({"name":"Bob"})");
  ASSERT_TRUE(registered) << registered.error().message;
  EXPECT_TRUE((*strict)->encoder(topic_, false, ValueFormat::kAvro, columns));
  EXPECT_TRUE((*latest)->encoder(topic_, false, ValueFormat::kAvro, columns));
}

}  // namespace
}  // namespace millrace::connect::registry
