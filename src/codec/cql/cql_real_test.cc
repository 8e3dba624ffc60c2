// Against a real server: MILLRACE_TEST_CASSANDRA=host:port, else skipped.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>

#include "codec/cql/execute_writer.h"
#include "codec/cql/murmur3.h"
#include "codec/cql/request.h"
#include "codec/cql/response.h"
#include "codec/cql/segment.h"
#include "codec/cql/value.h"

namespace millrace::codec::cql {
namespace {

using model::TypeId;

struct Mode {
  Version version;
  Compression compression;
};

/// One blocking connection that asks and waits.
class Client {
 public:
  ~Client() {
    if (socket_ >= 0) close(socket_);
  }

  bool connect_to(const std::string& address) {
    const size_t colon = address.rfind(':');
    addrinfo hints{.ai_socktype = SOCK_STREAM};
    addrinfo* found = nullptr;
    if (getaddrinfo(address.substr(0, colon).c_str(), address.substr(colon + 1).c_str(), &hints, &found) != 0) return false;
    socket_ = socket(found->ai_family, found->ai_socktype, 0);
    const bool connected = connect(socket_, found->ai_addr, found->ai_addrlen) == 0;
    freeaddrinfo(found);
    return connected;
  }

  void send_all(std::string_view bytes) {
    while (!bytes.empty()) {
      ssize_t n = send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      ASSERT_GT(n, 0);
      bytes.remove_prefix(static_cast<size_t>(n));
    }
  }

  /// The next envelope; its body lives until the next call.
  Result<Envelope> receive() {
    while (true) {
      TRY(auto envelope, reader_.next());
      if (envelope) return *envelope;
      char buffer[65536];
      ssize_t n = recv(socket_, buffer, sizeof buffer, 0);
      if (n <= 0) return fail(Errc::kUnavailable, "the server has closed the connection");
      reader_.feed({buffer, static_cast<size_t>(n)});
    }
  }

  /// OPTIONS and STARTUP, then as `mode` says.
  void start(Mode mode) {
    mode_ = mode;
    ASSERT_TRUE(std::holds_alternative<SupportedResponse>(ask(OptionsRequest{})));
    StartupRequest startup{{{"CQL_VERSION", "3.0.0"}}};
    if (mode.compression == Compression::kLz4) startup.options.emplace_back("COMPRESSION", "lz4");
    if (mode.compression == Compression::kLz4) reader_.use_body_compression();
    ASSERT_TRUE(std::holds_alternative<ReadyResponse>(ask(startup)));
    started_ = true;
    if (mode.version == Version::kV5) reader_.use_segments(mode.compression);
  }

  void send_envelope(std::string envelope) {
    if (started_ && mode_.version == Version::kV5) {
      std::string segments;
      append_segments(segments, envelope, mode_.compression);
      return send_all(segments);
    }
    if (started_ && mode_.compression == Compression::kLz4) compress_envelope(envelope, 0);
    send_all(envelope);
  }

  Response answer() {
    auto envelope = receive();
    EXPECT_TRUE(envelope) << (envelope ? "" : envelope.error().message);
    if (!envelope) return ErrorResponse{};
    EXPECT_TRUE(read_prefix(*envelope));
    auto response = decode_response(*envelope);
    EXPECT_TRUE(response) << (response ? "" : response.error().message);
    if (!response) return ErrorResponse{};
    if (auto* error = std::get_if<ErrorResponse>(&*response)) last_error_ = error->message;
    return std::move(*response);
  }

  Response ask(const Request& request) {
    std::string bytes;
    encode(bytes, mode_.version, 5, request);
    send_envelope(std::move(bytes));
    return answer();
  }

  Response query(std::string_view cql) { return ask(QueryRequest{cql, {.consistency = Consistency::kOne}, {}}); }
  const std::string& last_error() const { return last_error_; }

 private:
  int socket_ = -1;
  bool started_ = false;
  Mode mode_{Version::kV5, Compression::kNone};
  FrameReader reader_;
  std::string last_error_;
};

std::string server() {
  const char* address = std::getenv("MILLRACE_TEST_CASSANDRA");
  return address == nullptr ? "" : address;
}

class CqlReal : public testing::Test {
 protected:
  void SetUp() override {
    if (server().empty()) GTEST_SKIP() << "MILLRACE_TEST_CASSANDRA is not set";
    ASSERT_TRUE(client_.connect_to(server()));
  }
  Client client_;
};

class CqlRealModes : public CqlReal, public testing::WithParamInterface<int> {
 protected:
  static Mode mode() {
    static constexpr Mode kModes[] = {{Version::kV4, Compression::kNone},
                                      {Version::kV4, Compression::kLz4},
                                      {Version::kV5, Compression::kNone},
                                      {Version::kV5, Compression::kLz4}};
    return kModes[GetParam()];
  }
  static std::string keyspace() { return fmt::format("millrace_codec_{}_{}", getpid(), GetParam()); }
  void SetUp() override {
    CqlReal::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    client_.start(mode());
    const auto made = client_.query("CREATE KEYSPACE " + keyspace() +
                                    " WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}");
    ASSERT_TRUE(std::holds_alternative<SchemaChange>(made)) << client_.last_error();
    EXPECT_EQ(std::get<SchemaChange>(made), (SchemaChange{"CREATED", "KEYSPACE", keyspace(), "", {}}));
  }
  void TearDown() override {
    if (!IsSkipped()) client_.query("DROP KEYSPACE IF EXISTS " + keyspace());
  }
  PreparedResult prepare(const std::string& cql) {
    Response response = client_.ask(PrepareRequest{cql, {}});
    EXPECT_TRUE(std::holds_alternative<PreparedResult>(response)) << client_.last_error();
    auto* prepared = std::get_if<PreparedResult>(&response);
    return prepared == nullptr ? PreparedResult{} : *prepared;
  }
};
INSTANTIATE_TEST_SUITE_P(Modes, CqlRealModes, testing::Range(0, 4));

struct Sample {
  std::string_view cql;
  std::string_view literal;
};
constexpr Sample kSamples[] = {
    {"boolean", "true"},
    {"tinyint", "-128"},
    {"smallint", "-32768"},
    {"int", "2147483647"},
    {"bigint", "-9223372036854775808"},
    {"varint", "170141183460469231731687303715884105727"},
    {"float", "NaN"},
    {"double", "-Infinity"},
    {"decimal", "-12.345"},
    {"text", "'zwölf Zeichen und mehr'"},
    {"ascii", "''"},
    {"blob", "0x00ff"},
    {"uuid", "f1234567-89ab-4cde-8f01-23456789abcd"},
    {"timeuuid", "f1234567-89ab-1cde-8f01-23456789abcd"},
    {"inet", "'2001:db8::1'"},
    {"date", "'0001-01-01'"},
    {"time", "'23:59:59.999999'"},
    {"timestamp", "'9999-12-31T23:59:59.999Z'"},
    {"duration", "-1mo2d3s"},
    {"frozen<list<int>>", "[3, 1, 2]"},
    {"set<text>", "{'a', 'b'}"},
    {"map<text, frozen<list<int>>>", "{'a': [1], 'b': []}"},
    {"tuple<int, text>", "(1, 'x')"},
    {"frozen<address>", "{\"Street\": 'a', no: 7}"},
    {"vector<float, 3>", "[1.5, 2.5, -3]"},
    {"vector<smallint, 2>", "[1, -1]"},
    {"vector<date, 2>", "['1970-01-01', '1970-01-02']"},
    {"vector<time, 2>", "['00:00:00', '00:00:01']"},
    {"vector<timestamp, 1>", "[0]"},
    {"vector<boolean, 2>", "[true, false]"},
    {"vector<uuid, 1>", "[f1234567-89ab-4cde-8f01-23456789abcd]"},
    {"vector<text, 2>", "['', 'abc']"},
    {"vector<frozen<vector<int, 2>>, 2>", "[[1, 2], [3, 4]]"},
};

TEST_P(CqlRealModes, WhatTheServerWroteWeReadAndWriteTheSame) {
  const std::string table = keyspace() + ".t";
  client_.query(fmt::format("CREATE TYPE {}.address (\"Street\" text, no int)", keyspace()));
  std::string columns = "id int PRIMARY KEY";
  std::string names = "id";
  std::string literals = "1";
  std::string marks = "?";
  for (size_t i = 0; i < std::size(kSamples); ++i) {
    columns += fmt::format(", c{:02} {}", i, kSamples[i].cql);
    names += fmt::format(", c{:02}", i);
    literals += fmt::format(", {}", kSamples[i].literal);
    marks += ", ?";
  }
  ASSERT_TRUE(std::holds_alternative<SchemaChange>(client_.query(fmt::format("CREATE TABLE {} ({})", table, columns))))
      << client_.last_error();
  ASSERT_TRUE(
      std::holds_alternative<VoidResult>(client_.query(fmt::format("INSERT INTO {} ({}) VALUES ({})", table, names, literals))))
      << client_.last_error();
  PreparedResult insert = prepare(fmt::format("INSERT INTO {} ({}) VALUES ({})", table, names, marks));
  ASSERT_EQ(insert.binds.size(), std::size(kSamples) + 1);
  EXPECT_EQ(insert.pk_indexes, std::vector<uint16_t>{0});

  // The row as the server wrote it, decoded, encoded again as another row.
  Response first = client_.query(fmt::format("SELECT {} FROM {} WHERE id = 1", names, table));
  ASSERT_TRUE(std::holds_alternative<RowsResult>(first));
  RowsReader rows(std::get<RowsResult>(first));
  ASSERT_TRUE(*rows.next());
  std::string execute;
  const QueryParams params{.consistency = Consistency::kOne, .timestamp_us = 1'000'000};
  ExecuteWriter writer(execute, mode().version, 5, insert.id, insert.result_metadata_id, params);
  writer.values().integer(2);
  for (size_t i = 1; i < insert.binds.size(); ++i) {
    const CqlType& type = insert.binds[i].type;
    EXPECT_EQ(type, std::get<RowsResult>(first).metadata.columns[i].type);
    const model::Type sql = natural_sql_type(type);
    SCOPED_TRACE(to_cql(type) + " " + to_sql(sql));
    model::Arena arena;
    model::ColumnBuilder column(sql, arena);
    auto decoded = ValueDecoder::make(type, sql)->append(rows.row()[i], column);
    ASSERT_TRUE(decoded) << decoded.error().message;
    auto encoder = ValueEncoder::make(sql, type);
    ASSERT_TRUE(encoder) << encoder.error().message;
    std::string& out = writer.values().next();
    const size_t at = out.size();
    auto encoded = encoder->append(out, column.view(), 0);
    ASSERT_TRUE(encoded) << encoded.error().message;
    if (type.id != CqlTypeId::kDecimal) EXPECT_EQ(std::string_view(out).substr(at + 4), rows.row()[i].bytes);
  }
  writer.finish();
  client_.send_envelope(execute);
  ASSERT_TRUE(std::holds_alternative<VoidResult>(client_.answer())) << client_.last_error();
  Response both = client_.query(fmt::format("SELECT token(id), id, writetime(c00) FROM {}", table));
  RowsReader two(std::get<RowsResult>(both));
  int seen = 0;
  while (*two.next()) {
    ++seen;
    EXPECT_EQ(murmur3_token(two.row()[1].bytes), load_be<int64_t>(two.row()[0].bytes.data()));
    if (load_be<int32_t>(two.row()[1].bytes.data()) == 2) EXPECT_EQ(load_be<int64_t>(two.row()[2].bytes.data()), 1'000'000);
  }
  EXPECT_EQ(seen, 2);
}

TEST_P(CqlRealModes, LongBatchesAndLongRows) {
  const std::string table = keyspace() + ".t";
  client_.query(fmt::format("CREATE TABLE {} (a int, b text, c int, v text, PRIMARY KEY ((a, b), c))", table));
  PreparedResult insert = prepare(fmt::format("INSERT INTO {} (c, b, a, v) VALUES (?, ?, ?, ?)", table));
  EXPECT_EQ(insert.pk_indexes, (std::vector<uint16_t>{2, 1}));
  std::string batch;
  const QueryParams params{.consistency = Consistency::kOne};
  BatchWriter writer(batch, mode().version, 5, BatchType::kUnlogged, params);
  const std::string wide(3000, 'v');
  for (int i = 0; i < 100; ++i) writer.statement(insert.id).integer(i).text("b").integer(7).text(wide);
  writer.finish();
  EXPECT_GT(batch.size(), kSegmentPayloadMax);
  client_.send_envelope(batch);
  ASSERT_TRUE(std::holds_alternative<VoidResult>(client_.answer())) << client_.last_error();
  Response response = client_.query(fmt::format("SELECT c, v, token(a, b) FROM {} WHERE a = 7 AND b = 'b'", table));
  ASSERT_TRUE(std::holds_alternative<RowsResult>(response)) << client_.last_error();
  RowsReader rows(std::get<RowsResult>(response));
  std::string key;
  append_key_component(key, std::string_view("\0\0\0\7", 4));
  append_key_component(key, "b");
  int seen = 0;
  for (; *rows.next(); ++seen) {
    EXPECT_EQ(rows.row()[1], Value::of(wide));
    EXPECT_EQ(load_be<int64_t>(rows.row()[2].bytes.data()), murmur3_token(key));
  }
  EXPECT_EQ(seen, 100);
}

TEST_P(CqlRealModes, ErrorsCarryTheirFields) {
  Response exists =
      client_.query("CREATE KEYSPACE " + keyspace() + " WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}");
  ASSERT_TRUE(std::holds_alternative<ErrorResponse>(exists));
  EXPECT_EQ(std::get<ErrorResponse>(exists).code, ErrorCode::kAlreadyExists);
  EXPECT_EQ(std::get<ErrorResponse>(exists).keyspace, keyspace());
  Response unprepared = client_.ask(ExecuteRequest{std::string(16, 'x'), std::string(16, 'y'), {}, {}});
  EXPECT_EQ(std::get<ErrorResponse>(unprepared).code, ErrorCode::kUnprepared);
  EXPECT_EQ(std::get<ErrorResponse>(unprepared).unprepared_id, std::string(16, 'x'));
  EXPECT_EQ(std::get<ErrorResponse>(client_.query("SELEC")).code, ErrorCode::kSyntax);
  client_.query(fmt::format("CREATE TABLE {}.t (a int PRIMARY KEY)", keyspace()));
  Response three = client_.ask(
      QueryRequest{fmt::format("INSERT INTO {}.t (a) VALUES (1)", keyspace()), {.consistency = Consistency::kThree}, {}});
  const auto& unavailable = std::get<ErrorResponse>(three);
  EXPECT_EQ(unavailable.code, ErrorCode::kUnavailable);
  EXPECT_EQ(unavailable.consistency, Consistency::kThree);
  EXPECT_EQ(unavailable.required, 3);
  EXPECT_EQ(unavailable.received, 1);
}

TEST_F(CqlReal, UnknownVersionsAreRefusedInWordsThatWeKnow) {
  client_.send_all(std::string_view("\x42\0\0\7\5\0\0\0\0", 9));
  auto envelope = client_.receive();
  ASSERT_TRUE(envelope) << envelope.error().message;
  ASSERT_TRUE(envelope->version());
  auto response = decode_response(*envelope);
  ASSERT_TRUE(response);
  const auto& error = std::get<ErrorResponse>(*response);
  EXPECT_EQ(error.code, ErrorCode::kProtocol);
  EXPECT_TRUE(is_unsupported_version(error.message)) << error.message;
}

}  // namespace
}  // namespace millrace::codec::cql
