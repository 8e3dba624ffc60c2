#include "table/row_codec.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "table/sample_test.h"

namespace millrace::table {
namespace {

using model::TypeId;

std::string encode(const RowHeader& header, std::span<const model::Column* const> columns, size_t row) {
  std::string out(row_value_bound(columns, row), '\0');
  out.resize(static_cast<size_t>(write_row_value(out.data(), header, columns, row) - out.data()));
  return out;
}

struct Decoded {
  explicit Decoded(const model::Schema& schema) : builder(std::make_shared<const model::Schema>(schema)) {
    for (size_t i = 0; i < schema.fields.size(); ++i) {
      types.push_back(&schema.fields[i].type);
      out.push_back(&builder.column(i));
    }
  }
  bool decode(std::string_view value) { return take_row_header(value) && decode_row_columns(value, types, out); }

  model::BatchBuilder builder;
  std::vector<const model::Type*> types;
  std::vector<model::ColumnBuilder*> out;
};

class RowCodecTest : public testing::Test {
 protected:
  RowCodecTest() {
    for (const model::Column& column : batch_.columns) columns_.push_back(&column);
  }
  model::Schema schema_ = sample_schema();
  model::ColumnBatch batch_ = sample_batch(300, 11);
  std::vector<const model::Column*> columns_;
};

TEST_F(RowCodecTest, EveryTypeComesBack) {
  Decoded decoded(schema_);
  for (size_t row = 0; row < batch_.rows; ++row) {
    std::string value = encode({false, row, static_cast<int64_t>(row)}, columns_, row);
    std::string_view rest = value;
    auto header = take_row_header(rest);
    ASSERT_TRUE(header);
    EXPECT_EQ(header->version, row);
    EXPECT_EQ(header->expiry_micros, static_cast<int64_t>(row));
    EXPECT_FALSE(header->tombstone);
    ASSERT_TRUE(decoded.decode(value));
  }
  model::ColumnBatch back = std::move(decoded.builder).finish();
  ASSERT_EQ(back.rows, batch_.rows);
  for (size_t row = 0; row < batch_.rows; ++row) ASSERT_EQ(show_row(back, row), show_row(batch_, row));
}

TEST(RowCodec, GoldenBytes) {
  model::Schema schema{{{"t", {TypeId::kText}}, {"n", {TypeId::kInteger}}, {"gone", {TypeId::kText}}}};
  model::BatchBuilder builder(std::make_shared<const model::Schema>(schema));
  builder.column(0).append_text("abc");
  builder.column(1).append(int32_t{258});
  builder.column(2).append_null();
  model::ColumnBatch batch = std::move(builder).finish();
  const model::Column* columns[] = {&batch.columns[0], &batch.columns[1], &batch.columns[2]};
  EXPECT_EQ(to_hex(encode({false, 9, 300}, columns, 0)), "01000900000000000000ac0203040361626302010000");
  EXPECT_EQ(to_hex(encode({true, 9, 0}, columns, 0)), "0101090000000000000000");
}

TEST_F(RowCodecTest, ProjectionsSkipTheRest) {
  for (size_t wanted = 0; wanted < schema_.fields.size(); ++wanted) {
    Decoded decoded(schema_);
    for (size_t i = 0; i < decoded.out.size(); ++i) {
      if (i != wanted) decoded.out[i] = nullptr;
    }
    for (size_t row = 0; row < batch_.rows; ++row) ASSERT_TRUE(decoded.decode(encode({}, columns_, row)));
    model::Column back = decoded.builder.column(wanted).view();
    for (size_t row = 0; row < batch_.rows; ++row) ASSERT_EQ(show(back, row), show(batch_.columns[wanted], row));
  }
}

TEST_F(RowCodecTest, MissingColumnsAreNull) {
  std::vector<const model::Column*> fewer(columns_.begin(), columns_.begin() + 3);
  std::vector<const model::Column*> none(columns_.size(), nullptr);
  Decoded decoded(schema_);
  ASSERT_TRUE(decoded.decode(encode({}, fewer, 0)));
  ASSERT_TRUE(decoded.decode(encode({}, none, 0)));
  model::ColumnBatch back = std::move(decoded.builder).finish();
  for (size_t i = 0; i < back.columns.size(); ++i) {
    EXPECT_EQ(show(back.columns[i], 0), i < 3 ? show(batch_.columns[i], 0) : "NULL");
    EXPECT_EQ(show(back.columns[i], 1), "NULL");
  }
}

TEST_F(RowCodecTest, CutAndDamagedRowsAreRefusedOrBounded) {
  std::mt19937 random(5);
  for (size_t row = 0; row < 40; ++row) {
    std::string value = encode({}, columns_, row);
    for (size_t size = 0; size < value.size(); ++size) {
      Decoded decoded(schema_);
      ASSERT_FALSE(decoded.decode(std::string_view(value).substr(0, size))) << size << " of " << value.size();
    }
    for (int i = 0; i < 100; ++i) {
      std::string damaged = value;
      damaged[random() % damaged.size()] = static_cast<char>(random());
      Decoded decoded(schema_);
      (void)decoded.decode(damaged);  // must only stay within its bytes
    }
  }
}

TEST_F(RowCodecTest, ARowWithMoreColumnsThanTheTableIsRefused) {
  std::string value = encode({}, columns_, 0);
  model::Schema smaller{{schema_.fields[0]}};
  EXPECT_FALSE(Decoded(smaller).decode(value));
}

TEST(RowHeader, TombstonesAndExpiryHideRows) {
  Instant now = instant_from_micros(1'000'000);
  EXPECT_FALSE(is_hidden({}, now));
  EXPECT_TRUE(is_hidden({true, 1, 0}, now));
  EXPECT_TRUE(is_hidden({false, 1, 1'000'000}, now));
  EXPECT_FALSE(is_hidden({false, 1, 1'000'001}, now));
}

TEST(RowHeader, CompactionDropsExpiredRowsAndOldTombstones) {
  Instant now = *parse_instant("2026-01-31T00:00:00Z");
  auto value = [&](RowHeader header) { return encode(header, {}, 0); };
  auto version = [&](Duration ago) { return static_cast<uint64_t>(to_micros(now - ago)); };
  EXPECT_TRUE(row_is_dead(value({true, version(kTombstoneLife), 0}), now));
  EXPECT_FALSE(row_is_dead(value({true, version(kTombstoneLife - Duration(1)), 0}), now));
  EXPECT_TRUE(row_is_dead(value({false, 1, to_micros(now)}), now));
  EXPECT_FALSE(row_is_dead(value({false, 1, to_micros(now) + 1}), now));
  EXPECT_FALSE(row_is_dead(value({false, 1, 0}), now));
  EXPECT_FALSE(row_is_dead("", now));
  EXPECT_FALSE(row_is_dead("\x02 another format", now));
}

}  // namespace
}  // namespace millrace::table
