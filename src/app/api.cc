#include "app/api.h"

#include <fmt/format.h>

#include <charconv>

#include "base/bytes.h"

namespace millrace::app {
namespace {

using format::Json;

std::vector<std::string_view> split(std::string_view path) {
  std::vector<std::string_view> out;
  for (size_t at = 1; at <= path.size();) {
    size_t slash = path.find('/', at);
    if (slash == std::string_view::npos) slash = path.size();
    out.push_back(path.substr(at, slash - at));
    at = slash + 1;
  }
  return out;
}

/// Fills `path` with what stood for the stars; false when the route is for another path.
bool matches(std::string_view pattern, const std::vector<std::string>& segments, std::vector<std::string>& path) {
  path.clear();
  std::vector<std::string_view> wanted = split(pattern);
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i] == "**") {
      if (segments.size() <= i) return false;
      path.insert(path.end(), segments.begin() + static_cast<ptrdiff_t>(i), segments.end());
      return true;
    }
    if (i >= segments.size()) return false;
    if (wanted[i] == "*") {
      path.push_back(segments[i]);
    } else if (wanted[i] != segments[i]) {
      return false;
    }
  }
  return segments.size() == wanted.size();
}

}  // namespace

std::string_view Call::parameter(std::string_view name, std::string_view otherwise) const {
  return request.parameter(name).value_or(otherwise);
}

Result<int64_t> Call::number(std::string_view name, int64_t otherwise, int64_t min, int64_t max) const {
  auto text = request.parameter(name);
  if (!text) return otherwise;
  int64_t value = 0;
  auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc() || end != text->data() + text->size() || value < min || value > max) {
    return fail(Errc::kInvalidArgument,
                fmt::format("'{}' must be a whole number from {} to {}, not '{}'", name, min, max, *text));
  }
  return value;
}

Result<Json> Call::body_object() const {
  if (request.body.find_first_not_of(" \t\r\n") == std::string::npos) return Json::object();
  TRY(Json body, format::parse_json(request.body));
  if (body.as_object() == nullptr) return fail(Errc::kInvalidArgument, "the body must be a JSON object");
  return body;
}

Response json_response(const Json& json, int status) {
  Response response;
  response.status = status;
  response.body = to_json(json);
  return response;
}

Response handle(Instance& instance, const Request& request) {
  static const std::span<const Route> kRoutes[] = {topic_routes(),       table_routes(), query_routes(),  dag_routes(),
                                                   dead_letter_routes(), sql_routes(),   status_routes(), backup_routes()};
  bool path_known = false;
  std::vector<std::string> path;
  for (std::span<const Route> routes : kRoutes) {
    for (const Route& route : routes) {
      if (!matches(route.path, request.segments, path)) continue;
      path_known = true;
      if (route.method != request.method) continue;
      if (!route.at_rest && instance.options().read_only) {
        return serve::http::error_response(
            Error{Errc::kUnavailable, "no server runs on this data directory", "start one with `millrace run FILE`"});
      }
      auto response = route.handle(Call{instance, request, std::move(path)});
      return response ? std::move(*response) : serve::http::error_response(response.error());
    }
  }
  if (path_known)
    return serve::http::error_response(405, "method_not_allowed",
                                       fmt::format("{} is not possible on {}", request.method, request.path));
  return serve::http::error_response(404, "not_found", fmt::format("there is nothing at {}", request.path),
                                     "docs/http-api.md lists the paths");
}

Json bytes_json(const std::optional<std::string_view>& bytes) {
  if (!bytes) return Json();
  return is_utf8(*bytes) ? Json(*bytes) : Json("base64:" + to_base64(*bytes));
}

Json balance_json(const QueryView& query) {
  const stream::Balance& b = query.position.balance;
  Json json = Json::object();
  json.set("in", b.in + query.in_flight)
      .set("out", b.out)
      .set("filtered", b.filtered)
      .set("absorbed", b.absorbed)
      .set("dead", b.dead)
      .set("skipped", b.skipped)
      .set("late", b.late)
      .set("expired", b.expired)
      .set("in_flight", query.in_flight);
  return json;
}

}  // namespace millrace::app
