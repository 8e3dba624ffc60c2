#include "app/seal.h"

#include <gtest/gtest.h>

#include "app/data_dir.h"
#include "env/fault_file_system.h"

namespace millrace::app {
namespace {

class SealTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* folder : {"/d/store", "/d/log/t-0"}) ASSERT_TRUE(files_.create_directories(folder));
    for (const char* name : {"store/CURRENT", "store/000001.sst", "store/LOG", "log/t-0/00000000000000000000.log",
                             "log/t-0/partition.state", "meta.db", "token"}) {
      put(name, std::string("content of ") + name);
    }
    for (const char* folder : {"/", "/d", "/d/log"}) ASSERT_TRUE(files_.sync_directory(folder));
    ASSERT_TRUE(write_seal(files_, "/d"));
  }
  void put(const std::string& name, std::string_view content) {
    ASSERT_TRUE(env::write_file_atomically(files_, "/d/" + name, content));
  }
  std::string damage() {
    auto found = compare_with_seal(files_, "/d");
    if (!found) return found.error().message;
    std::string out;
    for (const Damage& one : *found) out += one.file + "@" + std::to_string(one.position) + " ";
    return out;
  }
  env::FaultFileSystem files_;
};

TEST_F(SealTest, FindsWhatChanged) {
  EXPECT_EQ(damage(), "");
  EXPECT_TRUE(check_seal(files_, "/d"));
  put("store/CURRENT", "content of store/CURRENU");
  put("store/000001.sst", "shorter");
  put("store/LOG", "nobody's data");
  put("store/000007.log", "more");
  ASSERT_TRUE(files_.remove("/d/meta.db"));
  ASSERT_TRUE(files_.remove("/d/token"));
  EXPECT_EQ(damage(), "/d/meta.db@0 /d/store/000001.sst@7 /d/store/CURRENT@0 /d/store/000007.log@0 ");
  EXPECT_EQ(check_seal(files_, "/d").error().code, Errc::kDataLoss);
}

TEST_F(SealTest, IsGoneOnceBroken) {
  ASSERT_TRUE(break_seal(files_, "/d"));
  files_.lose_power(1);
  EXPECT_FALSE(*files_.exists(seal_path("/d")));
  EXPECT_TRUE(break_seal(files_, "/d"));
}

class SealAfterPowerLossTest : public SealTest, public testing::WithParamInterface<uint64_t> {};

TEST_P(SealAfterPowerLossTest, VouchesForNothingThatIsGone) {
  ASSERT_TRUE(break_seal(files_, "/d"));
  auto file = files_.open("/d/log/t-0/partition.state", env::OpenMode::kWrite);
  ASSERT_TRUE(file && (*file)->write_at(0, "unsynced"));
  ASSERT_TRUE(files_.open("/d/log/t-0/00000000000000000009.log", env::OpenMode::kWrite));
  ASSERT_TRUE(write_seal(files_, "/d"));
  files_.lose_power(GetParam());
  EXPECT_TRUE(*files_.exists(seal_path("/d")));
  EXPECT_EQ(damage(), "");
}

INSTANTIATE_TEST_SUITE_P(Seeds, SealAfterPowerLossTest, testing::Range(uint64_t{0}, uint64_t{20}));

TEST(SealFormat, SurvivesCodingAndFindsEveryFlippedBit) {
  Seal seal{{{"a b", 0, {}}, {"log/t-0/x.log", 12345678901, {}}, {"meta.db", 7, 0x00ab12cd}}};
  std::string text = encode_seal(seal);
  EXPECT_EQ(text, "millrace seal 1\n0 - a b\n12345678901 - log/t-0/x.log\n7 00ab12cd meta.db\n" + text.substr(text.size() - 13));
  auto decoded = decode_seal(text);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(*decoded, seal);
  for (size_t bit = 0; bit < text.size() * 8; ++bit) {
    std::string flipped = text;
    flipped[bit / 8] ^= static_cast<char>(1 << (bit % 8));
    EXPECT_FALSE(decode_seal(flipped)) << bit;
  }
  for (size_t size = 0; size < text.size(); ++size) EXPECT_FALSE(decode_seal(text.substr(0, size)));
}

}  // namespace
}  // namespace millrace::app
