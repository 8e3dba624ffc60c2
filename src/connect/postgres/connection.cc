#include "connect/postgres/connection.h"

#include <fmt/format.h>
#include <libpq-fe.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "base/printable.h"
#include "connect/postgres/sqlstate.h"

namespace millrace::connect::postgres {
namespace {

using std::chrono::milliseconds;

constexpr Duration kPauseFirst = milliseconds(100);
constexpr Duration kPauseMax = std::chrono::seconds(2);

// A connection whose other side is gone is noticed after 20 to 30 s, on both sides: the server's session holds locks.
constexpr std::pair<const char*, const char*> kAlways[] = {
    {"client_encoding", "UTF8"},
    {"keepalives_idle", "10"},
    {"keepalives_interval", "5"},
    {"keepalives_count", "3"},
    {"tcp_user_timeout", "20000"},
    // What libpq would look for by itself in the home directory or in Kerberos' files.
    {"passfile", "/dev/null/none"},
    {"sslcert", "/dev/null/none"},
    {"gssencmode", "disable"},
};
constexpr const char* kSession =
    "SET TimeZone='UTC'; SET DateStyle='ISO, MDY'; SET IntervalStyle='postgres'; SET extra_float_digits=1; "
    "SET standard_conforming_strings=on; SET tcp_keepalives_idle=10; SET tcp_keepalives_interval=5; SET tcp_keepalives_count=3; "
    "SET tcp_user_timeout=20000; SELECT set_config('synchronous_commit','on',false) WHERE "
    "current_setting('synchronous_commit')='off'";

/// `FATAL:  28P01: password …`, as libpq writes it with verbosity VERBOSE, in whatever language the severity is.
std::string sqlstate_of(std::string_view message) {
  for (size_t at = message.find(":  "); at != std::string_view::npos; at = message.find(":  ", at + 1)) {
    std::string_view code = message.substr(at + 3, 6);
    bool five = code.size() == 6 && code[5] == ':' && std::all_of(code.begin(), code.begin() + 5, [](char c) {
                  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');
                });
    if (five) return std::string(code.substr(0, 5));
  }
  return {};
}

/// The first line, without libpq's preamble before the server's words.
std::string first_line(std::string_view message, std::string_view sqlstate) {
  message = message.substr(0, message.find('\n'));
  std::string_view preamble = sqlstate.empty() ? "failed: " : sqlstate;
  if (size_t at = message.find(preamble); at != std::string_view::npos) message.remove_prefix(at + preamble.size());
  if (sqlstate.empty()) return printable(message);
  return fmt::format("{} ({})", printable(message.substr(std::min<size_t>(2, message.size()))), sqlstate);
}

/// A failure to connect of which the server said nothing: most pass, but not these.
bool is_refusal(pg_conn* connection, std::string_view why) {
  return PQconnectionNeedsPassword(connection) == 1 || why.find("certificate verify failed") != std::string_view::npos ||
         why.find("does not match host name") != std::string_view::npos ||
         why.find("does not support SSL") != std::string_view::npos;
}

/// A file that is nowhere but in memory, because libpq takes certificates by name only. -1 when there is no memory.
int certificate_file(const std::string& pem) {
  int file = memfd_create("sslrootcert", MFD_CLOEXEC);
  if (file >= 0 && write(file, pem.data(), pem.size()) != static_cast<ssize_t>(pem.size())) {
    close(file);
    return -1;
  }
  return file;
}

std::string login_hint(std::string_view sqlstate) {
  if (sqlstate == "28P01") return "check user and password of the url";
  if (sqlstate == "28000") return "check the user of the url, and pg_hba.conf of the server";
  if (sqlstate == "3D000") return "create the database first: CREATE DATABASE …";
  if (sqlstate == "53300") return "raise max_connections of the server, or stop who uses them";
  if (sqlstate == "25006") return "the server is a standby: add target_session_attrs=read-write and name every host in the url";
  return {};
}

}  // namespace

Interrupt::Interrupt() : descriptor_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
Interrupt::~Interrupt() {
  if (descriptor_ >= 0) close(descriptor_);
}
void Interrupt::set() {
  set_ = true;
  [[maybe_unused]] int written = eventfd_write(descriptor_, 1);
}
bool Interrupt::sleep(Duration time) const {
  pollfd wake{descriptor_, POLLIN, 0};
  if (!set_) (void)::poll(&wake, 1, static_cast<int>(std::chrono::ceil<milliseconds>(time).count()));
  return !set_;
}

void Rows::Free::operator()(pg_result* result) const { PQclear(result); }
size_t Rows::size() const { return static_cast<size_t>(PQntuples(result_.get())); }
std::string_view Rows::text(size_t row, size_t column) const {
  auto r = static_cast<int>(row), c = static_cast<int>(column);
  return {PQgetvalue(result_.get(), r, c), static_cast<size_t>(PQgetlength(result_.get(), r, c))};
}
size_t Rows::columns() const { return static_cast<size_t>(PQnfields(result_.get())); }
bool Rows::is_null(size_t row, size_t column) const {
  return PQgetisnull(result_.get(), static_cast<int>(row), static_cast<int>(column)) == 1;
}
int64_t Rows::integer(size_t row, size_t column) const {
  int64_t value = 0;
  std::string_view digits = text(row, column);
  std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return value;
}
uint64_t Rows::affected() const { return std::strtoull(PQcmdTuples(result_.get()), nullptr, 10); }

Connection::Connection(std::string shown, std::shared_ptr<const Interrupt> interrupt, env::Clock& clock)
    : shown_(std::move(shown)), interrupt_(std::move(interrupt)), clock_(clock) {}

Connection::~Connection() {
  PQfinish(connection_);
  if (certificates_ >= 0) close(certificates_);
}

Result<std::unique_ptr<Connection>> Connection::open(const Target& target, const std::string& application_name,
                                                     std::shared_ptr<const Interrupt> interrupt, env::Clock& clock) {
  std::unique_ptr<Connection> connection(new Connection(target.shown, std::move(interrupt), clock));
  TRY_DO(connection->connect(target, application_name));
  TRY_DO(connection->execute(kSession));
  return connection;
}

Result<std::unique_ptr<Connection>> Connection::open_patiently(const Target& target, const std::string& application_name,
                                                               std::shared_ptr<const Interrupt> interrupt, env::Clock& clock,
                                                               Duration patience) {
  Duration give_up = clock.monotonic() + patience, pause = kPauseFirst;
  while (true) {
    auto opened = open(target, application_name, interrupt, clock);
    bool again = !opened && opened.error().code == Errc::kUnavailable && clock.monotonic() + pause < give_up;
    if (!again) return opened;
    if (!interrupt->sleep(pause)) return fail(Errc::kCancelled, fmt::format("{}: stopped", target.shown));
    pause = std::min<Duration>(2 * pause, kPauseMax);
  }
}

Status Connection::connect(const Target& target, const std::string& application_name) {
  std::vector<const char*> names, values;
  auto add = [&](const char* name, const char* value) {
    names.push_back(name);
    values.push_back(value);
  };
  int seconds = 5;
  for (const auto& [name, value] : target.parameters) {
    if (name == "connect_timeout") seconds = std::atoi(value.c_str());
    add(name.c_str(), value.c_str());
  }
  for (const auto& [name, value] : kAlways) add(name, value);
  add("application_name", application_name.c_str());
  std::string certificates;
  if (!target.root_certificates.empty()) {
    certificates_ = certificate_file(target.root_certificates);
    certificates = fmt::format("/proc/self/fd/{}", certificates_);
    add("sslrootcert", certificates.c_str());
  }
  add(nullptr, nullptr);
  connection_ = PQconnectStartParams(names.data(), values.data(), 0);
  if (connection_ == nullptr) return fail(Errc::kResourceExhausted, fmt::format("{}: no memory for a connection", shown_));
  PQsetErrorVerbosity(connection_, PQERRORS_VERBOSE);
  PQsetNoticeProcessor(connection_, [](void*, const char*) {}, nullptr);
  TRY_DO(poll_connect(clock_.monotonic() + std::chrono::seconds(seconds)));
  PQsetnonblocking(connection_, 1);
  return {};
}

Status Connection::poll_connect(Duration deadline) {
  PostgresPollingStatusType next = PQstatus(connection_) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING;
  while (next != PGRES_POLLING_OK) {
    if (next == PGRES_POLLING_FAILED) {
      std::string_view why = PQerrorMessage(connection_);
      sqlstate_ = sqlstate_of(why);
      broken_ = true;
      std::string message = fmt::format("{}: {}", shown_, first_line(why, sqlstate_));
      if (!sqlstate_.empty()) return fail(code_of_sqlstate(sqlstate_), message, login_hint(sqlstate_));
      if (!is_refusal(connection_, why)) return fail(Errc::kUnavailable, message);
      return fail(Errc::kPermissionDenied, message, "check user, password, sslmode and sslrootcert");
    }
    TRY_DO(wait(next == PGRES_POLLING_WRITING, deadline));
    next = PQconnectPoll(connection_);
  }
  return {};
}

/// Until the socket can be read, or also written.
Status Connection::wait(bool for_write, std::optional<Duration> deadline) {
  while (true) {
    if (interrupt_->is_set()) return cancelled();
    int timeout = -1;
    if (deadline) {
      Duration left = *deadline - clock_.monotonic();
      if (left <= Duration(0)) {
        broken_ = true;
        return fail(Errc::kUnavailable, fmt::format("{}: no answer within the connect_timeout", shown_));
      }
      timeout = static_cast<int>(std::chrono::ceil<milliseconds>(left).count());
    }
    auto events = static_cast<short>(for_write ? (deadline ? POLLOUT : POLLOUT | POLLIN) : POLLIN);
    pollfd watched[] = {{PQsocket(connection_), events, 0}, {interrupt_->descriptor(), POLLIN, 0}};
    if (::poll(watched, 2, timeout) > 0 && watched[0].revents != 0) return {};
  }
}

/// The server is told, because a session that waits for a lock does not look at its socket.
tl::unexpected<Error> Connection::cancelled() {
  if (!broken_ && PQtransactionStatus(connection_) == PQTRANS_ACTIVE) {
    if (PGcancel* cancel = PQgetCancel(connection_)) {
      char why[256];
      (void)PQcancel(cancel, why, sizeof why);
      PQfreeCancel(cancel);
    }
  }
  broken_ = true;
  return fail(Errc::kCancelled, fmt::format("{}: stopped", shown_));
}

tl::unexpected<Error> Connection::lost(std::string_view doing) {
  std::string_view why = PQerrorMessage(connection_);
  broken_ = true;
  sqlstate_ = sqlstate_of(why);
  return fail(Errc::kUnavailable, fmt::format("{}: connection lost while {}: {}", shown_, doing, first_line(why, sqlstate_)));
}

tl::unexpected<Error> Connection::refused(const pg_result* result) {
  auto field = [&](int code) {
    const char* text = PQresultErrorField(result, code);
    return std::string_view(text == nullptr ? "" : text);
  };
  sqlstate_ = field(PG_DIAG_SQLSTATE);
  if (PQstatus(connection_) == CONNECTION_BAD || sqlstate_.empty()) broken_ = true;
  std::string_view message = field(PG_DIAG_MESSAGE_PRIMARY);
  words_ = printable(message.empty() ? std::string_view(PQresultErrorMessage(result)) : message);
  std::string hint = login_hint(sqlstate_);
  if (hint.empty()) hint = printable(field(PG_DIAG_MESSAGE_HINT));
  Errc code = sqlstate_.empty() ? Errc::kUnavailable : code_of_sqlstate(sqlstate_);
  return fail(code, fmt::format("{}: {}{}", shown_, words_, sqlstate_.empty() ? "" : fmt::format(" ({})", sqlstate_)), hint);
}

bool Connection::is_data_fault() const { return !broken_ && postgres::is_data_fault(sqlstate_); }
int Connection::backend_pid() const { return PQbackendPID(connection_); }

Status Connection::flush() {
  while (true) {
    int left = PQflush(connection_);
    if (left == 0) return {};
    if (left < 0) return lost("sending");
    TRY_DO(wait(true));
    // The server may answer (with an error) before it has read everything; who does not read then waits for ever.
    if (PQconsumeInput(connection_) == 0) return lost("sending");
  }
}

/// The next result, null after the last.
Result<pg_result*> Connection::answer() {
  TRY_DO(flush());
  while (PQisBusy(connection_) == 1) {
    TRY_DO(wait(false));
    if (PQconsumeInput(connection_) == 0) return lost("waiting for an answer");
  }
  return PQgetResult(connection_);
}

/// Takes every result, so that the session is ready for the next statement; the first error counts.
Result<Rows> Connection::last_answer() {
  Rows last(nullptr);
  std::optional<Error> error;
  while (true) {
    TRY(pg_result * result, answer());
    if (result == nullptr) break;
    Rows rows(result);
    ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT) return rows;
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_EMPTY_QUERY && !error)
      error = refused(result).value();
    last = std::move(rows);
  }
  if (PQstatus(connection_) == CONNECTION_BAD) broken_ = true;
  if (error) return fail(std::move(*error));
  return last;
}

Result<Rows> Connection::execute(const std::string& sql) {
  sqlstate_.clear();
  if (broken_ || PQsendQuery(connection_, sql.c_str()) == 0) return lost("sending");
  return last_answer();
}

Result<Rows> Connection::query(const std::string& sql, const Parameters& parameters, bool binary_result) {
  sqlstate_.clear();
  std::vector<const char*> values;
  for (const auto& parameter : parameters) values.push_back(parameter ? parameter->c_str() : nullptr);
  if (broken_ || PQsendQueryParams(connection_, sql.c_str(), static_cast<int>(values.size()), nullptr, values.data(), nullptr,
                                   nullptr, binary_result ? 1 : 0) == 0)
    return lost("sending");
  return last_answer();
}

Status Connection::begin_copy(const std::string& sql) {
  TRY_DO(execute(sql));
  return {};
}

Status Connection::put_copy(std::string_view bytes) {
  while (true) {
    int taken = PQputCopyData(connection_, bytes.data(), static_cast<int>(bytes.size()));
    if (taken < 0) return lost("sending rows");
    TRY_DO(flush());
    if (taken == 1) return {};
  }
}

Result<uint64_t> Connection::finish_copy() {
  while (true) {
    int taken = PQputCopyEnd(connection_, nullptr);
    if (taken < 0) return lost("sending rows");
    if (taken == 1) break;
    TRY_DO(flush());
  }
  TRY(Rows rows, last_answer());
  return rows.affected();
}

}  // namespace millrace::connect::postgres
