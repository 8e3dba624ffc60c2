#include "connect/registry/registry_client.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

#include "base/bytes.h"
#include "base/mutex.h"
#include "connect/registry/json_schema.h"
#include "format/json_columns.h"
#include "format/json_doc.h"
#include "format/json_write.h"
#include "serve/http/server.h"

namespace millrace::connect::registry {
namespace {

using format::Json;
using model::Field;
using model::TypeId;
using port::ValueFormat;
using serve::http::Request;
using serve::http::Response;

constexpr std::string_view kUsers =
    R"({"type":"record","name":"U","fields":[{"name":"name","type":"string"},{"name":"age","type":"int"}]})";
constexpr std::string_view kBob = "06426f6254";  // Bob, 42

using Columns = std::shared_ptr<const model::Schema>;
Columns user_columns() {
  return std::make_shared<model::Schema>(model::Schema{{{"name", {TypeId::kText}}, {"age", {TypeId::kInteger}}}});
}

/// An HTTP server that plays the registry: answers by "METHOD path", in turn when there are several, and counts.
class FakeRegistry {
 public:
  FakeRegistry() {
    server_ = std::move(*serve::http::HttpServer::start({}, [this](const Request& r) { return answer(r); }));
  }

  void on(const std::string& call, int status, std::string body) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    answers_[call].push_back({status, std::move(body)});
  }
  void on_schema(int id, std::string_view text, std::string_view type = "AVRO") {
    Json json = Json::object().set("schema", text);
    if (type != "AVRO") json.set("schemaType", type);
    on("GET /schemas/ids/" + std::to_string(id), 200, format::to_json(json));
  }
  int calls(const std::string& call) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    return calls_[call];
  }
  Request last() EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    return last_;
  }
  std::string url() const { return server_->url(); }
  std::atomic<bool> silent = false;

 private:
  Response answer(const Request& request) EXCLUDES(mutex_) {
    std::string call = request.method + " " + request.path;
    Response response;
    if (silent) response.delay = std::chrono::seconds(60);
    MutexLock lock(mutex_);
    last_ = request;
    auto n = static_cast<size_t>(calls_[call]++);
    auto known = answers_.find(call);
    if (known == answers_.end()) {
      response.status = 404;
      response.body = R"({"error_code":40403,"message":"Schema not found"})";
      return response;
    }
    std::tie(response.status, response.body) = known->second[std::min(n, known->second.size() - 1)];
    return response;
  }

  Mutex mutex_;
  std::map<std::string, std::vector<std::pair<int, std::string>>> answers_ GUARDED_BY(mutex_);
  std::map<std::string, int> calls_ GUARDED_BY(mutex_);
  Request last_ GUARDED_BY(mutex_);
  std::unique_ptr<serve::http::HttpServer> server_;
};

class RegistryClientTest : public testing::Test {
 protected:
  std::unique_ptr<RegistryClient> client(std::map<std::string, std::string> options = {}, std::string url = {}) {
    auto settings = read_options(url.empty() ? registry_.url() : url, options);
    EXPECT_TRUE(settings) << settings.error().message;
    settings->retry_pause = std::chrono::microseconds(100);
    return RegistryClient::open(std::move(*settings), clock_);
  }
  std::unique_ptr<port::ValueDecoder> decoder(std::map<std::string, std::string> options = {}) {
    return std::move(*client(std::move(options))->decoder("users", false, user_columns()));
  }
  /// The row as JSON, or `class: message`, or the error's code when the record is not to blame.
  std::string read(port::ValueDecoder& decoder, int32_t id, std::string_view payload_hex, char magic = 0) {
    std::string value(1, magic);
    append_be(value, id);
    value += *from_hex(payload_hex);
    return read_value(decoder, value);
  }
  std::string read_value(port::ValueDecoder& decoder, std::string value) {
    size_t size = value.size();
    value.append(64, ' ');
    model::BatchBuilder rows(user_columns());
    Status done = decoder.append(std::string_view(value).substr(0, size), rows);
    EXPECT_EQ(rows.rows(), done ? 1u : 0u);
    if (!done && done.error().code != Errc::kInvalidArgument) {
      return std::string(errc_name(done.error().code)) + ": " + done.error().message;
    }
    if (!done) return std::string(decoder.fault()) + ": " + done.error().message;
    std::string out;
    format::append_row_json(out, std::move(rows).finish(), 0);
    return out;
  }
  std::string place(std::string_view what) { return "registry " + registry_.url() + ": " + std::string(what); }

  FakeRegistry registry_;
  env::FakeClock clock_{instant_from_micros(0)};
};

TEST_F(RegistryClientTest, a_schema_is_asked_for_once) {
  registry_.on_schema(7, kUsers);
  auto shared = client();
  auto one = *shared->decoder("users", false, user_columns()), two = *shared->decoder("users", false, user_columns());
  for (int i = 0; i < 3; ++i) EXPECT_EQ(read(*one, 7, kBob), R"({"name":"Bob","age":42})");
  EXPECT_EQ(read(*two, 7, kBob), R"({"name":"Bob","age":42})");
  EXPECT_EQ(registry_.calls("GET /schemas/ids/7"), 1);
}

TEST_F(RegistryClientTest, older_and_newer_schemas_fill_the_declared_columns) {
  registry_.on_schema(1, R"({"type":"record","name":"U","fields":[{"name":"age","type":"long"}]})");
  registry_.on_schema(
      2, R"({"type":"record","name":"U","fields":[{"name":"new","type":"string"},{"name":"name","type":["null","string"]}]})");
  registry_.on_schema(3, R"({"type":"object"})", "JSON");
  auto values = decoder();
  EXPECT_EQ(read(*values, 1, "54"), R"({"name":null,"age":42})");
  EXPECT_EQ(read(*values, 2, "02780206426f62"), R"({"name":"Bob","age":null})");
  EXPECT_EQ(read(*values, 3, to_hex(R"({"name":"Eve","age":1})")), R"({"name":"Eve","age":1})");
  EXPECT_EQ(read(*values, 1, "54"), R"({"name":null,"age":42})");
  EXPECT_EQ(read(*values, 3, to_hex("[]")), "not_object: the JSON is not an object");
  EXPECT_EQ(read(*values, 2, "0278"),
            "not_avro: field name: not what the Avro schema says: the bytes end early, or hold what cannot be");
}

TEST_F(RegistryClientTest, an_unknown_id_is_asked_for_again_after_a_minute) {
  auto values = decoder();
  std::string unknown = "unknown_schema: " + place("schema 9: Schema not found (error_code 40403)");
  EXPECT_EQ(read(*values, 9, kBob), unknown);
  clock_.advance(std::chrono::seconds(59));
  EXPECT_EQ(read(*values, 9, kBob), unknown);
  EXPECT_EQ(registry_.calls("GET /schemas/ids/9"), 1);
  clock_.advance(std::chrono::seconds(1));
  registry_.on_schema(9, kUsers);
  EXPECT_EQ(read(*values, 9, kBob), R"({"name":"Bob","age":42})");
}

TEST_F(RegistryClientTest, values_without_the_wire_format_are_not_registered) {
  auto values = decoder();
  std::string fault = "not_registered: value does not begin with the magic byte of the registry's wire format";
  EXPECT_EQ(read_value(*values, R"({"name":"Bob"})"), fault);
  EXPECT_EQ(read_value(*values, ""), fault);
  EXPECT_EQ(read_value(*values, std::string("\0\0\0\1", 4)), fault);
}

TEST_F(RegistryClientTest, schemas_of_no_use_are_faults_of_the_record) {
  registry_.on_schema(1, "syntax = \"proto3\";", "PROTOBUF");
  registry_.on_schema(2, R"({"type":"record","name":"U"})");
  auto values = decoder();
  EXPECT_EQ(read(*values, 1, kBob), "unsupported_schema: subject users-value: schema 1 is of type PROTOBUF; not in this version");
  EXPECT_EQ(read(*values, 2, kBob), "unusable_schema: schema 2: Avro schema: the record 'U' has no list of fields");
  EXPECT_EQ(read(*values, 2, kBob), "unusable_schema: schema 2: Avro schema: the record 'U' has no list of fields");
  EXPECT_EQ(registry_.calls("GET /schemas/ids/2"), 1);
  registry_.on("GET /schemas/ids/3", 200, std::string(5 << 20, ' '));
  EXPECT_TRUE(read(*values, 3, kBob).starts_with("unusable_schema: schema 3: GET ")) << read(*values, 3, kBob);
}

TEST_F(RegistryClientTest, a_registry_that_does_not_answer_is_not_the_records_fault) {
  registry_.on("GET /schemas/ids/1", 503, "busy");
  registry_.on("GET /schemas/ids/1", 500, R"({"error_code":50001,"message":"store"})");
  registry_.on("GET /schemas/ids/1", 200, R"({"schema":"\"string\""})");
  registry_.on("GET /schemas/ids/2", 503, "");
  registry_.on("GET /schemas/ids/3", 200, "<html>");
  registry_.on("GET /schemas/ids/4", 200, R"({"no":"schema"})");
  registry_.on("GET /schemas/ids/5", 404, "<html>");
  registry_.on("GET /schemas/ids/6", 401, "");
  auto values = decoder();
  EXPECT_TRUE(read(*values, 1, "0278").starts_with("not_object")) << "the third try answered";
  EXPECT_EQ(read(*values, 2, kBob), "unavailable: " + place("schema 2: status 503"));
  EXPECT_EQ(registry_.calls("GET /schemas/ids/2"), 3);
  EXPECT_TRUE(read(*values, 3, kBob).starts_with("unavailable"));
  EXPECT_TRUE(read(*values, 4, kBob).starts_with("unavailable"));
  EXPECT_TRUE(read(*values, 5, kBob).starts_with("unavailable"));
  EXPECT_EQ(read(*values, 6, kBob), "permission_denied: " + place("schema 6: status 401"));
  EXPECT_EQ(registry_.calls("GET /schemas/ids/6"), 1);
}

TEST_F(RegistryClientTest, slow_and_absent_registries_are_unavailable) {
  registry_.silent = true;
  EXPECT_TRUE(read(*decoder({{"request.timeout.ms", "20"}}), 1, kBob).starts_with("unavailable: schema 1: GET "));
  auto nobody = client({}, "http://127.0.0.1:1");
  auto values = *nobody->decoder("users", false, user_columns());
  EXPECT_TRUE(read(*values, 1, kBob).starts_with("unavailable: schema 1: GET http://127.0.0.1:1/schemas/ids/1: "));
}

TEST_F(RegistryClientTest, interrupt_ends_a_waiting_request) {
  registry_.silent = true;
  auto waiting = client({{"request.timeout.ms", "60000"}});
  auto values = *waiting->decoder("users", false, user_columns());
  auto answer = std::async(std::launch::async, [&] { return read(*values, 1, kBob); });
  while (registry_.calls("GET /schemas/ids/1") == 0) std::this_thread::yield();
  waiting->interrupt();
  EXPECT_TRUE(answer.get().starts_with("cancelled"));
}

TEST_F(RegistryClientTest, references_are_fetched_in_the_order_of_their_use) {
  registry_.on("GET /schemas/ids/1", 200,
               R"({"schema":"{\"type\":\"record\",\"name\":\"U\",\"fields\":[{\"name\":\"name\",\"type\":\"c.Name\"}]}",
                   "references":[{"name":"c.Name","subject":"na/me","version":3}]})");
  registry_.on("GET /subjects/na/me/versions/3", 200,
               R"({"schema":"{\"type\":\"record\",\"name\":\"c.Name\",\"fields\":[{\"name\":\"k\",\"type\":\"c.K\"}]}",
                   "references":[{"name":"c.K","subject":"k","version":1}]})");
  registry_.on("GET /subjects/k/versions/1", 200, R"({"schema":"{\"type\":\"enum\",\"name\":\"c.K\",\"symbols\":[\"X\"]}"})");
  auto values = decoder();
  EXPECT_EQ(read(*values, 1, "00"), R"({"name":"{\"k\":\"X\"}","age":null})");
  registry_.on("GET /schemas/ids/2", 200, R"({"schema":"\"c.L\"","references":[{"name":"c.L","subject":"loop","version":0}]})");
  for (int i = 0; i < 30; ++i) {
    registry_.on("GET /subjects/loop/versions/" + std::to_string(i), 200,
                 R"({"schema":"{}","references":[{"name":"c.L","subject":"loop","version":)" + std::to_string(i + 1) + "}]}");
  }
  EXPECT_TRUE(read(*values, 2, "00").starts_with("unusable_schema: schema 2: it refers to more than 64"));
}

TEST_F(RegistryClientTest, an_encoder_registers_once_and_writes_what_a_decoder_reads) {
  registry_.on("POST /subjects/users-value/versions", 200, R"({"id":258})");
  auto registry = client({{"basic.auth.user.info", "me:secret"}, {"normalize.schemas", "true"}});
  auto encoder = registry->encoder("users", false, ValueFormat::kAvro, user_columns());
  ASSERT_TRUE(encoder) << encoder.error().message;
  Request asked = registry_.last();
  EXPECT_EQ(asked.header("authorization"), "Basic bWU6c2VjcmV0");
  EXPECT_EQ(asked.parameter("normalize"), "true");
  std::string schema = format::parse_json(asked.body)->string_or("schema", "");
  EXPECT_EQ(schema,
            R"({"type":"record","name":"millrace.users","fields":[{"name":"name","type":["null","string"],"default":null},)"
            R"({"name":"age","type":["null","int"],"default":null}]})");
  registry_.on_schema(258, schema);
  model::BatchBuilder rows(user_columns());
  rows.column(0).append_text("Bob");
  rows.column(1).append(int32_t{42});
  rows.column(0).append_text("Eve");
  rows.column(1).append_null();
  model::ColumnBatch batch = std::move(rows).finish();
  auto values = *registry->decoder("users", false, user_columns());
  std::string bytes;
  ASSERT_TRUE((*encoder)->append(bytes, batch, 0));
  EXPECT_EQ(to_hex(bytes),
            "0000000102"
            "0206426f620254");
  bytes.clear();
  ASSERT_TRUE((*encoder)->append(bytes, batch, 1));
  EXPECT_EQ(read_value(*values, bytes), R"({"name":"Eve","age":null})");
  EXPECT_EQ(registry_.calls("POST /subjects/users-value/versions"), 1);
}

TEST_F(RegistryClientTest, a_json_schema_is_derived_and_rows_are_json) {
  registry_.on("POST /subjects/users-value/versions", 200, R"({"id":3})");
  auto encoder = client()->encoder("users", false, ValueFormat::kJsonSchema, user_columns());
  ASSERT_TRUE(encoder) << encoder.error().message;
  auto body = format::parse_json(registry_.last().body);
  EXPECT_EQ(body->string_or("schemaType", ""), "JSON");
  EXPECT_EQ(body->string_or("schema", ""),
            R"({"$schema":"http://json-schema.org/draft-07/schema#","title":"millrace.users","type":"object","properties":)"
            R"({"name":{"type":["string","null"]},"age":{"type":["integer","null"]}},"additionalProperties":false})");
  model::BatchBuilder rows(user_columns());
  rows.column(0).append_text("Bob");
  rows.column(1).append_null();
  std::string bytes;
  ASSERT_TRUE((*encoder)->append(bytes, std::move(rows).finish(), 0));
  EXPECT_EQ(bytes, std::string("\0\0\0\0\3", 5) + R"({"name":"Bob","age":null})");
}

TEST_F(RegistryClientTest, an_incompatible_schema_fails_with_the_registrys_words) {
  registry_.on("POST /subjects/users-value/versions", 409, R"({"error_code":409,"message":"Incompatible: age at /fields/1"})");
  auto encoder = client()->encoder("users", false, ValueFormat::kAvro, user_columns());
  ASSERT_FALSE(encoder);
  EXPECT_EQ(encoder.error().code, Errc::kFailedPrecondition);
  EXPECT_EQ(encoder.error().message, place("subject users-value: Incompatible: age at /fields/1 (error_code 409)"));
  EXPECT_NE(encoder.error().hint.find("compatibility"), std::string::npos);
  EXPECT_EQ(registry_.calls("POST /subjects/users-value/versions"), 1);
}

TEST_F(RegistryClientTest, without_auto_register_the_schema_must_be_there) {
  auto registry = client({{"auto.register.schemas", "false"}});
  auto refused = registry->encoder("users", true, ValueFormat::kAvro, user_columns());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kFailedPrecondition);
  registry_.on("POST /subjects/users-key", 200, R"({"id":4,"version":1})");
  EXPECT_TRUE(registry->encoder("users", true, ValueFormat::kAvro, user_columns()));
  EXPECT_EQ(registry_.calls("POST /subjects/users-key/versions"), 0);
}

TEST_F(RegistryClientTest, the_latest_version_is_written_by) {
  auto registry = client({{"use.latest.version", "true"}});
  EXPECT_EQ(registry->encoder("users", false, ValueFormat::kAvro, user_columns()).error().code, Errc::kFailedPrecondition);
  registry_.on("GET /subjects/users-value/versions/latest", 200,
               format::to_json(Json::object().set("id", 5).set("version", 2).set("schema", kUsers)));
  auto encoder = registry->encoder("users", false, ValueFormat::kAvro, user_columns());
  ASSERT_TRUE(encoder) << encoder.error().message;
  model::BatchBuilder rows(user_columns());
  rows.column(0).append_text("Bob");
  rows.column(1).append(int32_t{42});
  rows.column(0).append_null();
  rows.column(1).append_null();
  model::ColumnBatch batch = std::move(rows).finish();
  std::string bytes;
  ASSERT_TRUE((*encoder)->append(bytes, batch, 0));
  EXPECT_EQ(to_hex(bytes), "0000000005" + std::string(kBob));
  Status refused = (*encoder)->append(bytes, batch, 1);
  EXPECT_EQ(refused.error().code, Errc::kInvalidArgument);
  EXPECT_EQ(to_hex(bytes), "0000000005" + std::string(kBob));
  auto other = registry->encoder("users", false, ValueFormat::kJsonSchema, user_columns());
  EXPECT_EQ(other.error().message, "subject users-value: its latest schema is of type AVRO, not JSON");
}

}  // namespace
}  // namespace millrace::connect::registry
