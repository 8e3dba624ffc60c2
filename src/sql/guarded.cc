#include "sql/guarded.h"

#include <fmt/format.h>

#include <exception>

namespace millrace::sql {
namespace {

void interrupt(void* connection) { duckdb_interrupt(static_cast<duckdb_connection>(connection)); }

Status run_in_scope(MemoryAccount& account, const std::function<Status()>& work) {
  // Parts of the C API let exceptions through when an allocation fails.
  try {
    MemoryScope scope(account);
    return work();
  } catch (const std::exception& exception) {
    return fail(Errc::kInternal, exception.what());
  }
}

}  // namespace

Guarded::Guarded(Instances& instances, Connection& connection, Duration time_max)
    : instance_(*connection.instance()),
      time_max_(time_max),
      watchdog_(instances.watch_thread(), connection.get(), time_max),
      account_(instances.memory(), interrupt, connection.get()) {}

Status Guarded::run(const std::function<Status()>& work) {
  Status done = run_in_scope(account_, work);
  if (account_.exceeded()) instance_.mark_broken();
  if (done) return done;
  if (account_.exceeded()) return fail(account_.error());
  if (done.error().code != Errc::kCancelled || !watchdog_.late()) return done;
  return fail(Errc::kDeadlineExceeded, fmt::format("the statement took longer than {}", format_duration(time_max_)),
              "give it fewer rows, or raise the time limit of SQL");
}

}  // namespace millrace::sql
