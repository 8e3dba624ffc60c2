#include "net/http/client.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <mutex>

namespace millrace::net::http {
namespace {

constexpr size_t kHeaderBytesMax = 256 << 10;

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return out;
}

std::string_view trim(std::string_view text) {
  size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

bool has_line_break(std::string_view text) { return text.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos; }

/// What curl's callbacks fill for the transfer that runs.
struct Transfer {
  CURL* easy = nullptr;
  const HttpRequest* request = nullptr;
  const OnBody* on_body = nullptr;
  HttpResponse response;
  size_t header_bytes = 0;
  std::optional<Error> error;

  bool take_header(std::string_view line) {
    header_bytes += line.size();
    if (header_bytes > kHeaderBytesMax) {
      error = Error{Errc::kResourceExhausted, "the answer's header is too long", {}};
      return false;
    }
    if (line.starts_with("HTTP/")) response.headers.clear();  // of a redirect, or 100 Continue
    if (size_t colon = line.find(':'); colon != std::string_view::npos)
      response.headers.emplace_back(lower(line.substr(0, colon)), trim(line.substr(colon + 1)));
    return true;
  }

  bool take_body(std::string_view piece) {
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    if (on_body != nullptr && status >= 200 && status < 300) {
      auto taken = (*on_body)(piece);
      if (!taken) error = std::move(taken.error());
      return !error;
    }
    if (response.body.size() + piece.size() > request->max_body_bytes) {
      error = Error{Errc::kResourceExhausted, fmt::format("the answer is larger than {} bytes", request->max_body_bytes),
                    "raise the limit, or ask for less"};
      return false;
    }
    response.body += piece;
    return true;
  }
};

size_t on_header_line(char* data, size_t size, size_t count, void* transfer) {
  return static_cast<Transfer*>(transfer)->take_header({data, size * count}) ? size * count : 0;
}
size_t on_body_piece(char* data, size_t size, size_t count, void* transfer) {
  return static_cast<Transfer*>(transfer)->take_body({data, size * count}) ? size * count : 0;
}

Error translate(CURLcode code, const char* words, const Transfer& transfer) {
  const HttpRequest& request = *transfer.request;
  std::string where = fmt::format("{} {}", request.method, redact_url(request.url));
  if (transfer.error) return at(where, *transfer.error);
  switch (code) {
    case CURLE_OPERATION_TIMEDOUT: {
      double connected = 0;
      curl_easy_getinfo(transfer.easy, CURLINFO_CONNECT_TIME, &connected);
      if (connected == 0 && request.connect_timeout > Duration(0))
        return {Errc::kDeadlineExceeded,
                fmt::format("{}: no connection within {}", where, format_duration(request.connect_timeout)),
                {}};
      return {Errc::kDeadlineExceeded, fmt::format("{}: no whole answer within {}", where, format_duration(request.timeout)), {}};
    }
    case CURLE_UNSUPPORTED_PROTOCOL: {
      long redirects = 0;
      curl_easy_getinfo(transfer.easy, CURLINFO_REDIRECT_COUNT, &redirects);
      if (std::string_view(words).find("HTTP/0.9") != std::string_view::npos)
        return {Errc::kUnavailable, where + ": what answers there does not speak HTTP", {}};
      if (redirects > 0) return {Errc::kFailedPrecondition, where + ": redirected to what is neither http nor https", {}};
      return {Errc::kInvalidArgument, where + ": only http and https are spoken", {}};
    }
    case CURLE_URL_MALFORMAT: return {Errc::kInvalidArgument, where + ": this is not a URL", {}};
    case CURLE_TOO_MANY_REDIRECTS:
      return {Errc::kFailedPrecondition, fmt::format("{}: more than {} redirects", where, request.max_redirects), {}};
    case CURLE_FILESIZE_EXCEEDED:
      return {Errc::kResourceExhausted, fmt::format("{}: the answer is larger than {} bytes", where, request.max_body_bytes), {}};
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
      return {Errc::kUnavailable, fmt::format("{}: the TLS certificate was not accepted: {}", where, words),
              "use the name in the certificate, and a CA the system trusts"};
    default: return {Errc::kUnavailable, fmt::format("{}: {}", where, *words != 0 ? words : curl_easy_strerror(code)), {}};
  }
}

/// curl's words can hold the whole URL ("Could not resolve host" does not,
/// others might): only the known ones pass.
std::string safe_words(const char* words, const std::string& url) {
  std::string text(words);
  return text.find(url) == std::string::npos && text.find("://") == std::string::npos ? text : "the request failed";
}

}  // namespace

struct HttpClient::Handles {
  CURLM* multi = nullptr;
  CURL* easy = nullptr;
  char words[CURL_ERROR_SIZE] = {};

  Result<HttpResponse> run(const HttpRequest& request, const OnBody* on_body, std::stop_token stop);
  Status prepare(Transfer& transfer, curl_slist*& headers);
  CURLcode drive(const std::stop_token& stop);
};

HttpClient::HttpClient() : handles_(std::make_unique<Handles>()) {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
  handles_->multi = curl_multi_init();
  handles_->easy = curl_easy_init();
  curl_multi_setopt(handles_->multi, CURLMOPT_MAXCONNECTS, 4L);
}

HttpClient::~HttpClient() {
  curl_easy_cleanup(handles_->easy);
  curl_multi_cleanup(handles_->multi);
}

Status HttpClient::Handles::prepare(Transfer& transfer, curl_slist*& headers) {
  const HttpRequest& request = *transfer.request;
  if (has_line_break(request.url) || has_line_break(request.method) || request.method.empty())
    return fail(Errc::kInvalidArgument, "the url and the method must be one line");
  curl_easy_reset(easy);
  words[0] = 0;
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, words);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_URL, request.url.c_str());
#if LIBCURL_VERSION_NUM >= 0x075500
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
#else
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS, CURLPROTO_HTTP | CURLPROTO_HTTPS);
  curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS, CURLPROTO_HTTP | CURLPROTO_HTTPS);
#endif
  if (!request.ca_pem.empty()) {
    curl_blob ca{const_cast<char*>(request.ca_pem.data()), request.ca_pem.size(), CURL_BLOB_NOCOPY};
    curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &ca);
    curl_easy_setopt(easy, CURLOPT_CAPATH, nullptr);
  }
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, request.max_redirects > 0 ? 1L : 0L);
  curl_easy_setopt(easy, CURLOPT_MAXREDIRS, static_cast<long>(request.max_redirects));
  curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
  // curl turns a GET redirect target's method by itself; a custom method would
  // stick to it, so only unusual ones are custom.
  if (request.method == "HEAD") {
    curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  } else if (request.method == "POST" || !request.body.empty()) {
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request.body.data());
    if (request.method != "POST") curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  } else if (request.method != "GET") {
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }
  auto millis = [](Duration d) { return static_cast<long>(std::chrono::ceil<std::chrono::milliseconds>(d).count()); };
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, millis(request.timeout));
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, millis(request.connect_timeout));
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header_line);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, &transfer);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body_piece);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &transfer);
  for (const auto& [name, value] : request.headers) {
    if (name.empty() || has_line_break(name) || has_line_break(value))
      return fail(Errc::kInvalidArgument,
                  fmt::format("the header '{}' is empty or has a line break", has_line_break(name) ? "" : name));
    // "Name;" is curl's way to send a header without a value.
    headers = curl_slist_append(headers, (value.empty() ? name + ";" : name + ": " + value).c_str());
  }
  if (!request.body.empty()) headers = curl_slist_append(headers, "Expect:");
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
  return {};
}

CURLcode HttpClient::Handles::drive(const std::stop_token& stop) {
  std::stop_callback wake(stop, [this] { curl_multi_wakeup(multi); });
  curl_multi_add_handle(multi, easy);
  CURLcode code = CURLE_ABORTED_BY_CALLBACK;
  int running = 1;
  while (!stop.stop_requested()) {
    if (curl_multi_perform(multi, &running) != CURLM_OK) break;
    if (running == 0) {
      int left = 0;
      while (CURLMsg* message = curl_multi_info_read(multi, &left))
        if (message->msg == CURLMSG_DONE) code = message->data.result;
      break;
    }
    if (curl_multi_poll(multi, nullptr, 0, 60'000, nullptr) != CURLM_OK) break;
  }
  curl_multi_remove_handle(multi, easy);
  return code;
}

Result<HttpResponse> HttpClient::Handles::run(const HttpRequest& request, const OnBody* on_body, std::stop_token stop) {
  Transfer transfer{.easy = easy, .request = &request, .on_body = on_body};
  curl_slist* headers = nullptr;
  auto prepared = prepare(transfer, headers);
  CURLcode code = prepared ? drive(stop) : CURLE_OK;
  curl_slist_free_all(headers);
  TRY_DO(std::move(prepared));
  if (stop.stop_requested() && code != CURLE_OK)
    return fail(Errc::kCancelled, fmt::format("{} {}: stopped", request.method, redact_url(request.url)));
  if (code != CURLE_OK) return fail(translate(code, safe_words(words, request.url).c_str(), transfer));
  long status = 0;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  transfer.response.status = static_cast<int>(status);
  return std::move(transfer.response);
}

Result<HttpResponse> HttpClient::get(const std::string& url, std::stop_token stop) {
  return handles_->run(HttpRequest{.url = url}, nullptr, std::move(stop));
}
Result<HttpResponse> HttpClient::request(const HttpRequest& request, std::stop_token stop) {
  return handles_->run(request, nullptr, std::move(stop));
}
Result<HttpResponse> HttpClient::stream(const HttpRequest& request, const OnBody& on_body, std::stop_token stop) {
  return handles_->run(request, &on_body, std::move(stop));
}

std::optional<std::string_view> HttpResponse::header(std::string_view name) const {
  for (const auto& [key, value] : headers)
    if (key == name) return value;
  return std::nullopt;
}

std::string redact_url(std::string_view url) {
  url = url.substr(0, url.find_first_of("?#"));
  size_t scheme = url.find("://");
  size_t host = scheme == std::string_view::npos ? 0 : scheme + 3;
  size_t path = std::min(url.find('/', host), url.size());
  size_t at = url.substr(host, path - host).rfind('@');
  size_t host_start = at == std::string_view::npos ? host : host + at + 1;
  return std::string(url.substr(0, host)) + std::string(url.substr(host_start));
}

}  // namespace millrace::net::http
