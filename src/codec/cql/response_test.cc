#include "codec/cql/response.h"

#include <gtest/gtest.h>

#include "base/bytes.h"

namespace millrace::codec::cql {
namespace {

constexpr Version kVersions[] = {Version::kV3, Version::kV4, Version::kV5};

template <class F>
void read_back(std::string_view bytes, F&& use) {
  FrameReader reader;
  reader.feed(bytes);
  auto envelope = reader.next();
  ASSERT_TRUE(envelope && *envelope);
  auto response = decode_response(**envelope);
  ASSERT_TRUE(response) << response.error().message;
  use(*response);
  if ((*envelope)->opcode == Opcode::kError) return;  // its details may be missing
  for (size_t cut = 0; cut < (*envelope)->body.size(); ++cut) {
    Envelope shorter = **envelope;
    shorter.body = shorter.body.substr(0, cut);
    auto cut_short = decode_response(shorter);
    if (!cut_short) continue;
    RowsReader rows(std::get<RowsResult>(*cut_short));
    Result<bool> more = true;
    while (more && *more) more = rows.next();
    EXPECT_FALSE(more) << "cut at " << cut;
  }
}

void expect_round_trip(const Response& response, Version version) {
  std::string bytes;
  encode(bytes, version, 77, response);
  read_back(bytes, [&](const Response& again) {
    EXPECT_EQ(again, response) << "v" << static_cast<int>(version) << " " << response.index();
  });
}

TEST(CqlResponse, SmallMessagesComeBack) {
  for (Version version : kVersions) {
    expect_round_trip(ReadyResponse{}, version);
    expect_round_trip(AuthenticateResponse{"org.apache.cassandra.auth.PasswordAuthenticator"}, version);
    expect_round_trip(AuthChallengeResponse{"token"}, version);
    expect_round_trip(AuthSuccessResponse{}, version);
    expect_round_trip(SupportedResponse{{{"COMPRESSION", {"lz4", "snappy"}}, {"CQL_VERSION", {"3.4.6"}}}}, version);
    expect_round_trip(VoidResult{}, version);
    expect_round_trip(SetKeyspaceResult{"shop"}, version);
    expect_round_trip(SchemaChange{"CREATED", "KEYSPACE", "shop", "", {}}, version);
    expect_round_trip(SchemaChange{"UPDATED", "TABLE", "shop", "orders", {}}, version);
    expect_round_trip(SchemaChange{"DROPPED", "FUNCTION", "shop", "f", {"int", "text"}}, version);
    expect_round_trip(EventResponse{SchemaChange{"DROPPED", "TYPE", "shop", "t", {}}}, version);
    expect_round_trip(EventResponse{NodeChange{true, "DOWN", {*parse_inet("10.0.0.1"), 9042}}}, version);
    expect_round_trip(EventResponse{NodeChange{false, "NEW_NODE", {*parse_inet("::1"), 9042}}}, version);
  }
}

TEST(CqlResponse, EveryErrorComesBack) {
  for (Version version : kVersions) {
    for (int32_t code : {0x0000, 0x000A, 0x0100, 0x1000, 0x1001, 0x1002, 0x1003, 0x1100, 0x1200, 0x1300, 0x1400,
                         0x1500, 0x1600, 0x1700, 0x2000, 0x2100, 0x2200, 0x2300, 0x2400, 0x2500, 0x7777}) {
      ErrorResponse e{.code = static_cast<ErrorCode>(code), .message = "why"};
      const bool counts = (code >> 8) >= 0x11 && (code >> 8) <= 0x17 && code != 0x1400 && code != 0x1600;
      if (counts || code == 0x1000) {
        e.consistency = Consistency::kQuorum;
        e.received = 1;
        e.required = 2;
      }
      if (code == 0x1300 || code == 0x1500) {
        e.failures = 1;
        if (version == Version::kV5) e.reasons = {{*parse_inet("10.0.0.1"), 7}};
      }
      if (code == 0x1200 || code == 0x1300) e.data_present = true;
      if (code == 0x1100 || code == 0x1500) e.write_type = "CAS";
      if (code == 0x1100 && version == Version::kV5) e.contentions = 3;
      if (code == 0x1400 || code == 0x2400) e.keyspace = "shop", e.name = "thing";
      if (code == 0x1400) e.arguments = {"int"};
      if (code == 0x2500) e.unprepared_id = "id";
      expect_round_trip(e, version);
    }
  }
}

TEST(CqlResponse, AnErrorWithoutItsDetailsKeepsItsMessage) {
  Envelope envelope{
      .version_byte = 4, .response = true, .opcode = Opcode::kError, .body = std::string_view("\0\0\x11\0\0\3why\0\4", 11)};
  auto response = decode_response(envelope);
  ASSERT_TRUE(response);
  EXPECT_EQ(std::get<ErrorResponse>(*response), (ErrorResponse{.code = ErrorCode::kWriteTimeout, .message = "why"}));
}

TEST(CqlResponse, ErrorGoldenBytes) {
  std::string bytes;
  encode(bytes, Version::kV4, 0,
         ErrorResponse{
             .code = ErrorCode::kUnavailable, .message = "m", .consistency = Consistency::kAll, .received = 1, .required = 3});
  EXPECT_EQ(to_hex(bytes),
            "840000000000000011"
            "00001000"
            "00016d"
            "0005"
            "00000003"
            "00000001");
}

std::vector<ColumnSpec> specs(bool one_table) {
  return {{"shop", "orders", "id", {.id = CqlTypeId::kUuid}},
          {"shop", one_table ? "orders" : "people", "tags", *parse_cql_type("map<text, list<int>>")}};
}

TEST(CqlResponse, PreparedComesBack) {
  for (Version version : kVersions) {
    for (bool one_table : {true, false}) {
      PreparedResult prepared{.id = "id", .binds = specs(one_table), .result = {.columns = specs(one_table), .column_count = 2}};
      if (version >= Version::kV4) prepared.pk_indexes = {1, 0};
      if (version >= Version::kV5) prepared.result_metadata_id = "meta";
      expect_round_trip(prepared, version);
      prepared.result = {};
      prepared.binds.clear();
      prepared.pk_indexes.clear();
      expect_round_trip(prepared, version);
    }
  }
}

TEST(CqlRows, ComeBackCellByCell) {
  for (Version version : kVersions) {
    for (bool with_columns : {true, false}) {
      RowsMetadata metadata{.columns = specs(true), .column_count = 2, .paging_state = "next"};
      if (version == Version::kV5) metadata.new_id = "new";
      std::string bytes;
      RowsWriter writer(bytes, version, 77, metadata, with_columns);
      put_bytes(writer.next_row(), "a");
      put_null(bytes);
      put_bytes(writer.next_row(), "");
      put_bytes(bytes, "b");
      writer.finish();
      read_back(bytes, [&](const Response& response) {
        const auto& result = std::get<RowsResult>(response);
        EXPECT_EQ(result.metadata.column_count, 2u);
        EXPECT_EQ(result.metadata.columns, with_columns ? metadata.columns : std::vector<ColumnSpec>{});
        EXPECT_EQ(result.metadata.paging_state, "next");
        EXPECT_EQ(result.metadata.new_id, metadata.new_id);
        RowsReader rows(result);
        ASSERT_TRUE(*rows.next());
        EXPECT_EQ(rows.row()[0], Value::of("a"));
        EXPECT_TRUE(rows.row()[1].is_null());
        ASSERT_TRUE(*rows.next());
        EXPECT_EQ(rows.row()[0], Value::of(""));
        EXPECT_EQ(rows.row()[1], Value::of("b"));
        EXPECT_FALSE(*rows.next());
        std::string again;
        encode(again, version, 77, response);
        EXPECT_EQ(again, bytes);
      });
    }
  }
}

TEST(CqlRows, MoreRowsThanBytesAreRefused) {
  std::string bytes;
  RowsWriter writer(bytes, Version::kV4, 77, {.columns = specs(true), .column_count = 2});
  for (int i = 0; i < 10; ++i) writer.next_row();
  writer.finish();
  FrameReader reader;
  reader.feed(bytes);
  EXPECT_EQ(decode_response(**reader.next()).error().code, Errc::kCorruption);
}

}  // namespace
}  // namespace millrace::codec::cql
