#pragma once

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/times.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <string>
#include <string_view>
#include <thread>

#include "base/result.h"

/// What every benchmark says of a case: a line on stderr for people, an element of a JSON array on stdout for programs.
namespace millrace::bench {

/// The value, or the end of the program with the error.
template <class T>
T must(Result<T> result) {
  if (!result) {
    fmt::print(stderr, "benchmark failed: {}\n", result.error().message);
    std::exit(1);
  }
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

inline double wall_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// CPU of this process, in seconds.
inline double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec); };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// CPU that anybody used on this machine, in seconds since its start (proc(5), /proc/stat: idle and iowait are the 4th and 5th).
inline double machine_cpu_seconds() {
  std::ifstream file("/proc/stat");
  std::string cpu;
  file >> cpu;
  double busy = 0, ticks = 0;
  for (int field = 0; field < 8 && file >> ticks; ++field) busy += field == 3 || field == 4 ? 0 : ticks;
  return busy / static_cast<double>(sysconf(_SC_CLK_TCK));
}

/// A line of /proc/self/status in MiB, such as VmHWM, the peak of resident memory, or VmRSS.
inline double memory_mib(std::string_view name) {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(name)) return std::strtod(line.c_str() + name.size() + 1, nullptr) / 1024;
  }
  return 0;
}

/// From its making to `stop`: time, CPU of this process, share of the machine's CPU that others took, peak of memory.
class Measure {
 public:
  Measure() {
    std::ofstream("/proc/self/clear_refs") << 5;  // proc(5): the peak starts anew
  }
  Measure& stop() {
    wall = wall_seconds() - wall_begin_;
    cpu = cpu_seconds() - cpu_begin_;
    double machine = machine_cpu_seconds() - machine_begin_;
    foreign = std::max(0.0, machine - cpu) / (wall * std::thread::hardware_concurrency());
    peak_mib = memory_mib("VmHWM");
    return *this;
  }

  double wall = 0, cpu = 0, foreign = 0, peak_mib = 0;

 private:
  double wall_begin_ = wall_seconds(), cpu_begin_ = cpu_seconds(), machine_begin_ = machine_cpu_seconds();
};

class Report {
 public:
  ~Report() { fmt::print("{}]\n", first_ ? "[" : ""); }

  /// `more` is for people; `members` are further JSON members, as in `"p50_ms":0.3`.
  void line(std::string_view name, uint64_t records, const Measure& m, std::string_view more = {},
            std::string_view members = {}) {
    double millions = static_cast<double>(records) / 1e6;
    fmt::print(stderr, "{:<34} {:>9} records {:8.3f} s {:8.3f} M/s {:7.3f} CPU-s/M {:5.0f} MiB peak {:3.0f} % foreign CPU  {}\n",
               name, records, m.wall, millions / m.wall, m.cpu / millions, m.peak_mib, 100 * m.foreign, more);
    fmt::print(
        "{}{{\"case\":\"{}\",\"records\":{},\"seconds\":{:.6f},\"cpu_seconds\":{:.6f},\"peak_mib\":{:.0f},\"foreign_cpu\":{:.3f}{"
        "}{}}}",
        first_ ? "[" : ",\n ", name, records, m.wall, m.cpu, m.peak_mib, m.foreign, members.empty() ? "" : ",", members);
    std::fflush(stdout);
    first_ = false;
  }
  template <class Work>
  void measure(std::string_view name, uint64_t records, Work work) {
    Measure m;
    work();
    line(name, records, m.stop());
  }

 private:
  bool first_ = true;
};

}  // namespace millrace::bench
