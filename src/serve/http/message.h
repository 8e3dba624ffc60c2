#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace millrace::serve::http {

using Pairs = std::vector<std::pair<std::string, std::string>>;

/// One request, already past the server's checks of size, host, origin and
/// token.
struct Request {
  std::string method;                 // "GET"
  std::string path;                   // decoded: "/v1/tables/ks.t/a/b"; for messages, not for routing
  std::vector<std::string> segments;  // split at "/" and then decoded, so that
                                      // "%2F" stays inside its segment
  Pairs query;                        // decoded, in order, names may repeat
  Pairs headers;                      // names in lower case
  std::string body;

  /// The first value of that name; nullopt when there is none.
  std::optional<std::string_view> parameter(std::string_view name) const;
  /// `name` in lower case.
  std::optional<std::string_view> header(std::string_view name) const;
};

/// Where a streaming handler puts its bytes. Bounded: `write` waits while the
/// client reads more slowly than the handler writes. Threading: one thread at a
/// time.
class BodyWriter {
 public:
  virtual ~BodyWriter() = default;
  /// kCancelled when the client has gone or the server stops: the handler then
  /// returns at once.
  virtual Status write(std::string_view bytes) = 0;
  /// True as soon as nobody will read any more, also when nothing is written
  /// for long.
  virtual bool closed() const = 0;
  /// The server is asked to stop: a stream without an end of its own ends now,
  /// before the grace is over.
  virtual bool stopping() const = 0;
};

/// Runs on the handler's thread. An error after the first byte cuts the
/// connection, so the client sees that the answer is not whole.
using StreamBody = std::function<Status(BodyWriter&)>;

struct Response {
  int status = 200;
  std::string content_type = "application/json";
  Pairs headers;
  std::string body;
  StreamBody stream;  // when set, `body` is not looked at and the answer goes
                      // out in chunks
  Duration delay{0};  // the answer leaves so much later; no thread waits for it
};

/// `{"code":…,"message":…,"hint":…}`: the shape of every error answer.
Response error_response(int status, std::string_view code, std::string_view message, std::string_view hint = {});
/// The HTTP door's one switch from our codes to its own.
int http_status(Errc code);
Response error_response(const Error& error);

using Handler = std::function<Response(const Request&)>;

}  // namespace millrace::serve::http
