#include "connect/cassandra/settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/bytes.h"
#include "model/schema.h"

namespace millrace::connect::cassandra {
namespace {

constexpr std::string_view kScheme = "cassandra://";

std::optional<uint64_t> number(std::string_view text) {
  uint64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

Status between(std::string_view text, uint64_t low, uint64_t high, auto& out) {
  auto value = number(text);
  if (!value || *value < low || *value > high)
    return fail(Errc::kInvalidArgument, fmt::format("a number from {} to {} was expected", low, high));
  out = static_cast<std::decay_t<decltype(out)>>(*value);
  return {};
}

Status one_of(std::string_view text, std::string_view no, std::string_view yes, bool& out) {
  if (text != no && text != yes) return fail(Errc::kInvalidArgument, fmt::format("`{}` or `{}` was expected", no, yes));
  out = text == yes;
  return {};
}

Status read_consistency(Settings& to, std::string_view text) {
  auto level = codec::cql::parse_consistency(text);
  bool serial = level == codec::cql::Consistency::kSerial || level == codec::cql::Consistency::kLocalSerial;
  if (!level || serial)
    return fail(Errc::kInvalidArgument, "a consistency level was expected, such as LOCAL_QUORUM, QUORUM or ONE");
  to.consistency = *level;
  return {};
}

Status read_replication(Settings& to, std::string_view text) {
  TRY(to.replication, parse_replication(text));
  return {};
}

Status read_time(std::string_view text, Duration& out) {
  TRY(out, parse_duration(text));
  if (out <= Duration(0)) return fail(Errc::kInvalidArgument, "a time above zero was expected");
  return {};
}

struct Option {
  OptionInfo info;
  Status (*set)(Settings& to, std::string_view text);
};

/// Every option there is: what is not here is refused.
const std::array<Option, 15> kOptions{{
    {{"user", "text", "login name; may stand in the URL instead"},
     [](Settings& to, std::string_view text) -> Status { return to.user = text, Status(); }},
    {{"password", "text", "use ${file:PATH} for it"},
     [](Settings& to, std::string_view text) -> Status { return to.password = text, Status(); }},
    {{"local_dc", "name", "the datacenter whose nodes are asked; default: that of the node that answers first"},
     [](Settings& to, std::string_view text) -> Status { return to.local_dc = text, Status(); }},
    {{"consistency", "LOCAL_QUORUM, QUORUM, ONE, …", "of writes and reads; default LOCAL_QUORUM"}, read_consistency},
    {{"replication", "3, or dc1:3,dc2:2",
      "of keyspaces that Millrace makes; default: 3 in the local datacenter, 1 on a single node"},
     read_replication},
    {{"tls", "off, on", "encrypt; default off"},
     [](Settings& to, std::string_view text) { return one_of(text, "off", "on", to.tls); }},
    {{"tls_ca", "PEM", "the authorities to trust; default: the system's. Use ${file:PATH}"},
     [](Settings& to, std::string_view text) -> Status { return to.tls_ca = text, Status(); }},
    {{"tls_host", "on, off", "the node's certificate must name its host; default on"},
     [](Settings& to, std::string_view text) { return one_of(text, "off", "on", to.tls_host); }},
    {{"compression", "none, lz4", "of what is sent and received; default none"},
     [](Settings& to, std::string_view text) { return one_of(text, "none", "lz4", to.lz4); }},
    {{"requests_in_flight", "1 to 16384", "the most requests that wait for an answer at once; default 1024"},
     [](Settings& to, std::string_view text) { return between(text, 1, 16384, to.in_flight_max); }},
    {{"connections_per_node", "1 to 16", "default 1"},
     [](Settings& to, std::string_view text) { return between(text, 1, 16, to.connections_per_node); }},
    {{"connect_timeout", "time", "default 5s"},
     [](Settings& to, std::string_view text) { return read_time(text, to.connect_timeout); }},
    {{"request_timeout", "time", "how long one answer is waited for; default 10s"},
     [](Settings& to, std::string_view text) { return read_time(text, to.request_timeout); }},
    {{"protocol", "auto, 4, 5", "version of the native protocol; default auto"},
     [](Settings& to, std::string_view text) -> Status {
       if (text != "auto" && text != "4" && text != "5") return fail(Errc::kInvalidArgument, "`auto`, `4` or `5` was expected");
       to.protocol = text == "auto" ? 0 : static_cast<uint8_t>(text[0] - '0');
       return {};
     }},
    {{"nulls", "null, unset", "what a NULL does: `null` (default) deletes the value that is there, `unset` leaves it"},
     [](Settings& to, std::string_view text) { return one_of(text, "null", "unset", to.nulls_unset); }},
}};

Result<std::string> percent_decoded(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (i + 2 >= text.size() || hex_digit(text[i + 1]) < 0 || hex_digit(text[i + 2]) < 0)
      return fail(Errc::kInvalidArgument, "the login in the Cassandra URL has a % that two hexadecimal digits do not follow",
                  "write a percent sign as %25");
    out += static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
    i += 2;
  }
  return out;
}

Result<Endpoint> parse_endpoint(std::string_view text) {
  Endpoint endpoint;
  std::string_view port;
  size_t colon = text.find(':');
  if (text.starts_with('[')) {
    size_t close = text.find(']');
    if (close == std::string_view::npos)
      return fail(Errc::kInvalidArgument, fmt::format("`{}` in the Cassandra URL lacks its closing bracket", text));
    endpoint.host = text.substr(1, close - 1);
    if (close + 1 < text.size()) port = text.substr(close + 1);
    if (!port.empty() && port[0] != ':') endpoint.host.clear();
  } else {
    endpoint.host = text.substr(0, colon);
    if (colon != std::string_view::npos) port = text.substr(colon);
  }
  if (endpoint.host.empty())
    return fail(Errc::kInvalidArgument, fmt::format("`{}` in the Cassandra URL is no host[:port]", text),
                "write cassandra://host1,host2:9042");
  if (!port.empty()) {
    auto value = number(port.substr(1));
    if (!value || *value == 0 || *value > 65535)
      return fail(Errc::kInvalidArgument, fmt::format("`{}` in the Cassandra URL has no valid port", text),
                  "write cassandra://host1,host2:9042");
    endpoint.port = static_cast<uint16_t>(*value);
  }
  return endpoint;
}

Status read_url(std::string_view url, Settings& to) {
  if (!url.starts_with(kScheme)) return fail(Errc::kInvalidArgument, "a Cassandra URL begins with cassandra://");
  std::string_view rest = url.substr(kScheme.size());
  size_t at = rest.rfind('@');
  if (at != std::string_view::npos) {
    std::string_view login = rest.substr(0, at);
    size_t colon = login.find(':');
    TRY(to.user, percent_decoded(login.substr(0, colon)));
    if (colon != std::string_view::npos) {
      TRY(to.password, percent_decoded(login.substr(colon + 1)));
    }
    rest.remove_prefix(at + 1);
  }
  if (rest.ends_with('/')) rest.remove_suffix(1);
  if (rest.find_first_of("/?#") != std::string_view::npos)
    return fail(Errc::kInvalidArgument, "a Cassandra URL ends with its hosts",
                "the keyspace is the first part of the table's name; settings stand in `options`");
  for (size_t begin = 0; begin <= rest.size();) {
    size_t comma = std::min(rest.find(',', begin), rest.size());
    TRY(Endpoint endpoint, parse_endpoint(rest.substr(begin, comma - begin)));
    to.contact_points.push_back(std::move(endpoint));
    begin = comma + 1;
  }
  return {};
}

std::string option_names() {
  std::string names;
  for (const Option& option : kOptions) names += fmt::format("{}{}", names.empty() ? "" : ", ", option.info.name);
  return names;
}

}  // namespace

std::string to_text(const Endpoint& endpoint) {
  bool v6 = endpoint.host.find(':') != std::string::npos;
  return fmt::format(fmt::runtime(v6 ? "[{}]:{}" : "{}:{}"), endpoint.host, endpoint.port);
}

Result<Settings> read_settings(std::string_view url, const std::map<std::string, std::string>& options) {
  Settings settings;
  TRY_DO(read_url(url, settings));
  for (const auto& [name, value] : options) {
    const Option* found = nullptr;
    for (const Option& option : kOptions) found = option.info.name == name ? &option : found;
    if (found == nullptr)
      return fail(Errc::kInvalidArgument, fmt::format("Cassandra has no option `{}`", name), "options are " + option_names());
    Status set = found->set(settings, value);
    if (!set) return fail(at(fmt::format("Cassandra option {}", name), std::move(set.error())));
  }
  if (!settings.tls && !settings.tls_ca.empty())
    return fail(Errc::kInvalidArgument, "Cassandra option tls_ca is given, and tls is off", "set tls: on");
  if (settings.user.empty() && !settings.password.empty())
    return fail(Errc::kInvalidArgument, "a password for Cassandra is given, and no user", "set the option user");
  return settings;
}

std::vector<OptionInfo> option_list() {
  std::vector<OptionInfo> list;
  for (const Option& option : kOptions) list.push_back(option.info);
  return list;
}

}  // namespace millrace::connect::cassandra
