#include "connect/postgres/options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <libpq-fe.h>

#include <algorithm>
#include <memory>

#include "base/printable.h"

namespace millrace::connect::postgres {
namespace {

const std::vector<std::string_view> kAllowed = {"application_name", "channel_binding", "connect_timeout",
                                                "sslmode",          "sslrootcert",     "target_session_attrs"};
constexpr size_t kNameMax = 100;
constexpr int kConnectSecondsMax = 60;
constexpr std::string_view kDefaultConnectSeconds = "5";

struct Choice {
  std::string_view name;
  std::vector<std::string_view> values;
};
const std::vector<Choice> kChoices = {
    {"sslmode", {"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}},
    {"channel_binding", {"disable", "prefer", "require"}},
    {"target_session_attrs", {"any", "read-write", "read-only", "primary", "standby", "prefer-standby"}},
};

auto unknown(std::string_view name) {
  std::string_view near = nearest_name(name, kAllowed);
  return fail(Errc::kInvalidArgument, fmt::format("postgresql has no option '{}'", printable(name.substr(0, kNameMax))),
              near.empty() ? fmt::format("known: {}", fmt::join(kAllowed, ", ")) : fmt::format("did you mean '{}'?", near));
}

Status check_value(const std::string& name, const std::string& value) {
  for (const Choice& choice : kChoices) {
    if (choice.name != name || std::find(choice.values.begin(), choice.values.end(), value) != choice.values.end()) continue;
    return fail(Errc::kInvalidArgument, fmt::format("option {}: '{}' is none of its values", name, printable(value)),
                fmt::format("known: {}", fmt::join(choice.values, ", ")));
  }
  if (name == "connect_timeout") {
    bool digits = !value.empty() && value.size() <= 2 &&
                  std::all_of(value.begin(), value.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (!digits || std::stoi(value) < 1 || std::stoi(value) > kConnectSecondsMax)
      return fail(Errc::kInvalidArgument,
                  fmt::format("option connect_timeout is a number of seconds from 1 to {}", kConnectSecondsMax));
  }
  if (name == "sslrootcert" && !value.starts_with("-----BEGIN"))
    return fail(Errc::kInvalidArgument, "option sslrootcert holds the certificates themselves (PEM), not the name of a file",
                "sslrootcert: \"${file:/path/to/ca.pem}\"");
  return {};
}

/// The names of the URL's parameters as they stand there. libpq would also take names that are escaped: ours must be plain.
std::vector<std::string_view> parameter_names(std::string_view url) {
  std::vector<std::string_view> names;
  size_t query = url.find('?');
  while (query != std::string_view::npos) {
    url.remove_prefix(query + 1);
    query = url.find('&');
    std::string_view parameter = url.substr(0, query);
    names.push_back(parameter.substr(0, parameter.find('=')));
  }
  return names;
}

struct Parsed {
  void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};

auto unreadable() {
  return fail(Errc::kInvalidArgument, "the url of a PostgreSQL database cannot be read",
              "postgresql://user:password@host:5432/database; write @ : / ? # % of a password as %40 %3A %2F %3F %23 %25");
}

/// Whether the first @ ends the user's name and password, and there is no other: else a part of a password that was not escaped
/// would be taken for a host, a database or a parameter, and shown.
bool is_plain(std::string_view url) {
  url.remove_prefix(url.find("://") + 3);
  size_t at = url.find('@');
  return at == std::string_view::npos || (at < url.find_first_of("/?") && url.find('@', at + 1) == std::string_view::npos);
}

Result<std::map<std::string, std::string>> parse_url(const std::string& url) {
  if (!url.starts_with("postgresql://") && !url.starts_with("postgres://"))
    return fail(Errc::kInvalidArgument, "the url of a PostgreSQL database begins with postgresql://");
  if (!is_plain(url)) return unreadable();
  for (std::string_view name : parameter_names(url)) {
    if (std::find(kAllowed.begin(), kAllowed.end(), name) == kAllowed.end()) return unknown(name);
  }
  char* why = nullptr;
  std::unique_ptr<PQconninfoOption, Parsed> parsed(PQconninfoParse(url.c_str(), &why));
  PQfreemem(why);  // it repeats the url, with the password
  if (parsed == nullptr) return unreadable();
  std::map<std::string, std::string> values;
  for (const PQconninfoOption* option = parsed.get(); option->keyword != nullptr; ++option) {
    if (option->val != nullptr) values[option->keyword] = option->val;
  }
  if (values["port"].find_first_not_of("0123456789,") != std::string::npos) return unreadable();
  return values;
}

std::string shown(const std::map<std::string, std::string>& values) {
  auto part = [&](const char* name) {
    auto found = values.find(name);
    return found == values.end() ? std::string() : found->second;
  };
  std::string host = part("host"), port = part("port"), database = part("dbname");
  return printable(fmt::format("postgresql://{}{}{}/{}", host, port.empty() ? "" : ":", port, database));
}

size_t distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

std::string plain(std::string_view name) {
  std::string out;
  for (char c : name) {
    if (c != '_' && c != '-') out += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return out;
}

}  // namespace

std::string_view nearest_name(std::string_view name, const std::vector<std::string_view>& known) {
  std::string_view best;
  size_t best_distance = 3;
  if (name.size() > kNameMax) return best;
  for (std::string_view candidate : known) {
    if (candidate.size() > kNameMax) continue;
    size_t d = distance(plain(name), plain(candidate));
    if (d >= best_distance || d * 2 >= candidate.size()) continue;
    best = candidate;
    best_distance = d;
  }
  return best;
}

Result<Target> read_options(const PostgresOptions& options) {
  TRY(auto values, parse_url(options.url));
  for (const auto& [name, value] : options.options) {
    if (std::find(kAllowed.begin(), kAllowed.end(), name) == kAllowed.end()) return unknown(name);
    values[name] = value;
  }
  Target target;
  target.shown = shown(values);
  for (std::string_view name : kAllowed) {
    if (auto found = values.find(std::string(name)); found != values.end()) TRY_DO(check_value(found->first, found->second));
  }
  if (auto certificates = values.extract("sslrootcert")) target.root_certificates = certificates.mapped();
  if (auto name = values.extract("application_name")) target.application_name = name.mapped();
  if (values["sslmode"].starts_with("verify-") && target.root_certificates.empty())
    return fail(Errc::kInvalidArgument, fmt::format("sslmode={} needs the certificates to verify with", values["sslmode"]),
                "option sslrootcert: \"${file:/path/to/ca.pem}\"");
  values.emplace("connect_timeout", kDefaultConnectSeconds);
  for (auto& [name, value] : values) {
    if (!value.empty()) target.parameters.emplace_back(name, value);
  }
  return target;
}

Status check_options(const std::string& url, const std::map<std::string, std::string>& options) {
  TRY_DO(read_options({url, options}));
  return {};
}

}  // namespace millrace::connect::postgres
