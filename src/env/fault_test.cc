#include "env/fault.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "env/file.h"

namespace millrace::env {
namespace {

class FaultTest : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = testing::TempDir() + "/fault_test_" + std::to_string(::getpid());
    std::filesystem::create_directories(directory_);
  }
  void TearDown() override {
    EXPECT_TRUE(set_faults(""));
    std::filesystem::remove_all(directory_);
  }
  std::string directory_;
};

TEST_F(FaultTest, PointsHaveUniqueNamesAndAPlace) {
  std::set<std::string_view> names;
  for (const auto& point : fault_points()) {
    EXPECT_TRUE(names.insert(point.name).second) << point.name;
    EXPECT_FALSE(point.where.empty());
  }
  EXPECT_TRUE(names.contains("stream.between_output_and_commit"));
}

TEST_F(FaultTest, OffUnlessAsked) {
  ASSERT_TRUE(set_faults(""));
  for (const auto& point : fault_points()) EXPECT_TRUE(fault(point.name));
}

TEST_F(FaultTest, ActionsBecomeErrorsAfterSomePasses) {
  ASSERT_TRUE(set_faults("log.roll=eio,after=2;log.recovery=enospc"));
  EXPECT_TRUE(fault("log.roll"));
  EXPECT_TRUE(fault("log.roll"));
  EXPECT_EQ(fault("log.roll").error().code, Errc::kIo);
  EXPECT_EQ(fault("log.roll").error().code, Errc::kIo);
  EXPECT_EQ(fault("log.recovery").error().code, Errc::kDiskFull);
  EXPECT_TRUE(fault("log.before_sync"));
}

TEST_F(FaultTest, APathKeepsAPointToItsFiles) {
  ASSERT_TRUE(set_faults("file.read=eio,path=orders-0,after=1"));
  EXPECT_TRUE(fault("file.read", "/data/log/orders-0/1.log"));
  EXPECT_TRUE(fault("file.read", "/data/log/people-0/1.log"));
  EXPECT_TRUE(fault("file.read", "/data/log/people-0/1.log"));
  EXPECT_EQ(fault("file.read", "/data/log/orders-0/1.log").error().code, Errc::kIo);
}

TEST_F(FaultTest, DelaysAreAsLongAsAsked) {
  ASSERT_TRUE(set_faults("log.roll=delay;log.recovery=delay,ms=7"));
  EXPECT_EQ(take_fault("log.roll").delay, std::chrono::milliseconds(100));
  EXPECT_EQ(take_fault("log.recovery").delay, std::chrono::milliseconds(7));
  EXPECT_FALSE(set_faults("log.roll=delay,ms=600001"));
}

TEST_F(FaultTest, OddsFollowTheSeed) {
  auto draw = [](const char* spec) {
    EXPECT_TRUE(set_faults(spec));
    std::string out;
    for (int i = 0; i < 400; ++i) out += fault("log.roll") ? '.' : 'x';
    return out;
  };
  std::string seven = draw("log.roll=eio,odds=0.25,seed=7");
  EXPECT_EQ(seven, draw("log.roll=eio,odds=0.25,seed=7"));
  EXPECT_NE(seven, draw("log.roll=eio,odds=0.25,seed=8"));
  EXPECT_NEAR(static_cast<double>(std::ranges::count(seven, 'x')), 100, 40);
  EXPECT_EQ(draw("log.roll=eio,odds=0").find('x'), std::string::npos);
}

TEST_F(FaultTest, WrongSpecsAreNamedAndChangeNothing) {
  ASSERT_TRUE(set_faults("log.roll=eio"));
  for (const char* spec : {"log.rol=eio", "log.roll", "log.roll=explode", "log.roll=eio,after=-1", "log.roll=eio,odds=2",
                           "log.roll=eio,odds=", "log.roll=eio,when=3", "log.roll=eio,seed=x", "=eio"}) {
    auto status = set_faults(spec);
    ASSERT_FALSE(status) << spec;
    EXPECT_EQ(status.error().code, Errc::kInvalidArgument);
    EXPECT_FALSE(status.error().hint.empty());
  }
  EXPECT_NE(set_faults("log.rol=eio").error().message.find("log.rol"), std::string::npos);
  EXPECT_FALSE(fault("log.roll"));
}

TEST_F(FaultTest, ExitEndsTheProcessLikeAKill) {
  EXPECT_EXIT(
      {
        (void)set_faults("log.roll=exit");
        (void)fault("log.roll");
      },
      testing::ExitedWithCode(137), "");
}

TEST_F(FaultTest, AnUnknownPointIsABug) {
  ASSERT_TRUE(set_faults("log.roll=eio"));
  EXPECT_DEATH((void)fault("log.rolll"), "log.rolll");
}

TEST_F(FaultTest, ShortWritesLeaveHalf) {
  auto& files = real_file_system();
  auto file = files.open(directory_ + "/short", OpenMode::kCreate);
  ASSERT_TRUE(file);
  ASSERT_TRUE(set_faults("file.write=short"));
  EXPECT_EQ((*file)->write_at(0, "12345678").error().code, Errc::kIo);
  ASSERT_TRUE(set_faults(""));
  EXPECT_EQ(read_file(files, directory_ + "/short").value(), "1234");
}

TEST_F(FaultTest, FileCallsPassTheirPoints) {
  auto& files = real_file_system();
  auto file = files.open(directory_ + "/f", OpenMode::kCreate);
  ASSERT_TRUE(file);
  char byte;
  ASSERT_TRUE(
      set_faults("file.open=eio;file.read=eio;file.sync=eio;file.truncate=enospc;file.rename=eio;file.remove=eio;"
                 "file.sync_directory=eio;file.write=enospc"));
  EXPECT_FALSE(files.open(directory_ + "/f", OpenMode::kRead));
  EXPECT_FALSE((*file)->read_at(0, &byte, 1));
  EXPECT_FALSE((*file)->sync());
  EXPECT_EQ((*file)->truncate(0).error().code, Errc::kDiskFull);
  EXPECT_EQ((*file)->write_at(0, "x").error().code, Errc::kDiskFull);
  EXPECT_FALSE(files.rename(directory_ + "/f", directory_ + "/g"));
  EXPECT_FALSE(files.remove(directory_ + "/f"));
  EXPECT_FALSE(files.sync_directory(directory_));
}

}  // namespace
}  // namespace millrace::env
