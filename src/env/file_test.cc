#include "env/file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "env/fault_file_system.h"

namespace millrace::env {
namespace {

/// The same cases on the real file system and on the one in memory.
class FileSystemTest : public testing::TestWithParam<bool> {
 protected:
  FileSystemTest() : files_(GetParam() ? real_file_system() : memory_) {
    root_ = testing::TempDir() + "/file_test_" + std::to_string(::getpid());
    EXPECT_TRUE(files_.create_directories(root_));
  }
  ~FileSystemTest() override { std::filesystem::remove_all(root_); }

  FaultFileSystem memory_;
  FileSystem& files_;
  std::string root_;
};

TEST_P(FileSystemTest, ModesDecideWhatMustExist) {
  const std::string path = root_ + "/f";
  EXPECT_EQ(files_.open(path, OpenMode::kRead).error().code, Errc::kNotFound);
  EXPECT_TRUE(files_.open(path, OpenMode::kCreate));
  EXPECT_EQ(files_.open(path, OpenMode::kCreate).error().code, Errc::kAlreadyExists);
  EXPECT_TRUE(files_.open(path, OpenMode::kWrite));
  EXPECT_TRUE(files_.open(path, OpenMode::kRead));
  EXPECT_EQ(files_.open(root_ + "/no/f", OpenMode::kWrite).error().code, Errc::kNotFound);
}

TEST_P(FileSystemTest, ReadsAndWritesAnywhere) {
  auto file = std::move(*files_.open(root_ + "/f", OpenMode::kCreate));
  ASSERT_TRUE(file->write_at(4, "5678"));
  ASSERT_TRUE(file->write_at(0, "12"));
  ASSERT_TRUE(file->write_at(0, ""));
  EXPECT_EQ(file->size().value(), 8);
  char bytes[16];
  EXPECT_EQ(file->read_at(0, bytes, sizeof bytes).value(), 8);
  EXPECT_EQ(std::string(bytes, 8), std::string("12\0\0005678", 8));
  EXPECT_EQ(file->read_at(6, bytes, 1).value(), 1);
  EXPECT_EQ(file->read_at(100, bytes, 1).value(), 0);
  ASSERT_TRUE(file->truncate(2));
  ASSERT_TRUE(file->truncate(4));
  EXPECT_TRUE(file->sync());
  EXPECT_EQ(read_file(files_, root_ + "/f").value(), std::string("12\0\0", 4));
  EXPECT_EQ(read_file(files_, root_ + "/f", 3).error().code, Errc::kResourceExhausted);
}

TEST_P(FileSystemTest, AFileOpenForReadingRefusesWrites) {
  ASSERT_TRUE(files_.open(root_ + "/f", OpenMode::kCreate));
  auto file = std::move(*files_.open(root_ + "/f", OpenMode::kRead));
  EXPECT_FALSE(file->write_at(0, "x"));
  EXPECT_FALSE(file->truncate(0));
}

TEST(RealFileSystem, OpensRegularFilesOnly) {
  const std::string pipe = testing::TempDir() + "/file_test_pipe_" + std::to_string(::getpid());
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  for (const std::string& path : {pipe, std::string("/dev/zero"), std::string("/tmp")})
    EXPECT_EQ(real_file_system().open(path, OpenMode::kRead).error().code, Errc::kInvalidArgument) << path;
  std::filesystem::remove(pipe);
}

TEST_P(FileSystemTest, Directories) {
  EXPECT_TRUE(files_.create_directories(root_ + "/a/b/c"));
  EXPECT_TRUE(files_.create_directories(root_ + "/a/b/c"));
  ASSERT_TRUE(files_.open(root_ + "/a/z", OpenMode::kCreate));
  ASSERT_TRUE(files_.open(root_ + "/a/y", OpenMode::kCreate));
  EXPECT_FALSE(files_.create_directories(root_ + "/a/y/x"));
  EXPECT_EQ(files_.list(root_ + "/a").value(), (std::vector<std::string>{"b", "y", "z"}));
  EXPECT_EQ(files_.list(root_ + "/none").error().code, Errc::kNotFound);
  EXPECT_FALSE(files_.remove(root_ + "/a"));
  EXPECT_TRUE(files_.remove(root_ + "/a/b/c"));
  EXPECT_EQ(files_.remove(root_ + "/a/b/c").error().code, Errc::kNotFound);
  EXPECT_TRUE(files_.exists(root_ + "/a/b").value());
  EXPECT_FALSE(files_.exists(root_ + "/a/b/c").value());
  EXPECT_FALSE(files_.exists(root_ + "/a/y/below_a_file").value());
  EXPECT_TRUE(files_.sync_directory(root_ + "/a"));
  EXPECT_EQ(files_.sync_directory(root_ + "/none").error().code, Errc::kNotFound);
  EXPECT_GT(files_.space(root_)->free_bytes, 0);
}

TEST_P(FileSystemTest, RenameReplacesAndKeepsOpenFiles) {
  auto old = std::move(*files_.open(root_ + "/to", OpenMode::kCreate));
  ASSERT_TRUE(old->write_at(0, "old"));
  ASSERT_TRUE((*files_.open(root_ + "/from", OpenMode::kCreate))->write_at(0, "new"));
  ASSERT_TRUE(files_.rename(root_ + "/from", root_ + "/to"));
  EXPECT_EQ(read_file(files_, root_ + "/to").value(), "new");
  EXPECT_FALSE(files_.exists(root_ + "/from").value());
  char bytes[3];
  EXPECT_EQ(old->read_at(0, bytes, 3).value(), 3);
  EXPECT_EQ(std::string(bytes, 3), "old");
  EXPECT_EQ(files_.rename(root_ + "/from", root_ + "/to").error().code, Errc::kNotFound);
}

TEST_P(FileSystemTest, WriteFileAtomicallyLeavesNothingBehind) {
  ASSERT_TRUE(write_file_atomically(files_, root_ + "/f", "a longer first"));
  ASSERT_TRUE(write_file_atomically(files_, root_ + "/f", "second"));
  EXPECT_EQ(read_file(files_, root_ + "/f").value(), "second");
  EXPECT_EQ(files_.list(root_).value(), std::vector<std::string>{"f"});
  EXPECT_FALSE(write_file_atomically(files_, root_ + "/none/f", "x"));
}

INSTANTIATE_TEST_SUITE_P(Both, FileSystemTest, testing::Values(true, false),
                         [](const auto& info) { return info.param ? "Real" : "Memory"; });

}  // namespace
}  // namespace millrace::env
