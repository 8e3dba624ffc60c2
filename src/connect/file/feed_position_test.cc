#include "connect/file/feed_position.h"

#include <gtest/gtest.h>

namespace millrace::connect::file {
namespace {

SeenFile seen(std::string name, std::string content, bool wanted = true) {
  return {.name = std::move(name), .size = content.size(), .first_bytes = content.substr(0, kHeadBytes), .wanted = wanted};
}
KnownFile known(std::string name, std::string content, uint64_t offset) {
  return {.name = std::move(name),
          .head = head_of(std::string_view(content).substr(0, kHeadBytes)),
          .offset = offset,
          .line = offset};
}
/// `name@offset` of each.
std::string files_of(const Matched& matched) {
  std::string out;
  for (const KnownFile& file : matched.files) out += (out.empty() ? "" : " ") + file.name + "@" + std::to_string(file.offset);
  return out;
}

TEST(FeedPosition, AFileThatGrewGoesOn) {
  Matched matched = match_files({known("a", "one\n", 4)}, {seen("a", "one\ntwo\n"), seen("b", "one\n")}, false);
  EXPECT_EQ(files_of(matched), "a@4 b@0");
  EXPECT_EQ(matched.files[0].head, head_of("one\ntwo\n"));
  EXPECT_TRUE(matched.warnings.empty());
}

TEST(FeedPosition, ARotatedFileIsReadToItsEndUnderItsNewName) {
  Matched matched = match_files({known("a.log", "old\n", 4)}, {seen("a.log", ""), seen("a.log.1", "old\nlast\n", false)}, false);
  EXPECT_EQ(files_of(matched), "a.log.1@4 a.log@0");
  EXPECT_TRUE(matched.warnings.empty());
  matched = match_files(matched.files,
                        {seen("a.log", "x\n"), seen("a.log.1", "newer\n", false), seen("a.log.2", "old\nlast\n", false)}, false);
  EXPECT_EQ(files_of(matched), "a.log.2@4 a.log@0");
}

TEST(FeedPosition, AFileThatIsNotWantedIsReadOnlyWhenItIsKnown) {
  EXPECT_EQ(files_of(match_files({}, {seen("a", "x"), seen("a.1", "y", false)}, false)), "a@0");
}

TEST(FeedPosition, ACutOrReplacedFileIsReadFromItsStart) {
  Matched cut = match_files({known("a", "one\ntwo\n", 8)}, {seen("a", "one\n")}, false);
  EXPECT_EQ(files_of(cut), "a@0");
  ASSERT_EQ(cut.warnings.size(), 1u);
  EXPECT_EQ(cut.warnings[0], "a was cut or replaced after 8 bytes of it were read: it is read from its start");
  Matched replaced = match_files({known("a", "one\n", 4)}, {seen("a", "two\nthree\n")}, false);
  EXPECT_EQ(files_of(replaced), "a@0");
  EXPECT_EQ(replaced.warnings.size(), 1u);
}

TEST(FeedPosition, TwoFilesThatBeginAlikeAreToldApartByTheirNames) {
  std::string head(2000, 'h');
  Matched matched = match_files({known("a", head, 2000), known("b", head, 1000)}, {seen("a", head), seen("b", head)}, false);
  EXPECT_EQ(files_of(matched), "a@2000 b@1000");
}

TEST(FeedPosition, AnEmptyFileIsFoundByItsNameOnly) {
  EXPECT_EQ(files_of(match_files({known("a", "", 0)}, {seen("b", "x")}, false)), "b@0");
}

TEST(FeedPosition, RowsSayNothingOfSizes) {
  EXPECT_EQ(files_of(match_files({known("a", "PAR1", 1000)}, {seen("a", "PAR1")}, true)), "a@1000");
}

TEST(FeedPosition, IsReadAsItWasWritten) {
  std::vector<KnownFile> files = {known("a \"b\"", "x", 7), known("c", std::string(5000, 'c'), 1ull << 40)};
  files[0].skipping = true;
  files[1].done = true;
  std::string text = encode_feed_position(files);
  auto read = decode_feed_position(text);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(*read, files);
  EXPECT_EQ(encode_feed_position({known("a", "", 0)}),
            R"({"version":1,"files":[{"name":"a","head_bytes":0,"head":"cbf29ce484222325","offset":0,"line":0}]})");
}

TEST(FeedPosition, RefusesWhatIsNone) {
  for (const char* text : {"", "7", "{}", R"({"version":2,"files":[]})", R"({"version":1,"files":[{}]})",
                           R"({"version":1,"files":[{"name":"a/b","head_bytes":0,"head":"0","offset":0,"line":0}]})",
                           R"({"version":1,"files":[{"name":"a","head_bytes":9999,"head":"0","offset":0,"line":0}]})",
                           R"({"version":1,"files":[{"name":"a","head_bytes":0,"head":"x","offset":0,"line":0}]})",
                           R"({"version":1,"files":[{"name":"a","head_bytes":0,"head":"0","offset":-1,"line":0}]})"})
    EXPECT_EQ(decode_feed_position(text).error().code, Errc::kInvalidArgument) << text;
}

}  // namespace
}  // namespace millrace::connect::file
