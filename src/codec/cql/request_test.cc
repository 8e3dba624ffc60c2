#include "codec/cql/request.h"

#include <gtest/gtest.h>

#include "base/bytes.h"
#include "codec/cql/execute_writer.h"

namespace millrace::codec::cql {
namespace {

constexpr Version kVersions[] = {Version::kV3, Version::kV4, Version::kV5};

/// `use` gets what decodes from the bytes, while they are there.
template <class F>
void read_back(std::string_view bytes, F&& use) {
  FrameReader reader;
  reader.feed(bytes);
  auto envelope = reader.next();
  ASSERT_TRUE(envelope && *envelope);
  EXPECT_EQ((*envelope)->stream, 77);
  EXPECT_EQ(reader.buffered_bytes(), 0u);
  auto request = decode_request(**envelope);
  ASSERT_TRUE(request) << request.error().message;
  use(*request);
  for (size_t cut = 0; cut < (*envelope)->body.size(); ++cut) {
    Envelope shorter = **envelope;
    shorter.body = shorter.body.substr(0, cut);
    EXPECT_FALSE(decode_request(shorter)) << "cut at " << cut;
  }
}

void expect_round_trip(const Request& request, Version version) {
  std::string bytes;
  encode(bytes, version, 77, request);
  read_back(bytes, [&](const Request& again) { EXPECT_EQ(again, request) << "v" << static_cast<int>(version); });
}

QueryParams all_params(Version version) {
  QueryParams params{.consistency = Consistency::kQuorum,
                     .page_size = 5000,
                     .paging_state = "state",
                     .serial_consistency = Consistency::kLocalSerial,
                     .timestamp_us = 1'795'237'200'000'000};
  params.skip_metadata = true;
  if (version == Version::kV5) {
    params.keyspace = "shop";
    params.now_in_seconds = 12;
  }
  return params;
}

TEST(CqlRequest, EveryMessageComesBack) {
  const Values some{{Value::of("abc"), Value::null(), Value::of("")}, {}};
  const Values named{{Value::of("abc")}, {"name"}};
  for (Version version : kVersions) {
    expect_round_trip(OptionsRequest{}, version);
    expect_round_trip(StartupRequest{{{"CQL_VERSION", "3.0.0"}, {"COMPRESSION", "lz4"}}}, version);
    expect_round_trip(AuthResponseRequest{"token"}, version);
    expect_round_trip(AuthResponseRequest{}, version);
    expect_round_trip(QueryRequest{"SELECT 1", {}, {}}, version);
    expect_round_trip(QueryRequest{"SELECT 1", all_params(version), some}, version);
    expect_round_trip(QueryRequest{"SELECT 1", all_params(version), named}, version);
    expect_round_trip(PrepareRequest{"INSERT", {}}, version);
    expect_round_trip(ExecuteRequest{"id", version == Version::kV5 ? "meta" : "", all_params(version), some}, version);
    QueryParams batch = all_params(version);
    batch.skip_metadata = false;
    batch.page_size = {};
    batch.paging_state = {};
    expect_round_trip(BatchRequest{BatchType::kUnlogged, {{true, "id", some.values}, {false, "DELETE", {}}}, batch}, version);
    expect_round_trip(RegisterRequest{{"SCHEMA_CHANGE", "STATUS_CHANGE"}}, version);
  }
  expect_round_trip(PrepareRequest{"INSERT", "shop"}, Version::kV5);
  expect_round_trip(ExecuteRequest{"id", "", {}, {{Value::unset()}, {}}}, Version::kV4);
}

TEST(CqlRequest, GoldenBytes) {
  std::string bytes;
  encode(bytes, Version::kV4, 1,
         QueryRequest{"Q", {.consistency = Consistency::kLocalOne, .timestamp_us = 2}, {{Value::of("x")}, {}}});
  EXPECT_EQ(to_hex(bytes),
            "040000010700000017"
            "0000000151"
            "000a"
            "21"
            "0001"
            "0000000178"
            "0000000000000002");
  bytes.clear();
  encode(bytes, Version::kV5, 1, ExecuteRequest{"id", "md", {.consistency = Consistency::kOne}, {{Value::unset()}, {}}});
  EXPECT_EQ(to_hex(bytes),
            "050000010a00000014"
            "00026964"
            "00026d64"
            "0001"
            "00000001"
            "0001"
            "fffffffe");
}

TEST(CqlRequest, WhatAVersionDoesNotHaveIsRefused) {
  std::string bytes;
  encode(bytes, Version::kV3, 1, ExecuteRequest{"id", "", {}, {{Value::unset()}, {}}});
  FrameReader reader;
  reader.feed(bytes);
  EXPECT_FALSE(decode_request(**reader.next())) << "unset in v3";
  Envelope names_in_batch{.version_byte = 4, .opcode = Opcode::kBatch, .body = std::string_view("\0\0\0\0\1\x40", 6)};
  EXPECT_FALSE(decode_request(names_in_batch));
  Envelope keyspace{.version_byte = 4, .opcode = Opcode::kBatch, .body = std::string_view("\0\0\0\0\1\x80\0\0", 8)};
  EXPECT_FALSE(decode_request(keyspace));
  Envelope response{.version_byte = 4, .response = true, .opcode = Opcode::kOptions};
  EXPECT_FALSE(decode_request(response));
  Envelope unknown{.version_byte = 4, .opcode = Opcode::kReady};
  EXPECT_EQ(decode_request(unknown).error().message, "READY: this is no request at byte 0");
}

TEST(CqlRequest, TrailingBytesAreIgnored) {
  Envelope envelope{.version_byte = 4, .opcode = Opcode::kOptions, .body = "later versions"};
  EXPECT_TRUE(decode_request(envelope));
}

TEST(CqlRequest, StartupKeysCompareWithoutCase) {
  StartupRequest startup{{{"compression", "lz4"}}};
  EXPECT_EQ(startup.find("COMPRESSION"), "lz4");
  EXPECT_EQ(startup.find("CQL_VERSION"), std::nullopt);
}

TEST(CqlRequest, PlainToken) { EXPECT_EQ(plain_token("u", "pw"), std::string_view("\0u\0pw", 5)); }

TEST(CqlExecuteWriter, WritesWhatEncodeWrites) {
  for (Version version : kVersions) {
    const QueryParams params = all_params(version);
    const Uuid uuid = *parse_uuid("01234567-89ab-4cde-8f01-23456789abcd");
    std::string bytes = "before";
    ExecuteWriter writer(bytes, version, 77, "id", "meta", params);
    writer.values().null().bytes("b").text("t").boolean(true).tinyint(-1).smallint(-2).integer(-3).bigint(-4).real(1.5f);
    writer.values().double_precision(-0.5).uuid(uuid);
    put_bytes(writer.values().next(), "next");
    writer.finish();
    EXPECT_EQ(bytes.substr(0, 6), "before");
    read_back(std::string_view(bytes).substr(6), [&](const Request& request) {
      const auto& execute = std::get<ExecuteRequest>(request);
      EXPECT_EQ(execute.params, params);
      EXPECT_EQ(execute.result_metadata_id, version == Version::kV5 ? "meta" : "");
      std::string hex;
      for (const Value& value : execute.values.values) hex += value.is_null() ? "null " : to_hex(value.bytes) + " ";
      EXPECT_EQ(hex,
                "null 62 74 01 ff fffe fffffffd fffffffffffffffc 3fc00000 bfe0000000000000 "
                "0123456789ab4cde8f0123456789abcd 6e657874 ");
    });
  }
}

TEST(CqlExecuteWriter, CancelTakesItBack) {
  std::string bytes = "before";
  QueryParams params;
  ExecuteWriter writer(bytes, Version::kV4, 77, "id", "", params);
  writer.values().integer(1);
  writer.cancel();
  EXPECT_EQ(bytes, "before");
}

TEST(CqlBatchWriter, StatementsCanBeDropped) {
  for (Version version : kVersions) {
    QueryParams params{.timestamp_us = 5};
    params.page_size = 100;  // a batch has none
    std::string bytes;
    BatchWriter writer(bytes, version, 77, BatchType::kUnlogged, params);
    writer.statement("one").integer(1).text("a");
    writer.statement("bad").integer(2);
    writer.drop_statement();
    writer.statement("two").null();
    EXPECT_EQ(writer.statements(), 2u);
    const size_t before = writer.bytes();
    writer.finish();
    EXPECT_GT(bytes.size(), before);
    read_back(bytes, [&](const Request& request) {
      const auto& batch = std::get<BatchRequest>(request);
      ASSERT_EQ(batch.statements.size(), 2u);
      EXPECT_EQ(batch.statements[0].query_or_id, "one");
      EXPECT_EQ(batch.statements[0].values.size(), 2u);
      EXPECT_TRUE(batch.statements[1].prepared);
      EXPECT_EQ(batch.statements[1].values, std::vector<Value>{Value::null()});
      EXPECT_EQ(batch.params.timestamp_us, 5);
      EXPECT_EQ(batch.params.page_size, std::nullopt);
    });
  }
}

}  // namespace
}  // namespace millrace::codec::cql
