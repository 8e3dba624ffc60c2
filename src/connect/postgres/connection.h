#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "connect/postgres/options.h"
#include "env/clock.h"

struct pg_conn;
struct pg_result;

namespace millrace::connect::postgres {

/// Ends the waits of the connections that were given it. Threading: any thread.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  /// From now on every wait is kCancelled.
  void set();
  bool is_set() const { return set_; }
  /// Waits; false when it was set before the time was over.
  bool sleep(Duration time) const;
  int descriptor() const { return descriptor_; }

 private:
  const int descriptor_;
  std::atomic<bool> set_ = false;
};

/// The answer to a statement. Values are text unless binary was asked for.
class Rows {
 public:
  explicit Rows(pg_result* result) : result_(result) {}
  size_t size() const;
  /// Empty for a NULL.
  std::string_view text(size_t row, size_t column) const;
  bool is_null(size_t row, size_t column) const;
  int64_t integer(size_t row, size_t column) const;
  /// Rows that INSERT, UPDATE or DELETE changed.
  uint64_t affected() const;
  size_t columns() const;

 private:
  struct Free {
    void operator()(pg_result* result) const;
  };
  std::unique_ptr<pg_result, Free> result_;
};

using Parameters = std::vector<std::optional<std::string>>;

/// One session, in UTC with ISO dates. Threading: one thread, but the Interrupt.
///
/// Errors: kUnavailable (nobody answers, the connection is lost, the server is going down; then broken() may be true and the
/// session is over), kPermissionDenied (login, rights), kCancelled (the Interrupt), kInvalidArgument for what the server refuses
/// of the data itself (see is_data_fault), kFailedPrecondition for what is not there or not so.
class Connection {
 public:
  /// One try, bounded by the option connect_timeout. `application_name` stands in pg_stat_activity.
  static Result<std::unique_ptr<Connection>> open(const Target& target, const std::string& application_name,
                                                  std::shared_ptr<const Interrupt> interrupt, env::Clock& clock);
  /// Tries again with growing pauses while nobody answers, for `patience`.
  static Result<std::unique_ptr<Connection>> open_patiently(const Target& target, const std::string& application_name,
                                                            std::shared_ptr<const Interrupt> interrupt, env::Clock& clock,
                                                            Duration patience);
  ~Connection();

  /// Statements without parameters, several with `;` between them; rows of the last.
  Result<Rows> execute(const std::string& sql);
  Result<Rows> query(const std::string& sql, const Parameters& parameters, bool binary_result = false);

  /// COPY … FROM STDIN: begin, any number of puts, then finish, or fail_copy, which makes the server forget them.
  Status begin_copy(const std::string& sql);
  Status put_copy(std::string_view bytes);
  Result<uint64_t> finish_copy();

  /// Waits for the statements to come end with this one.
  void use(std::shared_ptr<const Interrupt> interrupt) { interrupt_ = std::move(interrupt); }
  bool broken() const { return broken_; }
  /// Of the last statement that failed; empty when the server said nothing.
  const std::string& sqlstate() const { return sqlstate_; }
  /// What the server said of it, without the place.
  const std::string& server_words() const { return words_; }
  /// The last failure lies in the data: a row can be blamed for it.
  bool is_data_fault() const;
  int backend_pid() const;
  const std::string& shown() const { return shown_; }

 private:
  Connection(std::string shown, std::shared_ptr<const Interrupt> interrupt, env::Clock& clock);
  Status connect(const Target& target, const std::string& application_name);
  Status poll_connect(Duration deadline);
  Status wait(bool for_write, std::optional<Duration> deadline = std::nullopt);
  Status flush();
  Result<pg_result*> answer();
  Result<Rows> last_answer();
  tl::unexpected<Error> refused(const pg_result* result);
  tl::unexpected<Error> lost(std::string_view doing);
  tl::unexpected<Error> cancelled();

  const std::string shown_;
  std::shared_ptr<const Interrupt> interrupt_;
  env::Clock& clock_;
  pg_conn* connection_ = nullptr;
  int certificates_ = -1;
  bool broken_ = false;
  std::string sqlstate_, words_;
};

}  // namespace millrace::connect::postgres
