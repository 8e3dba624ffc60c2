#include "connect/postgres/writer_session.h"

#include <fmt/format.h>

#include <charconv>

#include "base/log.h"
#include "base/printable.h"
#include "connect/postgres/sqlstate.h"
#include "model/schema.h"

namespace millrace::connect::postgres {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Duration kConnectPatience = seconds(10);
constexpr Duration kLockPatience = seconds(15);
// A session whose process has ended is gone by then.
constexpr Duration kLockGrace = seconds(2);
constexpr Duration kLockPause = milliseconds(50);
constexpr size_t kApplicationNameMax = 63;

constexpr const char* kMarkerTable =
    "CREATE TABLE IF NOT EXISTS millrace.epochs (pipeline text NOT NULL, query text NOT NULL, epoch bigint NOT NULL, "
    "at timestamptz NOT NULL, PRIMARY KEY (pipeline, query))";
constexpr const char* kReadMarker = "SELECT epoch FROM millrace.epochs WHERE pipeline=$1 AND query=$2";
constexpr const char* kFirstMarker =
    "INSERT INTO millrace.epochs VALUES ($1,$2,$3::bigint,clock_timestamp()) ON CONFLICT (pipeline, query) DO NOTHING";
constexpr const char* kNextMarker =
    "UPDATE millrace.epochs SET epoch=$3::bigint, at=clock_timestamp() WHERE pipeline=$1 AND query=$2 AND epoch=$4::bigint";
constexpr const char* kEndSilent =
    "SELECT pg_terminate_backend(a.pid) FROM pg_stat_activity a WHERE a.datname=current_database() AND a.usename=current_user "
    "AND "
    "a.application_name=current_setting('application_name') AND a.pid<>pg_backend_pid() AND a.wait_event='ClientRead' AND "
    "a.state_change<clock_timestamp()-interval '{1} s' AND EXISTS (SELECT FROM pg_locks l WHERE l.pid=a.pid AND l.relation={0} "
    "AND "
    "l.mode='RowExclusiveLock')";

}  // namespace

int64_t lock_key(std::string_view purpose, std::string_view pipeline, std::string_view query) {
  uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
  for (std::string_view part : {purpose, pipeline, query}) {
    for (char c : part) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3;
    hash = (hash ^ 0xff) * 0x100000001b3;
  }
  return static_cast<int64_t>(hash);
}

std::string lock_holder_query(int64_t key) {
  auto bits = static_cast<uint64_t>(key);
  return fmt::format(
      "SELECT l.pid, coalesce(a.application_name,''), coalesce(host(a.client_addr),'a local socket') FROM pg_locks l LEFT JOIN "
      "pg_stat_activity a ON a.pid=l.pid WHERE l.locktype='advisory' AND l.granted AND l.classid::bigint={} AND "
      "l.objid::bigint={} AND l.objsubid=1 AND l.database=(SELECT oid FROM pg_database WHERE datname=current_database())",
      bits >> 32, bits & 0xffffffff);
}

std::string schema_lock_statement() { return fmt::format("SELECT pg_advisory_xact_lock({})", lock_key("schema", "", "")); }

Status make_schema(Connection& connection, const std::string& schema) {
  TRY(Rows found, connection.query("SELECT 1 FROM pg_namespace WHERE nspname=$1", {schema}));
  if (found.size() > 0) return {};
  TRY_DO(connection.execute("CREATE SCHEMA " + model::quote_identifier(schema)));
  return {};
}

WriterSession::WriterSession(Target target, Writer writer, std::shared_ptr<const Interrupt> interrupt, env::Clock& clock)
    : target_(std::move(target)), writer_(std::move(writer)), interrupt_(std::move(interrupt)), clock_(clock) {}

std::string WriterSession::application_name() const {
  if (!target_.application_name.empty()) return target_.application_name;
  std::string name = printable(fmt::format("millrace {}/{}", writer_.pipeline, writer_.query));
  for (char& c : name) c = static_cast<uint8_t>(c) < 0x80 ? c : '?';  // as the server would do it
  return name.substr(0, kApplicationNameMax);
}

Result<std::optional<uint64_t>> WriterSession::recover() {
  rollback();
  const bool is_old = connection_ != nullptr;
  if (!is_old) TRY_DO(connect());
  auto look = [this] { return writer_.shared ? end_silent_members() : read_marker(); };
  auto marker = look();
  if (!marker && is_old && connection_->broken()) {
    TRY_DO(connect());  // it was lost while nobody looked
    marker = look();
  }
  if (!marker) {
    connection_.reset();
    return marker;
  }
  if (Status ours = check_not_fenced(*marker); !ours) {
    connection_.reset();  // the lock is for whoever is newer
    return fail(ours.error());
  }
  recovered_ = true;
  known_ = *marker;
  attempted_.reset();
  return marker;
}

/// Only what we saw or tried to write can stand there, as long as nobody else writes.
Status WriterSession::check_not_fenced(const std::optional<uint64_t>& marker) const {
  if (!recovered_ || marker == known_ || marker == attempted_) return {};
  return fail(Errc::kFenced,
              fmt::format("{}: another process has committed epoch {} as query {} of pipeline {}", target_.shown,
                          marker.value_or(0), writer_.query, writer_.pipeline),
              "run a pipeline in one place, or under two names");
}

Status WriterSession::connect() {
  TRY(connection_, Connection::open_patiently(target_, application_name(), interrupt_, clock_, kConnectPatience));
  Status ready = writer_.shared ? Status() : become_writer();
  if (ready) {
    // A batch is sorted in memory.
    std::string settings = "SET work_mem='64MB'; ";
    if (writer_.shared) settings += fmt::format("SET lock_timeout='{}s'; ", kMemberPatience.count());
    if (auto set = connection_->execute(settings + writer_.prepare); !set) ready = fail(set.error());
  }
  if (ready) {
    last_pid_ = connection_->backend_pid();
  } else {
    connection_.reset();
  }
  return ready;
}

Status WriterSession::become_writer() {
  TRY_DO(make_marker_table());
  // Whoever was fenced must not end the session of who is newer.
  TRY(auto marker, read_marker());
  TRY_DO(check_not_fenced(marker));
  return take_lock();
}

Status WriterSession::make_marker_table() {
  TRY(Rows found, connection_->execute("SELECT to_regclass('millrace.epochs') IS NOT NULL"));
  if (found.text(0, 0) == "t") return {};
  TRY_DO(connection_->execute("BEGIN; " + schema_lock_statement()));
  TRY_DO(make_schema(*connection_, "millrace"));
  TRY_DO(connection_->execute(fmt::format("{}; COMMIT", kMarkerTable)));
  return {};
}

Status WriterSession::take_lock() {
  const int64_t key = lock_key("query", writer_.pipeline, writer_.query);
  const Duration begin = clock_.monotonic();
  while (true) {
    TRY(Rows taken, connection_->execute(fmt::format("SELECT pg_try_advisory_lock({})", key)));
    if (taken.text(0, 0) == "t") return {};
    Duration waited = clock_.monotonic() - begin;
    if (waited > kLockPatience)
      return fail(
          Errc::kFenced,
          fmt::format("{}: {} writes as query {} of pipeline {}", target_.shown, holder_, writer_.query, writer_.pipeline),
          "stop the other process, or end its session: SELECT pg_terminate_backend(pid)");
    TRY_DO(make_way(waited < kLockGrace));
    if (!interrupt_->sleep(kLockPause)) return fail(Errc::kCancelled, fmt::format("{}: stopped", target_.shown));
  }
}

/// Ends the session that holds the lock: our own previous one at once, an earlier one of this query after the grace.
Status WriterSession::make_way(bool patient) {
  TRY(Rows holders, connection_->execute(lock_holder_query(lock_key("query", writer_.pipeline, writer_.query))));
  if (holders.size() == 0) return {};
  int64_t pid = holders.integer(0, 0);
  holder_ = fmt::format("session {} ('{}', from {})", pid, printable(holders.text(0, 1)), holders.text(0, 2));
  bool ours = pid == last_pid_ || (!patient && holders.text(0, 1) == application_name());
  if (!ours) return {};
  auto ended = connection_->execute(fmt::format("SELECT pg_terminate_backend({})", pid));
  // Without the right to do it there is still hope that the session ends by itself.
  if (!ended && ended.error().code != Errc::kPermissionDenied) return fail(ended.error());
  log_info("connect", fmt::format("{}: ended the earlier {} of this query", target_.shown, holder_));
  return {};
}

Result<std::optional<uint64_t>> WriterSession::read_marker() {
  TRY(Rows rows, connection_->query(kReadMarker, {writer_.pipeline, writer_.query}));
  if (rows.size() == 0) return std::optional<uint64_t>();
  return std::optional<uint64_t>(static_cast<uint64_t>(rows.integer(0, 0)));
}

/// A member whose process stands still keeps its locks, and its connection stays alive. It finds its session gone, and no row of
/// its transaction comes in late.
Result<std::optional<uint64_t>> WriterSession::end_silent_members() {
  TRY(Rows ended, connection_->execute(fmt::format(kEndSilent, writer_.table_oid, kMemberPatience.count())));
  if (ended.size() > 0)
    log_info("connect", fmt::format("{}: ended {} sessions of query {} that held rows and were silent", target_.shown,
                                    ended.size(), writer_.query));
  return std::optional<uint64_t>();
}

Result<Connection*> WriterSession::transaction() {
  if (connection_ == nullptr || connection_->broken())
    return fail(Errc::kUnavailable, fmt::format("{}: there is no session", target_.shown));
  if (!in_transaction_) {
    // Checks that wait for the commit would blame nobody.
    TRY_DO(connection_->execute("BEGIN; SET CONSTRAINTS ALL IMMEDIATE"));
    in_transaction_ = true;
  }
  return connection_.get();
}

Status WriterSession::commit(uint64_t epoch) {
  TRY(Connection * connection, transaction());
  Parameters parameters = {writer_.pipeline, writer_.query, std::to_string(epoch)};
  if (known_) parameters.push_back(std::to_string(*known_));
  TRY(Rows advanced, connection->query(known_ ? kNextMarker : kFirstMarker, parameters));
  if (advanced.affected() != 1) {
    rollback();
    return fail(Errc::kFenced,
                fmt::format("{}: another process has committed as query {} of pipeline {}", target_.shown, writer_.query,
                            writer_.pipeline),
                "run a pipeline in one place, or under two names");
  }
  attempted_ = epoch;
  in_transaction_ = false;
  TRY_DO(connection->execute("COMMIT"));
  known_ = epoch;
  attempted_.reset();
  return {};
}

Status WriterSession::commit() {
  if (!in_transaction_) return {};
  in_transaction_ = false;
  TRY_DO(connection_->execute("COMMIT"));
  return {};
}

bool WriterSession::is_in_conflict() const {
  return writer_.shared && connection_ != nullptr && !connection_->broken() && is_conflict(connection_->sqlstate());
}

void WriterSession::rollback() {
  if (connection_ == nullptr) return;
  if (in_transaction_ && !connection_->broken()) (void)connection_->execute("ROLLBACK");
  in_transaction_ = false;
  if (connection_->broken()) connection_.reset();
}

}  // namespace millrace::connect::postgres
