#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "codec/cql/frame.h"
#include "codec/cql/request.h"
#include "connect/cassandra/retry.h"

namespace millrace::connect::cassandra {

namespace cql = codec::cql;

/// A statement that the nodes know by its id.
struct Prepared {
  std::string text;
  std::string id;
  std::string result_metadata_id;  // v5
};

/// What became of a request: an answer, or the failure that is final.
struct Answer {
  const cql::Envelope* envelope = nullptr;  // valid during the call; null with a failure
  Failure failure = Failure::kNotSent;
  Error error;
  bool ok() const { return envelope != nullptr; }
};

struct Request;

/// Requests that belong together: who hears of their end, and what they have in common.
class RequestGroup {
 public:
  virtual ~RequestGroup() = default;
  /// Exactly once for each request, on the session's thread: must not wait.
  virtual void done(Request& request, const Answer& answer) = 0;

  std::string keyspace;              // tells the replicas of a token
  std::vector<Prepared> statements;  // that the requests name
  /// Requests that are not sent yet end with kCancelled; those that are, when they would be sent again.
  std::atomic<bool> cancelled{false};
};

struct Request {
  std::shared_ptr<RequestGroup> group;
  std::string bytes;  // an envelope; the stream id is filled in
  std::optional<int64_t> token;
  uint64_t tag = 0;  // the group's
  bool idempotent = true;
  bool once = false;  // on the connection that it was given to; a failure is final
  std::string at;     // the address of the only node that may answer; a failure is final

  // The session's own.
  uint32_t tries = 0;
  Duration began{-1};  // first taken up
  Duration sent{0};
  std::string node;  // that had it last
};

/// One request whose end is a call.
class CallGroup : public RequestGroup {
 public:
  explicit CallGroup(std::function<void(const Answer&)> call) : call_(std::move(call)) {}
  void done(Request&, const Answer& answer) override { call_(answer); }

 private:
  const std::function<void(const Answer&)> call_;
};

/// For a certain connection.
inline std::unique_ptr<Request> make_request(std::shared_ptr<RequestGroup> group, cql::Version version,
                                             const cql::Request& message) {
  auto request = std::make_unique<Request>();
  request->group = std::move(group);
  cql::encode(request->bytes, version, 0, message);
  request->once = true;
  return request;
}

}  // namespace millrace::connect::cassandra
