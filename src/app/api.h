#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "app/instance.h"
#include "format/json_doc.h"
#include "serve/http/message.h"

namespace millrace::app {

using serve::http::Request;
using serve::http::Response;

/// What a handler gets: the instance, the request, and the path segments that stood for `*` in the route; a route that ends in
/// `**` hands over all that follow.
struct Call {
  Instance& instance;
  const Request& request;
  std::vector<std::string> path;

  std::string_view parameter(std::string_view name, std::string_view otherwise = {}) const;
  /// kInvalidArgument when the parameter is there and not a whole number in [min, max].
  Result<int64_t> number(std::string_view name, int64_t otherwise, int64_t min, int64_t max) const;
  /// The body as a JSON object; empty when there is no body.
  Result<format::Json> body_object() const;
};

struct Route {
  std::string_view method;
  std::string_view path;
  /// Whether a data directory at rest can answer.
  bool at_rest;
  Result<Response> (*handle)(const Call&);
};

/// One file a subject.
std::span<const Route> topic_routes();
std::span<const Route> table_routes();
std::span<const Route> query_routes();
std::span<const Route> dag_routes();
std::span<const Route> dead_letter_routes();
std::span<const Route> sql_routes();
std::span<const Route> status_routes();
std::span<const Route> backup_routes();

/// Answers one request of the API (docs/http-api.md). The HTTP server calls it, and the command line for a directory at rest.
Response handle(Instance& instance, const Request& request);

Response json_response(const format::Json& json, int status = 200);

/// Where to begin in a partition: earliest, latest, an offset (brought into what is kept), or a time. Errors: kInvalidArgument.
Result<model::Offset> offset_from(log::PartitionLog& partition, std::string_view from);

/// A key or value: text when it is UTF-8, else `base64:…`; null when it is null.
format::Json bytes_json(const std::optional<std::string_view>& bytes);

/// The balance of an edge as the contract names its counts.
format::Json balance_json(const QueryView& query);

}  // namespace millrace::app
