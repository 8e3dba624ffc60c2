#include "connect/webhook/store.h"

#include <fmt/format.h>

#include <charconv>

#include "base/bytes.h"
#include "base/size.h"

namespace millrace::connect::webhook {
namespace {

using Options = std::map<std::string, std::string>;

constexpr std::string_view kHeaderPrefix = "header.";
constexpr std::string_view kNameInUrl = "{name}";
constexpr const char* kKnown =
    "known: format, method, rows_max, bytes_max, timeout, header.<Name>, auth.bearer, auth.basic.user, "
    "auth.basic.password";

bool has_line_break(std::string_view text) { return text.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos; }

Result<size_t> read_rows(const std::string& value) {
  size_t rows = 0;
  auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), rows);
  if (error != std::errc() || end != value.data() + value.size() || rows == 0 || rows > kRowsMaxMax)
    return fail(Errc::kInvalidArgument, fmt::format("rows_max: '{}' is not a number from 1 to {}", value, kRowsMaxMax));
  return rows;
}

Result<size_t> read_bytes(const std::string& value) {
  auto bytes = parse_size(value);
  if (!bytes) return fail(at("bytes_max", std::move(bytes.error())));
  if (*bytes == 0 || *bytes > kBytesMaxMax)
    return fail(Errc::kInvalidArgument, fmt::format("bytes_max: '{}' is not from 1 byte to 64MiB", value));
  return static_cast<size_t>(*bytes);
}

template <class T>
Result<T> one_of(const char* option, const std::string& value, std::initializer_list<std::pair<std::string_view, T>> known) {
  std::string names;
  for (const auto& [name, meaning] : known) {
    if (name == value) return meaning;
    names += (names.empty() ? "" : ", ") + std::string(name);
  }
  return fail(Errc::kInvalidArgument, fmt::format("{}: '{}' is not one of {}", option, value, names));
}

Status read_header(WebhookSpec& spec, const std::string& name, const std::string& value) {
  static constexpr std::string_view kOurs[] = {"content-type", "content-length", "idempotency-key", "transfer-encoding", "host"};
  std::string lower = name;
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  // RFC 9110, 5.6.2: a token.
  bool token = !name.empty();
  for (char c : name)
    token = token &&
            (isalnum(static_cast<unsigned char>(c)) != 0 || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string::npos);
  if (!token || has_line_break(value))
    return fail(Errc::kInvalidArgument,
                fmt::format("{}{}: not a header, or its value has a line break", kHeaderPrefix, token ? name : ""));
  for (std::string_view ours : kOurs)
    if (lower == ours) return fail(Errc::kInvalidArgument, fmt::format("{}{} is set by millrace", kHeaderPrefix, name));
  spec.headers.emplace_back(name, value);
  return {};
}

Status read_option(WebhookSpec& spec, const std::string& name, const std::string& value) {
  if (name == "format") {
    TRY(spec.lines, one_of<bool>("format", value, {{"json", false}, {"ndjson", true}}));
  } else if (name == "method") {
    TRY(spec.method, one_of<std::string>("method", value, {{"POST", "POST"}, {"PUT", "PUT"}}));
  } else if (name == "rows_max") {
    TRY(spec.rows_max, read_rows(value));
  } else if (name == "bytes_max") {
    TRY(spec.bytes_max, read_bytes(value));
  } else if (name == "timeout") {
    auto timeout = parse_duration(value);
    if (!timeout || *timeout == Duration(0)) return fail(Errc::kInvalidArgument, fmt::format("timeout: '{}' is no time", value));
    spec.timeout = *timeout;
  } else if (name.starts_with(kHeaderPrefix)) {
    return read_header(spec, name.substr(kHeaderPrefix.size()), value);
  } else if (name != "auth.bearer" && name != "auth.basic.user" && name != "auth.basic.password") {
    return fail(Errc::kInvalidArgument, fmt::format("there is no option '{}' for a webhook", name), kKnown);
  }
  return {};
}

Status read_auth(WebhookSpec& spec, const Options& options) {
  auto value = [&](const char* name) {
    auto found = options.find(name);
    return found == options.end() ? std::nullopt : std::optional(found->second);
  };
  auto bearer = value("auth.bearer"), user = value("auth.basic.user"), password = value("auth.basic.password");
  if (user.has_value() != password.has_value())
    return fail(Errc::kInvalidArgument, "auth.basic.user and auth.basic.password go together");
  if (bearer && user) return fail(Errc::kInvalidArgument, "auth.bearer and auth.basic exclude each other");
  for (const auto& secret : {bearer, user, password})
    if (secret && has_line_break(*secret))
      return fail(Errc::kInvalidArgument, "a value of auth has a line break", "trim the secret's file");
  if (bearer) spec.headers.emplace_back("Authorization", "Bearer " + *bearer);
  if (user) spec.headers.emplace_back("Authorization", "Basic " + to_base64(*user + ":" + *password));
  return {};
}

Result<WebhookSpec> read_options(const std::string& url, const Options& options) {
  if (!url.starts_with("http://") && !url.starts_with("https://"))
    return fail(Errc::kInvalidArgument, fmt::format("'{}' is not an http or https URL", net::http::redact_url(url)));
  WebhookSpec spec{.url = url};
  for (const auto& [name, value] : options) TRY_DO(read_option(spec, name, value));
  TRY_DO(read_auth(spec, options));
  return spec;
}

/// RFC 3986, 2.3: everything but the unreserved characters is escaped.
std::string escaped(std::string_view text) {
  std::string out;
  for (char c : text) {
    bool plain = isalnum(static_cast<unsigned char>(c)) != 0 || std::string_view("-._~").find(c) != std::string_view::npos;
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<uint8_t>(c));
  }
  return out;
}

}  // namespace

Status check_options(const std::string& url, const Options& options) {
  TRY_DO(read_options(url, options));
  return {};
}

Result<std::unique_ptr<WebhookStore>> WebhookStore::open(WebhookOptions options, store::Store& store, const env::Env& env) {
  TRY(WebhookSpec spec, read_options(options.url, options.options));
  spec.pipeline = std::move(options.pipeline);
  return std::unique_ptr<WebhookStore>(new WebhookStore(std::move(spec), store, env));
}

Result<std::unique_ptr<port::Sink>> WebhookStore::sink(const std::string& name, const std::string& query,
                                                       std::shared_ptr<const model::Schema>) {
  WebhookSpec spec = spec_;
  spec.query = query;
  for (size_t at = spec.url.find(kNameInUrl); at != std::string::npos; at = spec.url.find(kNameInUrl))
    spec.url.replace(at, kNameInUrl.size(), escaped(name));
  TRY(auto sink, WebhookSink::open(std::move(spec), store_, env_));
  return std::unique_ptr<port::Sink>(std::move(sink));
}

}  // namespace millrace::connect::webhook
