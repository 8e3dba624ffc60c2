#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace millrace::net::http {

using Headers = std::vector<std::pair<std::string, std::string>>;

struct HttpRequest {
  std::string method = "GET";
  std::string url;  // http or https; TLS certificates are always verified
  Headers headers;
  std::string body;
  Duration timeout = std::chrono::seconds(30);  // for everything; 0: none
  Duration connect_timeout = std::chrono::seconds(5);
  size_t max_body_bytes = 64 << 20;  // after decompression
  int max_redirects = 5;             // 0: a redirect is the answer
  std::string ca_pem = {};           // the only CAs to trust, as PEM; empty: those of the system
};

struct HttpResponse {
  int status = 0;
  Headers headers;  // of the last answer, names in lower case
  std::string body;

  /// `name` in lower case.
  std::optional<std::string_view> header(std::string_view name) const;
};

/// Gets the body piece by piece; an error ends the transfer and is what
/// `stream` returns.
using OnBody = std::function<Status(std::string_view piece)>;

/// Makes requests one after the other over connections that are kept open.
///
/// An HTTP status is an answer, not an error. Errors: kInvalidArgument (url,
/// scheme, header with a line break), kUnavailable (no connection, connection
/// lost, TLS), kDeadlineExceeded (a timeout), kResourceExhausted (body above
/// its limit), kFailedPrecondition (too many redirects, or one to another
/// scheme), kCancelled (stop was requested). Messages name `METHOD scheme://host/path`, never user info or
/// query. Authorization and cookies are not sent on to another host of a
/// redirect.
///
/// Threading: one thread; a stop token may be triggered from any and ends a
/// waiting request at once.
class HttpClient {
 public:
  HttpClient();
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  Result<HttpResponse> get(const std::string& url, std::stop_token stop = {});
  Result<HttpResponse> request(const HttpRequest& request, std::stop_token stop = {});
  /// As `request`, but a 2xx body goes to `on_body` and is not kept; the body
  /// of any other status is in the response. `max_body_bytes` holds only for
  /// what is kept.
  Result<HttpResponse> stream(const HttpRequest& request, const OnBody& on_body, std::stop_token stop = {});

 private:
  struct Handles;
  std::unique_ptr<Handles> handles_;
};

/// `scheme://host:port/path` without user info, query and fragment: what may
/// stand in a message.
std::string redact_url(std::string_view url);

}  // namespace millrace::net::http
