#pragma once

#include <memory>
#include <optional>
#include <string>

#include "connect/postgres/connection.h"

namespace millrace::connect::postgres {

struct Writer {
  std::string pipeline, query;
  bool shared = false;
  std::string table_oid;  // of the table that it writes
  std::string prepare;    // SQL that makes a new session fit for use
};

/// The session that writes as a query.
///
/// Of a query that is not shared there is one, which counts its epochs in `millrace.epochs`. It holds an advisory lock of
/// (pipeline, query) as long as it lives, so while it lives nobody else commits as the query. The marker row is advanced from the
/// number that was last seen, in the transaction of the rows: whoever else has advanced it has fenced us.
///
/// Sessions of a shared query are members without rank. Whoever waits for a lock for longer than kMemberPatience fails with a
/// conflict, and ends in recover() the members that hold rows and have been silent for so long: a process that stands still.
/// Threading: one thread, but the Interrupt.
class WriterSession {
 public:
  static constexpr std::chrono::seconds kMemberPatience{5};

  WriterSession(Target target, Writer writer, std::shared_ptr<const Interrupt> interrupt, env::Clock& clock);
  bool is_shared() const { return writer_.shared; }

  /// Rolls back what is open, connects anew if need be, takes the lock and reads the marker. Whoever holds the lock for longer
  /// than a moment under our application_name is an earlier session of this query, and is ended if we have the right to. Errors:
  /// kUnavailable; kFenced names who holds the lock, or says that another process has committed as this query.
  Result<std::optional<uint64_t>> recover();
  /// The session with a transaction begun. kUnavailable when there is none: call recover.
  Result<Connection*> transaction();
  /// Advances the marker and commits. kFenced when somebody else has advanced it. After kUnavailable it may be committed or not.
  Status commit(uint64_t epoch);
  /// Shared: commits what is open. After kUnavailable it may be committed or not.
  Status commit();
  /// Shared: the last statement failed because of another session, and may succeed after recover().
  bool is_in_conflict() const;
  void rollback();

 private:
  Status connect();
  Status become_writer();
  Status make_marker_table();
  Status take_lock();
  Status check_not_fenced(const std::optional<uint64_t>& marker) const;
  Status make_way(bool patient);
  Result<std::optional<uint64_t>> read_marker();
  Result<std::optional<uint64_t>> end_silent_members();
  std::string application_name() const;

  const Target target_;
  const Writer writer_;
  const std::shared_ptr<const Interrupt> interrupt_;
  env::Clock& clock_;
  std::unique_ptr<Connection> connection_;  // with the lock; null after a failure
  bool in_transaction_ = false;
  int last_pid_ = 0;    // of our previous session on the server
  std::string holder_;  // who kept the lock when it was last asked for
  bool recovered_ = false;
  std::optional<uint64_t> known_;      // the marker as we last saw or wrote it
  std::optional<uint64_t> attempted_;  // what a commit without an answer may have made of it
};

/// The key of an advisory lock: equal for equal names.
int64_t lock_key(std::string_view purpose, std::string_view pipeline, std::string_view query);
/// SQL for the holder of an advisory lock of this database: pid, application_name, client address.
std::string lock_holder_query(int64_t key);

/// Takes it for the rest of the transaction before schema objects are made, since IF NOT EXISTS does not keep two from colliding.
std::string schema_lock_statement();
/// CREATE SCHEMA unless it is there; who may not create one can use one that an administrator made.
Status make_schema(Connection& connection, const std::string& schema);

}  // namespace millrace::connect::postgres
