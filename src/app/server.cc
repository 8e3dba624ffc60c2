#include "app/server.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "app/api.h"
#include "base/bytes.h"
#include "env/descriptors.h"
#include "env/fault.h"

namespace millrace::app {
namespace {

/// 256 bits as hexadecimal digits.
std::string make_token(env::Random& random) {
  std::string bytes;
  for (int i = 0; i < 4; ++i) append_le(bytes, random.next());
  return to_hex(bytes);
}

/// Written where nobody else can read it from the first moment on.
Status write_secret(env::FileSystem& files, const std::string& path, std::string_view text) {
  mode_t before = umask(077);
  Status written = env::write_file_atomically(files, path, text);
  umask(before);
  return written;
}

}  // namespace

Result<std::unique_ptr<Server>> Server::start(Instance& instance, const Options& options) {
  std::unique_ptr<Server> server(new Server(instance));
  const std::string& data = instance.data().path();
  std::string token = make_token(instance.env().random);
  std::string token_file = std::filesystem::absolute(token_path(data)).string();
  TRY_DO(write_secret(instance.env().files, token_file, token + "\n"));

  serve::http::HttpServer::Options http;
  http.address = options.address;
  http.port = options.port;
  http.limits.handler_threads = 16;
  http.limits.connections = std::min<size_t>(http.limits.connections, env::descriptor_limit() / 4);
  http.guard.bearer_token = token;
  http.guard.allowed_hosts = options.allowed_hosts;
  http.guard.any_ip_literal = !(options.address == "127.0.0.1" || options.address == "::1");
  http.guard.exempt_paths = {"/livez", "/readyz", "/metrics"};
  TRY(server->http_,
      serve::http::HttpServer::start(std::move(http), [&instance, self = server.get()](const serve::http::Request& request) {
        serve::http::Response response = handle(instance, request);
        serve::http::HttpServer* counting = self->counting_;
        if (request.path == "/metrics" && counting != nullptr) response.body += serve::http::metrics_text(counting->metrics());
        (void)env::fault("serve.before_answer");
        return response;
      }));
  server->counting_ = server->http_.get();
  format::Json json = format::Json::object();
  json.set("pid", static_cast<int64_t>(getpid())).set("url", server->http_->url()).set("token_file", token_file);
  TRY_DO(env::write_file_atomically(instance.env().files, server_json_path(data), to_json(json) + "\n"));
  return server;
}

Server::~Server() { stop(); }

void Server::stop() {
  if (http_ == nullptr) return;
  (void)instance_.env().files.remove(server_json_path(instance_.data().path()));
  // The one request that could keep the server for long.
  instance_.backups().stop();
  http_->stop();
  http_.reset();
}

}  // namespace millrace::app
