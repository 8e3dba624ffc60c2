#include <gtest/gtest.h>

#include "log/partition_bed.h"

namespace millrace::log {
namespace {

using model::Offset;

/// A partition of small segments, and a copy of it made by its image.
class ImageTest : public testing::Test {
 protected:
  ImageTest() { bed_.options.segment_bytes_max = 400; }

  void append(int count, std::string_view writer = {}) {
    for (int i = 0; i < count; ++i) {
      std::vector<model::Record> records = {text_record(std::string(100, static_cast<char>('a' + appended_++ % 26)))};
      ASSERT_TRUE(bed_.partition->append(records, writer));
    }
  }

  /// The texts that a partition has which is made of the image alone.
  std::vector<std::string> copied(const PartitionImage& image) {
    PartitionBed copy;
    copy.options = bed_.options;
    copy.place.topic_id = bed_.place.topic_id;
    EXPECT_TRUE(copy.files.remove(copy.place.dir + "/partition.state"));
    EXPECT_TRUE(
        PartitionState::create(copy.files, copy.place.dir + "/partition.state", copy.place.topic_id, copy.place.partition));
    EXPECT_TRUE((*PartitionState::open(copy.files, copy.place.dir + "/partition.state", false))->set_flushed(image.end));
    EXPECT_TRUE(copy.files.remove(copy.segment(0)));
    for (const PartitionImage::Segment& segment : image.segments)
      copy.overwrite(segment.path, bed_.content(segment.path).substr(0, segment.bytes));
    PartitionLog& partition = copy.open();
    EXPECT_EQ(partition.start_offset(), image.start);
    EXPECT_EQ(partition.log_end_offset(), image.end);
    return copy.texts();
  }

  PartitionBed bed_;
  int appended_ = 0;
};

TEST_F(ImageTest, HasAllThatIsWrittenAndNothingThatComesLater) {
  PartitionLog& partition = bed_.open();
  append(10);
  auto image = partition.image(std::nullopt);
  ASSERT_TRUE(image) << image.error().message;
  EXPECT_GT(image->segments.size(), 2u);
  std::vector<std::string> before = bed_.texts();
  append(10);
  EXPECT_EQ(copied(*image), before);
}

TEST_F(ImageTest, AnEmptyPartitionIsOneEmptySegment) {
  auto image = bed_.open().image(std::nullopt);
  ASSERT_TRUE(image);
  ASSERT_EQ(image->segments.size(), 1u);
  EXPECT_EQ(image->segments[0].bytes, 0u);
  EXPECT_TRUE(copied(*image).empty());
}

TEST_F(ImageTest, OfAnOwnedTopicEndsWhereTheStoresCopyDoes) {
  bed_.settings.owner = "q";
  PartitionLog& partition = bed_.open();
  append(10, "q");
  ASSERT_TRUE(partition.set_visible_end(Offset(10)));
  std::vector<std::string> all = bed_.texts();
  for (int64_t end = 0; end <= 10; ++end) {
    auto image = partition.image(Offset(end));
    ASSERT_TRUE(image) << image.error().message;
    EXPECT_EQ(image->end, Offset(end));
    EXPECT_EQ(copied(*image), std::vector<std::string>(all.begin(), all.begin() + end)) << end;
  }
  auto lost = partition.image(Offset(11));
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().code, Errc::kDataLoss);
  auto none = partition.image(std::nullopt);
  ASSERT_TRUE(none);
  EXPECT_EQ(none->end, Offset(0));
}

TEST_F(ImageTest, ACutBehindTheEndLeavesTheImageAsItIs) {
  bed_.settings.owner = "q";
  PartitionLog& partition = bed_.open();
  append(5, "q");
  ASSERT_TRUE(partition.set_visible_end(Offset(5)));
  std::vector<std::string> committed = bed_.texts();
  append(5, "q");
  auto image = partition.image(Offset(5));
  ASSERT_TRUE(image) << image.error().message;
  ASSERT_TRUE(partition.cut_to(Offset(5)));
  append(3, "q");
  EXPECT_EQ(copied(*image), committed);
}

}  // namespace
}  // namespace millrace::log
