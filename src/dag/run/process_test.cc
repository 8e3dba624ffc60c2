#include "dag/run/process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <thread>

#include "dag/run/orphan.h"
#include "dag/run/temporary_folder.h"

namespace millrace::dag {
namespace {

struct Ran {
  Result<ProcessEnd> end;
  std::string output;
  pid_t pid;
};
/// `on_output` may request the stop.
Ran run(ProcessSpec spec, std::stop_source stop = {}, std::string_view stop_at = {}) {
  Ran ran{ProcessEnd{}, "", 0};
  ran.end = run_process(
      spec, env::real_clock(), stop.get_token(), [&](pid_t pid) { ran.pid = pid; },
      [&](std::string_view bytes) {
        ran.output += bytes;
        if (!stop_at.empty() && ran.output.find(stop_at) != std::string::npos) stop.request_stop();
      });
  return ran;
}
ProcessSpec shell(std::string script) {
  return {{"sh", "-c", std::move(script)}, {"PATH=/usr/bin:/bin"}, "", std::chrono::milliseconds(100)};
}

TEST(Process, output_and_exit_code_come_back) {
  Ran ran = run(shell("echo out; echo err >&2; exit 7"));
  ASSERT_TRUE(ran.end);
  EXPECT_EQ(ran.end->exit_code, 7);
  EXPECT_EQ(ran.end->signal, 0);
  EXPECT_EQ(ran.output, "out\nerr\n");
}

TEST(Process, a_program_that_is_missing_is_an_error) {
  EXPECT_EQ(run({{"/nonexistent/program"}, {}, ""}).end.error().code, Errc::kNotFound);
  ProcessSpec nowhere = shell("true");
  nowhere.directory = "/nonexistent";
  EXPECT_EQ(run(nowhere).end.error().code, Errc::kNotFound);
}

TEST(Process, it_inherits_nothing_but_what_was_given) {
  int leak = ::open("/dev/null", O_RDONLY);  // without O_CLOEXEC
  ProcessSpec spec = shell("ls /proc/self/fd | tr '\\n' ' '; env; cat; pwd");
  spec.environment.push_back("ONLY=this");
  spec.directory = "/";
  Ran ran = run(spec);
  ::close(leak);
  EXPECT_TRUE(ran.output.starts_with("0 1 2 3 ")) << ran.output;  // 3 is ls reading the folder
  EXPECT_NE(ran.output.find("ONLY=this"), std::string::npos);
  EXPECT_EQ(ran.output.find("HOME="), std::string::npos);
  EXPECT_TRUE(ran.output.ends_with("/\n"));
}

TEST(Process, a_large_output_arrives_whole) {
  Ran ran = run(shell("head -c 3000000 /dev/zero"));
  EXPECT_EQ(ran.output.size(), 3'000'000u);
}

TEST(Process, a_stop_is_a_sigterm_that_it_may_obey) {
  Ran ran = run(shell("trap 'echo bye; exit 3' TERM; echo ready; while :; do :; done"), {}, "ready");
  EXPECT_EQ(ran.end->exit_code, 3);
  EXPECT_EQ(ran.output, "ready\nbye\n");
}

TEST(Process, a_stubborn_one_is_killed_after_the_grace_with_its_children) {
  Ran ran = run(
      shell(
          "trap '' TERM; sh -c 'trap \"\" TERM; while :; do sleep 0.01; done' & echo ready; wait; while :; do sleep 0.01; done"),
      {}, "ready");
  EXPECT_EQ(ran.end->signal, SIGKILL);
}

TEST(Process, a_stop_before_the_start_ends_it_too) {
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(run(shell("while :; do sleep 0.01; done"), stop).end->signal, SIGTERM);
}

/// It is a zombie or gone once init has looked; in either case it runs no more.
bool runs(pid_t child) {
  if (::kill(child, 0) != 0) return false;
  char state = 0;
  if (FILE* stat = ::fopen(("/proc/" + std::to_string(child) + "/stat").c_str(), "r")) {
    if (::fscanf(stat, "%*d %*s %c", &state) != 1) state = 0;
    ::fclose(stat);
  }
  return state != 'Z' && state != 0;
}

TEST(Process, what_it_leaves_in_its_group_ends_with_it) {
  // The background child holds the pipe open: the end of the program counts, not the end of its output.
  Ran ran = run(shell("sleep 1000 & echo $!"));
  EXPECT_EQ(ran.end->exit_code, 0);
  pid_t child = std::stoi(ran.output);
  while (runs(child)) std::this_thread::yield();
}

/// A program that starts another which leaves the group, and ends when that one has said its pid.
Ran run_leaver(const std::string& mark) {
  TemporaryFolder folder;
  ProcessSpec spec = shell("mkfifo $0/f; setsid -f sh -c 'echo $$; echo > $0/f; exec sleep 1000' $0; read line < $0/f");
  spec.argv.push_back(folder.path());
  spec.environment.push_back(std::string(kMarkVariable) + "=" + mark);
  return run(spec);
}

TEST(Orphan, who_leaves_the_group_is_found_by_its_mark) {
  env::FileSystem& files = env::real_file_system();
  std::string mark = make_mark(env::real_random());
  pid_t stranger = std::stoi(run_leaver(mark + "x").output), child = std::stoi(run_leaver(mark).output);
  EXPECT_TRUE(runs(child));
  EXPECT_EQ(kill_marked(files, mark), 1u);
  while (runs(child)) std::this_thread::yield();
  EXPECT_TRUE(runs(stranger));
  EXPECT_EQ(kill_marked(files, mark), 0u);
  EXPECT_EQ(kill_marked(files, mark + "x"), 1u);
}

TEST(Orphan, the_note_of_a_dead_leader_still_names_the_mark) {
  TemporaryFolder folder;
  env::FileSystem& files = env::real_file_system();
  std::string note = folder.path() + "/1.pid", mark = make_mark(env::real_random());
  ASSERT_TRUE(note_process(files, note, run_leaver(mark).pid, mark));
  EXPECT_TRUE(kill_orphan(files, note).value());
  EXPECT_EQ(kill_marked(files, mark), 0u);
}

TEST(Orphan, only_the_process_of_the_note_is_killed) {
  TemporaryFolder folder;
  env::FileSystem& files = env::real_file_system();
  std::string note = folder.path() + "/1.pid";
  EXPECT_FALSE(kill_orphan(files, note).value());

  ProcessSpec spec = shell("echo ready; while :; do sleep 0.01; done");
  pid_t pid = 0;
  auto end = run_process(
      spec, env::real_clock(), {}, [&](pid_t p) { pid = p; },
      [&](std::string_view) {
        if (pid == 0) return;
        // Another start time: a stranger.
        ASSERT_TRUE(note_process(files, note, pid, "mark"));
        std::string text = env::read_file(files, note).value();
        text.replace(text.find(' ') + 1, 1, "x");
        ASSERT_TRUE(env::write_file_atomically(files, note, text));
        EXPECT_FALSE(kill_orphan(files, note).value());
        EXPECT_FALSE(files.exists(note).value());
        ASSERT_TRUE(note_process(files, note, pid, "mark"));
        EXPECT_TRUE(kill_orphan(files, note).value());
        pid = 0;
      });
  EXPECT_EQ(end->signal, SIGKILL);
}

TEST(Orphan, a_note_that_makes_no_sense_kills_nobody) {
  TemporaryFolder folder;
  env::FileSystem& files = env::real_file_system();
  std::string note = folder.path() + "/1.pid";
  for (const char* text : {"", "x", "0 1 2\n", "-1 1 2\n", "1 1 2\n", "99999999999999 1 2\n"}) {
    ASSERT_TRUE(env::write_file_atomically(files, note, text));
    EXPECT_FALSE(kill_orphan(files, note).value()) << text;
  }
}

}  // namespace
}  // namespace millrace::dag
