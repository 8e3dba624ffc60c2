#pragma once

#include <map>
#include <string>

#include "app/instance.h"

namespace millrace::cli {

/// What `run` shows while it runs: on a terminal a panel that is drawn again and again, with rates and the last rows; elsewhere a
/// plain line now and then.
class Display {
 public:
  Display(app::Instance& instance, bool quiet);
  ~Display();
  /// Draws; returns how long to wait until the next time.
  Duration show();

 private:
  void draw_panel(double seconds);
  void print_line(double seconds);
  std::vector<std::string> last_rows(const app::QueryView& query);
  double rate(const std::string& name, uint64_t count, double seconds);

  app::Instance& instance_;
  const bool quiet_;
  const bool terminal_;
  Duration last_shown_{0};
  std::map<std::string, uint64_t> last_counts_;
  std::string last_line_;
  size_t lines_drawn_ = 0;
};

}  // namespace millrace::cli
