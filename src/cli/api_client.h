#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "format/json_doc.h"

namespace millrace::cli {

/// The HTTP API of the server on a data directory, whose address and token stand in `<data>/server.json`. When no server runs
/// there, the directory is opened read-only in this process and answers the same requests, so that `sql`, `status` and the
/// listings also work at rest.
class ApiClient {
 public:
  /// kUnavailable when no server answers and `may_be_at_rest` is false, or there is no data.
  static Result<ApiClient> connect(const std::string& data, bool may_be_at_rest);
  ApiClient(ApiClient&&) noexcept;
  ~ApiClient();

  Result<format::Json> get(std::string_view path) { return request("GET", path, {}, {}); }
  Result<format::Json> post(std::string_view path, const format::Json& body);
  Result<format::Json> erase(std::string_view path) { return request("DELETE", path, {}, {}); }
  Result<format::Json> request(std::string_view method, std::string_view path, std::string_view body,
                               std::string_view content_type);
  /// The answer's body piece by piece.
  Status stream(std::string_view method, std::string_view path, std::string_view body, std::string_view content_type,
                const std::function<Status(std::string_view)>& on_bytes);

 private:
  class Transport;
  class Server;
  class AtRest;
  explicit ApiClient(std::unique_ptr<Transport> transport);
  std::unique_ptr<Transport> transport_;
};

/// One segment of a path, percent-encoded.
std::string path_segment(std::string_view text);

}  // namespace millrace::cli
