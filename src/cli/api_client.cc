#include "cli/api_client.h"

#include <fmt/format.h>
#include <signal.h>

#include "app/api.h"
#include "base/log.h"
#include "env/env.h"
#include "net/http/client.h"
#include "serve/http/target.h"

namespace millrace::cli {

using format::Json;

/// Sends one request; a 2xx body goes to `on_bytes`, any other answer is an Error.
class ApiClient::Transport {
 public:
  using OnBytes = std::function<Status(std::string_view)>;
  virtual ~Transport() = default;
  virtual Status send(std::string_view method, std::string_view path, std::string_view body, std::string_view content_type,
                      const OnBytes& on_bytes) = 0;
};

namespace {

Errc errc_of_name(std::string_view name) {
  for (int code = 0; code <= static_cast<int>(Errc::kInternal); ++code) {
    if (errc_name(static_cast<Errc>(code)) == name) return static_cast<Errc>(code);
  }
  return Errc::kInternal;
}

/// The server's `{code, message, hint}` as the Error that it was.
Error error_of_body(int status, std::string_view body) {
  auto json = format::parse_json(body);
  if (!json || json->find("message") == nullptr) return {Errc::kInternal, fmt::format("the server answered {}", status), ""};
  return {errc_of_name(json->string_or("code", "")), json->string_or("message", ""), json->string_or("hint", "")};
}

}  // namespace

class ApiClient::Server : public ApiClient::Transport {
 public:
  Server(std::string url, std::string token) : url_(std::move(url)), token_(std::move(token)) {}

  Status send(std::string_view method, std::string_view path, std::string_view body, std::string_view content_type,
              const OnBytes& on_bytes) override {
    net::http::HttpRequest request;
    request.method = method;
    request.url = url_ + std::string(path);
    request.headers = {{"Authorization", "Bearer " + token_}};
    if (!content_type.empty()) request.headers.emplace_back("Content-Type", std::string(content_type));
    request.body = body;
    request.timeout = Duration(0);
    TRY(auto response, client_.stream(request, on_bytes));
    if (response.status / 100 != 2) return fail(error_of_body(response.status, response.body));
    return {};
  }

 private:
  std::string url_;
  std::string token_;
  net::http::HttpClient client_;
};

class ApiClient::AtRest : public ApiClient::Transport {
 public:
  explicit AtRest(std::unique_ptr<app::Instance> instance) : instance_(std::move(instance)) {}

  Status send(std::string_view method, std::string_view path, std::string_view body, std::string_view content_type,
              const OnBytes& on_bytes) override {
    TRY(auto target, serve::http::parse_target(path));
    app::Request request;
    request.method = method;
    request.path = target.path;
    request.segments = target.segments;
    request.query = target.query;
    request.headers = {{"content-type", std::string(content_type)}};
    request.body = body;
    app::Response response = app::handle(*instance_, request);
    if (response.status / 100 != 2) return fail(error_of_body(response.status, response.body));
    if (!response.stream) return on_bytes(response.body);
    Forward out(on_bytes);
    return response.stream(out);
  }

 private:
  class Forward : public serve::http::BodyWriter {
   public:
    explicit Forward(const OnBytes& on_bytes) : on_bytes_(on_bytes) {}
    Status write(std::string_view bytes) override { return on_bytes_(bytes); }
    bool closed() const override { return false; }
    bool stopping() const override { return false; }

   private:
    const OnBytes& on_bytes_;
  };
  std::unique_ptr<app::Instance> instance_;
};

ApiClient::ApiClient(std::unique_ptr<Transport> transport) : transport_(std::move(transport)) {}
ApiClient::ApiClient(ApiClient&&) noexcept = default;
ApiClient::~ApiClient() = default;

Result<ApiClient> ApiClient::connect(const std::string& data, bool may_be_at_rest) {
  env::Env env = env::real_env();
  if (auto text = env::read_file(env.files, app::server_json_path(data))) {
    TRY(Json info, format::parse_json(*text));
    // A server that was killed leaves its file behind.
    bool runs = ::kill(static_cast<pid_t>(info.int_or("pid", -1)), 0) == 0;
    if (runs) {
      TRY(std::string token, env::read_file(env.files, info.string_or("token_file", "")));
      while (!token.empty() && token.back() == '\n') token.pop_back();
      return ApiClient(std::make_unique<Server>(info.string_or("url", ""), std::move(token)));
    }
  }
  if (!may_be_at_rest)
    return fail(Errc::kUnavailable, fmt::format("no server answers on {}", data),
                "start one with `millrace run FILE`, or name its directory with --data");
  set_log_level(LogLevel::kError);
  app::Instance::Options options;
  options.data = data;
  options.read_only = true;
  auto instance = app::Instance::open(env, std::move(options));
  if (!instance && instance.error().code == Errc::kNotFound) instance.error().code = Errc::kUnavailable;
  if (!instance) return fail(std::move(instance.error()));
  return ApiClient(std::make_unique<AtRest>(std::move(*instance)));
}

Result<Json> ApiClient::request(std::string_view method, std::string_view path, std::string_view body,
                                std::string_view content_type) {
  constexpr format::JsonLimits kLimits{.depth_max = 256, .bytes_max = size_t{1} << 30};
  std::string answer;
  TRY_DO(stream(method, path, body, content_type, [&](std::string_view bytes) -> Status {
    answer += bytes;
    return {};
  }));
  return format::parse_json(answer, kLimits);
}

Result<Json> ApiClient::post(std::string_view path, const Json& body) {
  return request("POST", path, to_json(body), "application/json");
}

Status ApiClient::stream(std::string_view method, std::string_view path, std::string_view body, std::string_view content_type,
                         const std::function<Status(std::string_view)>& on_bytes) {
  return transport_->send(method, path, body, content_type, on_bytes);
}

std::string path_segment(std::string_view text) {
  std::string out;
  for (char c : text) {
    bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
                 c == '~';
    if (plain) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<uint8_t>(c));
    }
  }
  // A segment of dots only is a step in the path, which the server refuses when it is written so.
  if (out == ".") return "%2E";
  if (out == "..") return "%2E%2E";
  return out;
}

}  // namespace millrace::cli
