#include "connect/kafka/runs.h"

#include <gtest/gtest.h>

#include <string>

#include "codec/kafka_record/record_batch.h"

namespace millrace::connect::kafka {
namespace {

TEST(KafkaRuns, stand_in_partition_order_with_the_offset_to_read_on_at) {
  RunBuilder builder;
  builder.add(2, 10, 5, "k", "v");
  builder.add(0, 7, 6, std::nullopt, std::nullopt);
  builder.add(2, 12, 7, "", "");
  EXPECT_EQ(builder.records(), 3u);
  EXPECT_EQ(builder.bytes(), 2u);
  auto runs = builder.take();
  ASSERT_EQ(runs.size(), 2u);
  EXPECT_EQ(runs[0].partition.value, 0);
  EXPECT_EQ(runs[0].next.value, 8);
  EXPECT_EQ(runs[0].records[0].key, std::nullopt);
  EXPECT_EQ(runs[0].records[0].value, std::nullopt);
  EXPECT_TRUE(codec::kafka_record::decode_headers(runs[0].records[0].raw_headers)->empty());
  EXPECT_EQ(runs[1].next.value, 13);
  EXPECT_EQ(runs[1].records[0].value, "v");
  EXPECT_EQ(runs[1].records[1].key, "");
  EXPECT_EQ(runs[1].records[1].value, "");
  EXPECT_FALSE(builder.any());
  EXPECT_TRUE(builder.take().empty());
}

TEST(KafkaRuns, move_past_what_is_no_record) {
  RunBuilder builder;
  builder.set_position(0, 4);
  builder.reached(0, 4);
  EXPECT_FALSE(builder.any()) << "nothing is new";
  builder.add(0, 4, 0, {}, "a");
  builder.reached(0, 6);
  auto runs = builder.take();
  ASSERT_EQ(runs.size(), 1u);
  EXPECT_EQ(runs[0].next.value, 6);
  builder.reached(0, 9);
  EXPECT_TRUE(builder.any());
  runs = builder.take();
  ASSERT_EQ(runs.size(), 1u);
  EXPECT_TRUE(runs[0].records.empty());
  EXPECT_EQ(runs[0].next.value, 9);
  builder.reached(1, 0);
  EXPECT_FALSE(builder.any()) << "an empty partition";
}

TEST(KafkaRuns, outlive_later_polls_with_readable_bytes_behind_every_value) {
  RunBuilder builder;
  std::vector<model::RecordRun> all;
  for (int poll = 0; poll < 3; ++poll) {
    for (int i = 0; i < 3000; ++i)
      builder.add(0, poll * 3000 + i, 0, std::to_string(i), std::string(700, static_cast<char>('a' + poll)));
    builder.add(0, poll * 3000 + 2999, 0, {}, std::string(kBlockBytes + 5, 'z'));
    for (auto& run : builder.take()) all.push_back(std::move(run));
  }
  ASSERT_EQ(all.size(), 3u);
  size_t sum = 0;
  for (int poll = 0; poll < 3; ++poll) {
    const auto& records = all[static_cast<size_t>(poll)].records;
    ASSERT_EQ(records.size(), 3001u);
    for (size_t i = 0; i < 3000; ++i) {
      ASSERT_EQ(*records[i].key, std::to_string(i));
      ASSERT_EQ(*records[i].value, std::string(700, static_cast<char>('a' + poll)));
      for (size_t b = 0; b < kReadAheadBytes; ++b) sum += static_cast<unsigned char>(records[i].value->data()[700 + b]);
    }
    EXPECT_EQ(records[3000].value->size(), kBlockBytes + 5);
    for (size_t b = 0; b < kReadAheadBytes; ++b) EXPECT_EQ(records[3000].value->data()[kBlockBytes + 5 + b], 0);
  }
  EXPECT_GT(sum, 0u);
}

TEST(KafkaRuns, carry_the_version_that_another_member_left) {
  RunBuilder builder;
  builder.set_version_floor(1, 99);
  builder.add(1, 0, 0, {}, "x");
  EXPECT_EQ(builder.take()[0].version_floor, 99u);
  builder.drop(1);
  EXPECT_EQ(builder.position(1), std::nullopt);
  builder.add(1, 5, 0, {}, "x");
  EXPECT_EQ(builder.take()[0].version_floor, 0u);
}

}  // namespace
}  // namespace millrace::connect::kafka
