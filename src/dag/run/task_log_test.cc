#include "dag/run/task_log.h"

#include <gtest/gtest.h>

#include "dag/run/temporary_folder.h"

namespace millrace::dag {
namespace {

class TaskLogTest : public testing::Test {
 protected:
  std::unique_ptr<TaskLog> open(uint64_t bytes_max = 1 << 20) {
    auto log = TaskLog::create(env_, path_, bytes_max);
    EXPECT_TRUE(log) << log.error().message;
    return std::move(*log);
  }
  std::string text() { return env::read_file(env_.files, path_).value(); }

  TemporaryFolder folder_;
  env::FakeClock clock_{parse_instant("2026-11-21T04:03:31.000123Z").value()};
  env::Env env_{env::real_file_system(), clock_, env::real_random()};
  std::string path_ = attempt_path(folder_.path(), "d", "r", "t", 1, "log");
  const std::string stamp_ = "2026-11-21T04:03:31.000123Z ";
};

TEST_F(TaskLogTest, lines_carry_their_time) {
  auto log = open();
  log->line("first");
  log->output("sec");
  log->output("ond\nthird\n\nlast without end");
  log->flush();
  EXPECT_EQ(text(), stamp_ + "first\n" + stamp_ + "second\n" + stamp_ + "third\n" + stamp_ + "\n");
  log.reset();
  EXPECT_TRUE(text().ends_with(stamp_ + "last without end\n"));
}

TEST_F(TaskLogTest, a_full_log_counts_what_it_drops) {
  auto log = open(200);
  for (int i = 0; i < 10; ++i) log->line("0123456789");
  log.reset();
  EXPECT_TRUE(text().ends_with(stamp_ + "the log is full: 5 lines (55 bytes) were dropped\n")) << text();
  EXPECT_LT(text().size(), 300u);
}

TEST_F(TaskLogTest, an_endless_line_is_broken) {
  auto log = open();
  for (int i = 0; i < 3; ++i) log->output(std::string(TaskLog::kLineBytesMax, 'x'));
  log.reset();
  EXPECT_EQ(text().size(), 3 * (stamp_.size() + TaskLog::kLineBytesMax + 1));
}

TEST_F(TaskLogTest, an_attempt_of_the_same_number_begins_anew) {
  open()->line("a long line of the first time");
  open()->line("short");
  EXPECT_EQ(text(), stamp_ + "short\n");
}

TEST(AttemptPath, ids_stay_in_their_folder) {
  EXPECT_EQ(attempt_path("/d", "users", "scheduled__2026-11-20T00:00:00+00:00", "a.b", 2, "log"),
            "/d/dags/users/scheduled__2026-11-20T00:00:00+00:00/a.b/2.log");
  EXPECT_EQ(attempt_path("/d", "..", "../../x", ".", 1, "log"), "/d/dags/%2E./%2E.%2F..%2Fx/%2E/1.log");
  EXPECT_EQ(attempt_path("/d", "", "\n", "ü", 1, "log"), "/d/dags/%/%0A/%C3%BC/1.log");
  std::string a = attempt_path("/d", std::string(500, 'a') + "1", "r", "t", 1, "log");
  std::string b = attempt_path("/d", std::string(500, 'a') + "2", "r", "t", 1, "log");
  EXPECT_NE(a, b);
  EXPECT_LT(a.size(), 300u);
}

}  // namespace
}  // namespace millrace::dag
