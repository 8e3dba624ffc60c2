#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace millrace::connect::postgres {

/// `postgresql://user:password@host:port/database?sslmode=require`; several hosts, comma separated, are tried in turn.
struct PostgresOptions {
  std::string url;
  /// As the URL's own parameters, which they override: sslmode, sslrootcert (the certificates themselves, PEM), channel_binding,
  /// connect_timeout, application_name, target_session_attrs.
  std::map<std::string, std::string> options;
};

/// Where to connect, checked. Copies hold the password: never put `parameters` into a message.
struct Target {
  std::vector<std::pair<std::string, std::string>> parameters;  // libpq's keywords
  std::string root_certificates;                                // PEM; empty: none are given
  std::string shown;                                            // postgresql://host:5432/database, for messages
  std::string application_name;                                 // empty: none was given
};

/// Reads and checks; no I/O. Nothing that makes libpq read a file or run a program is let through. kInvalidArgument names the
/// option, never its value when that could be a secret.
Result<Target> read_options(const PostgresOptions& options);
/// The same for who only wants to know.
Status check_options(const std::string& url, const std::map<std::string, std::string>& options);

/// The known name that `name` was probably meant to be, without case and underscores or up to two letters off; empty if none.
std::string_view nearest_name(std::string_view name, const std::vector<std::string_view>& known);

}  // namespace millrace::connect::postgres
