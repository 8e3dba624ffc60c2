#include "serve/http/guard.h"

#include <algorithm>

namespace millrace::serve::http {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
bool same_without_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) == lower(y); });
}

bool is_ip_literal(std::string_view name) {
  if (name.starts_with('[')) return true;
  return std::count(name.begin(), name.end(), '.') == 3 && name.find_first_not_of("0123456789.") == std::string_view::npos;
}

bool is_ours(const Guard& guard, std::string_view name) {
  for (std::string_view own : {"127.0.0.1", "localhost", "[::1]"})
    if (same_without_case(name, own)) return true;
  if (guard.any_ip_literal && is_ip_literal(name)) return true;
  return std::any_of(guard.allowed_hosts.begin(), guard.allowed_hosts.end(),
                     [&](const std::string& allowed) { return allowed == "*" || same_without_case(name, allowed); });
}

/// An Origin is the host it was sent to when scheme is dropped and the rest is
/// the same text.
bool same_origin(std::string_view origin, std::string_view host) {
  for (std::string_view scheme : {"http://", "https://"})
    if (origin.starts_with(scheme)) return same_without_case(origin.substr(scheme.size()), host);
  return false;
}

/// Whether the header announces a body.
bool has_body(const Request& request) {
  return request.header("transfer-encoding") || request.header("content-length").value_or("0") != "0";
}

bool token_is_right(const Guard& guard, const Request& request) {
  auto header = request.header("authorization");
  auto given =
      std::count_if(request.headers.begin(), request.headers.end(), [](const auto& h) { return h.first == "authorization"; });
  if (given != 1 || header->size() < 7 || !same_without_case(header->substr(0, 7), "bearer ")) return false;
  return equal_in_constant_time(header->substr(7), guard.bearer_token);
}

}  // namespace

bool Guard::is_exempt(std::string_view path) const {
  return std::find(exempt_paths.begin(), exempt_paths.end(), path) != exempt_paths.end();
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  volatile unsigned char difference = a.size() != b.size();
  for (size_t i = 0; i < a.size(); ++i)
    difference = static_cast<unsigned char>(difference | (a[i] ^ (b.empty() ? '\0' : b[i % b.size()])));
  return difference == 0;
}

std::optional<HostPort> split_host(std::string_view host) {
  size_t name_end = host.starts_with('[') ? host.find(']') : host.find(':');
  if (host.starts_with('[')) {
    if (name_end == std::string_view::npos) return std::nullopt;
    ++name_end;
  }
  std::string_view name = host.substr(0, name_end);
  std::string_view rest = name.size() == host.size() ? std::string_view() : host.substr(name.size());
  if (name.empty() || name.find_first_of("/@\\ \t?#,") != std::string_view::npos) return std::nullopt;
  if (rest.empty()) return HostPort{name, {}};
  std::string_view port = rest.substr(1);
  if (rest[0] != ':' || port.size() > 5 || port.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
  return HostPort{name, port};
}

std::optional<Response> refuse(const Guard& guard, const Request& request) {
  auto hosts = std::count_if(request.headers.begin(), request.headers.end(), [](const auto& h) { return h.first == "host"; });
  auto host = request.header("host");
  if (hosts != 1) return error_response(400, "invalid_argument", "the request needs exactly one Host header");
  auto parts = split_host(*host);
  if (!parts) return error_response(400, "invalid_argument", "the Host header is malformed");
  if (!is_ours(guard, parts->name))
    return error_response(421, "permission_denied", "this server does not answer for the host in the Host header",
                          "use 127.0.0.1 or localhost, or add the name to the allowed hosts");
  if (auto origin = request.header("origin"); origin && !same_origin(*origin, *host))
    return error_response(403, "permission_denied", "requests from pages of another origin are refused");
  bool exempt = guard.is_exempt(request.path);
  if (exempt && has_body(request)) return error_response(400, "invalid_argument", "a request for this path has no body");
  if (!guard.bearer_token.empty() && !exempt && !token_is_right(guard, request)) {
    Response response = error_response(401, "permission_denied", "a bearer token is required",
                                       "send Authorization: Bearer <token>; the token stands "
                                       "in the file that server.json names");
    response.headers.emplace_back("WWW-Authenticate", "Bearer");
    return response;
  }
  return std::nullopt;
}

}  // namespace millrace::serve::http
