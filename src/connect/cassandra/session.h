#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "connect/cassandra/io_loop.h"

namespace millrace::connect::cassandra {

/// An answer and the bytes that it points into.
struct Reply {
  std::unique_ptr<const std::string> body;
  cql::Response response;

  /// Null when the answer has no rows.
  const cql::RowsResult* rows() const { return std::get_if<cql::RowsResult>(&response); }
};

/// Our side of a cluster: its connections and the thread that serves them. Threading: any. Errors of every call: kUnavailable
/// (after retries), kPermissionDenied, and what errc_of says for other answers of the server.
class Session {
 public:
  /// Connects; waits up to two connect_timeouts.
  static Result<std::unique_ptr<Session>> open(Settings settings, env::Clock& clock);
  /// Requests that are under way end with kCancelled.
  ~Session();

  const Settings& settings() const { return settings_; }
  cql::Version version() const { return version_; }
  /// What is known of the cluster at the moment.
  SessionState state() { return state_.get(); }
  /// With the consistency of the settings; a read's is one that reads can have.
  cql::QueryParams write_params() const;
  cql::QueryParams read_params() const;

  /// Sends one request and waits for its end. `node`: the address of the one that shall answer, else any.
  Result<Reply> ask(const cql::Request& message, bool idempotent = true, std::string node = {});
  /// A query of a system table: the node that is asked answers alone.
  Result<Reply> query_system(std::string_view text, const cql::Values& values = {});
  /// A change of the schema: not tried again once it may have been done. Waits until the nodes agree.
  Status change_schema(std::string_view text);
  Result<Prepared> prepare(std::string text);
  /// See SubmitQueue::push.
  Status submit(std::vector<std::unique_ptr<Request>>& requests, const std::atomic<bool>& cancelled) {
    return queue_.push(requests, cancelled);
  }
  void nudge() { queue_.nudge(); }

 private:
  Session(Settings settings, std::unique_ptr<TlsContext> tls, env::Clock& clock);
  Status agree_on_schema();

  const Settings settings_;
  const std::unique_ptr<TlsContext> tls_;
  env::Clock& clock_;
  SubmitQueue queue_;
  SharedState state_;
  cql::Version version_ = cql::Version::kV5;
  std::thread thread_;
};

}  // namespace millrace::connect::cassandra
