#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "serve/http/message.h"

namespace millrace::serve::http {

/// Who may speak to the server. Pure rules over the headers; the session asks
/// before it reads a body.
struct Guard {
  /// Names accepted in Host beside 127.0.0.1, localhost and [::1]; without
  /// port. "*" accepts every name.
  std::vector<std::string> allowed_hosts;
  /// The server listens beyond loopback, where clients use its addresses: every
  /// IP literal is a good Host. A rebinding page always carries a DNS name.
  bool any_ip_literal = false;
  /// When not empty: `Authorization: Bearer <token>` is required.
  std::string bearer_token;
  /// Paths that need no token, take no body, and are answered while every
  /// handler thread is at work.
  std::vector<std::string> exempt_paths = {"/livez", "/readyz"};

  bool is_exempt(std::string_view path) const;
};

/// "Host" taken apart; nullopt when it is malformed. `name` keeps the brackets
/// of an IPv6 literal.
struct HostPort {
  std::string_view name;
  std::string_view port;
};
std::optional<HostPort> split_host(std::string_view host);

/// The refusal: 400 (malformed or missing Host), 421 (a host that is not ours),
/// 403 (foreign Origin), 401 (token), 400 (a body where nobody shows a token);
/// nullopt = pass. The port of Host is not
/// compared, since port mappings change it and name rebinding cannot be told by
/// it.
std::optional<Response> refuse(const Guard& guard, const Request& request);

/// Takes as long for a wrong text as for the right one.
bool equal_in_constant_time(std::string_view a, std::string_view b);

}  // namespace millrace::serve::http
