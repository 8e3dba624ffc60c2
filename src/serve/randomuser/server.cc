#include "serve/randomuser/server.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "serve/randomuser/person.h"
#include "serve/randomuser/users.h"

namespace millrace::serve::randomuser {
namespace {

/// Calls `part` for each name of "a, b,c".
template <class F>
void each_name(std::string_view list, F part) {
  while (!list.empty()) {
    size_t comma = std::min(list.find(','), list.size());
    std::string_view name = list.substr(0, comma);
    while (name.starts_with(' ')) name.remove_prefix(1);
    while (name.ends_with(' ')) name.remove_suffix(1);
    if (!name.empty()) part(name);
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
}

Result<int> number(const http::Request& request, std::string_view name, int most) {
  auto text = request.parameter(name);
  if (!text) return 1;
  int value = 0;
  auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc() || end != text->data() + text->size() || value < 1 || value > most)
    return fail(Errc::kInvalidArgument, fmt::format("'{}' must be a number from 1 to {}", name, most));
  return value;
}

Result<uint16_t> field_set(std::string_view list) {
  uint16_t set = 0;
  Status status;
  each_name(list, [&](std::string_view name) {
    if (auto field = field_by_name(name))
      set = static_cast<uint16_t>(set | *field);
    else
      status = fail(Errc::kInvalidArgument, fmt::format("there is no field '{}'", name));
  });
  TRY_DO(std::move(status));
  return set;
}

Result<UserOptions> read_options(const http::Request& request, Instant now) {
  UserOptions options{.seed = std::string(request.parameter("seed").value_or("")), .now = now};
  if (options.seed.size() > 256) return fail(Errc::kInvalidArgument, "'seed' is longer than 256 bytes");
  TRY(options.results, number(request, "results", kResultsMax));
  TRY(options.page, number(request, "page", 1'000'000'000));
  each_name(request.parameter("nat").value_or(""), [&](std::string_view code) {
    std::string upper(code);
    for (char& c : upper)
      if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
    options.nationalities.push_back(std::move(upper));
  });
  if (auto gender = request.parameter("gender"); gender == "female" || gender == "male") options.female = gender == "female";
  if (auto inc = request.parameter("inc")) {
    TRY(options.fields, field_set(*inc));
  }
  if (auto exc = request.parameter("exc")) {
    TRY(uint16_t left_out, field_set(*exc));
    options.fields = static_cast<uint16_t>(options.fields & ~left_out);
  }
  std::string_view format = request.parameter("format").value_or("json");
  if (format != "json" && format != "pretty" && format != "PrettyJSON")
    return fail(Errc::kInvalidArgument, fmt::format("format '{}' is not offered", format), "use json or pretty");
  options.pretty = format != "json";
  options.info = !request.parameter("noinfo");
  return options;
}

bool hits(double share, uint64_t chance) { return share > 0 && static_cast<double>(chance >> 11) * 0x1.0p-53 < share; }

}  // namespace

http::Response RandomUserApi::handle(const http::Request& request) {
  bool known = request.segments.empty() ||
               (request.segments[0] == "api" &&
                (request.segments.size() == 1 || (request.segments.size() == 2 && request.segments[1].empty())));
  if (!known) return http::error_response(404, "not_found", "there is nothing at " + request.path, "ask for /api/");
  if (request.method != "GET" && request.method != "HEAD") {
    auto refused = http::error_response(405, "invalid_argument", "only GET is answered");
    refused.headers.emplace_back("Allow", "GET, HEAD");
    return refused;
  }
  Dice dice(misbehaviour_.seed + answers_.fetch_add(1) * 0x9e3779b97f4a7c15);
  http::Response response;
  if (hits(misbehaviour_.error_share, dice.next())) {
    bool busy = (dice.next() & 1) != 0;
    response = http::error_response(busy ? 503 : 500, busy ? "unavailable" : "internal", "Uh oh, something has gone wrong.");
    if (busy) response.headers.emplace_back("Retry-After", "1");
    response.delay = misbehaviour_.delay;
    return response;
  }
  auto options = read_options(request, clock_.now());
  if (!options) return http::error_response(options.error());
  if (options->seed.empty()) options->seed = fmt::format("{:016x}", random_.next());
  response.content_type = "application/json; charset=utf-8";
  response.body = random_users_json(*options);
  if (hits(misbehaviour_.malformed_share, dice.next())) {
    if ((dice.next() & 1) != 0)
      response.body.resize(response.body.size() / 2);
    else
      response.body = "<html><body><h1>Bad gateway</h1></body></html>";
  }
  response.delay = misbehaviour_.delay;
  return response;
}

Result<std::unique_ptr<RandomUserServer>> RandomUserServer::start(Options options, env::Clock& clock, env::Random& random) {
  std::unique_ptr<RandomUserServer> made(new RandomUserServer(options.misbehaviour, clock, random));
  http::HttpServer::Options server{.address = options.address, .port = options.port};
  server.guard.allowed_hosts = std::move(options.allowed_hosts);
  TRY(made->server_, http::HttpServer::start(std::move(server),
                                             [api = &made->api_](const http::Request& request) { return api->handle(request); }));
  return made;
}

}  // namespace millrace::serve::randomuser
