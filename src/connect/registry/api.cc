#include "connect/registry/api.h"

#include <fmt/format.h>

#include "base/bytes.h"
#include "net/http/client.h"

namespace millrace::connect::registry {
namespace {

using format::Json;

constexpr int kTries = 3;
constexpr size_t kShownMax = 1000;
constexpr int64_t kNotFoundCodes = 40400;  // 40401 subject, 40402 version, 40403 schema
constexpr std::string_view kUrlHint = "check the registry's URL: Apicurio's ends in /apis/ccompat/v7";
constexpr std::string_view kContentType = "application/vnd.schemaregistry.v1+json";

std::string path_part(std::string_view text) {
  std::string out;
  for (char c : text) {
    bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
    plain ? out += c : out += fmt::format("%{:02X}", static_cast<uint8_t>(c));
  }
  return out;
}

/// What the registry says of its own error: `{"error_code": 40403, "message": "…"}`.
struct Words {
  std::string message;
  int64_t code = 0;
};

Words words_of(const net::http::HttpResponse& answer) {
  Words words;
  if (auto json = format::parse_json(answer.body)) words = {json->string_or("message", ""), json->int_or("error_code", 0)};
  if (words.message.size() > kShownMax) words.message.resize(kShownMax);
  while (!is_utf8(words.message)) words.message.pop_back();
  if (words.message.empty()) words.message = fmt::format("status {}", answer.status);
  return words;
}

Error error_of(const net::http::HttpResponse& answer, const std::string& where) {
  Words words = words_of(answer);
  std::string message = fmt::format("{}: {}", where, words.message);
  if (words.code != 0) message += fmt::format(" (error_code {})", words.code);
  switch (answer.status) {
    case 401: return {Errc::kPermissionDenied, message, "give basic.auth.user.info, or user:password in the registry's URL"};
    case 403: return {Errc::kPermissionDenied, message, "give the user the rights for this subject"};
    case 404:
      // Without a code of its own the path is unknown, not the schema.
      if (words.code >= kNotFoundCodes) return {Errc::kNotFound, message, {}};
      return {Errc::kUnavailable, message, std::string(kUrlHint)};
    case 409:
      return {Errc::kFailedPrecondition, message,
              "the subject's compatibility forbids this change: add columns instead of changing their types, or change the "
              "subject's compatibility, or write into another topic"};
    case 408:
    case 429: return {Errc::kUnavailable, message, {}};
    default: break;
  }
  return {answer.status >= 500 ? Errc::kUnavailable : Errc::kFailedPrecondition, message, {}};
}

Result<Registered> registered(const Json& json, const std::string& what) {
  Registered out;
  const Json* text = json.find("schema");
  if (text == nullptr || text->as_string() == nullptr) {
    return fail(Errc::kUnavailable, fmt::format("{}: the answer has no schema, as a registry's would", what),
                std::string(kUrlHint));
  }
  out.text = *text->as_string();
  out.type = json.string_or("schemaType", "AVRO");
  out.id = static_cast<int32_t>(json.int_or("id", 0));
  const Json* references = json.find("references");
  if (references == nullptr || references->as_array() == nullptr) return out;
  for (const Json& one : *references->as_array())
    out.references.push_back({one.string_or("subject", ""), one.int_or("version", 0)});
  return out;
}

Result<int32_t> id_of(const Json& json, const std::string& what) {
  int64_t id = json.int_or("id", -1);
  if (id == static_cast<int32_t>(id) && id >= 0) return static_cast<int32_t>(id);
  return fail(Errc::kUnavailable, fmt::format("{}: the answer has no id, as a registry's would", what), std::string(kUrlHint));
}

std::string body_of(std::string_view type, std::string_view schema) {
  Json body = Json::object().set("schema", schema);
  if (type != "AVRO") body.set("schemaType", type);
  return format::to_json(body);
}

}  // namespace

Result<Registered> Api::by_id(int32_t id) {
  std::string what = fmt::format("schema {}", id);
  TRY(Json json, call({"GET", fmt::format("/schemas/ids/{}", id), {}, what}));
  TRY(Registered out, registered(json, what));
  out.id = id;
  return out;
}

Result<Registered> Api::version(const Reference& reference) {
  std::string what = fmt::format("subject {} version {}", reference.subject, reference.version);
  std::string path = fmt::format("/subjects/{}/versions/{}", path_part(reference.subject), reference.version);
  TRY(Json json, call({"GET", path, {}, what}));
  return registered(json, what);
}

Result<Registered> Api::latest(const std::string& subject) {
  std::string what = fmt::format("subject {}", subject);
  TRY(Json json, call({"GET", fmt::format("/subjects/{}/versions/latest", path_part(subject)), {}, what}));
  TRY(Registered out, registered(json, what));
  TRY(out.id, id_of(json, what));
  return out;
}

Result<int32_t> Api::look_up(const std::string& subject, std::string_view type, std::string_view schema) {
  std::string what = fmt::format("subject {}", subject);
  std::string path = fmt::format("/subjects/{}{}", path_part(subject), settings_.normalize ? "?normalize=true" : "");
  TRY(Json json, call({"POST", path, body_of(type, schema), what}));
  return id_of(json, what);
}

Result<int32_t> Api::register_schema(const std::string& subject, std::string_view type, std::string_view schema) {
  std::string what = fmt::format("subject {}", subject);
  std::string path = fmt::format("/subjects/{}/versions{}", path_part(subject), settings_.normalize ? "?normalize=true" : "");
  TRY(Json json, call({"POST", path, body_of(type, schema), what}));
  return id_of(json, what);
}

void Api::interrupt() {
  stop_.request_stop();
  MutexLock lock(mutex_);
  stopped_.notify_all();
}

bool Api::pause(Duration wait) {
  MutexLock lock(mutex_);
  if (!stop_.stop_requested()) stopped_.wait_for(mutex_, wait);
  return !stop_.stop_requested();
}

Result<Json> Api::call(const Call& call) {
  for (int tried = 1;; ++tried) {
    auto json = try_once(call);
    if (json || json.error().code != Errc::kUnavailable || tried == kTries) return json;
    if (!pause(settings_.retry_pause * tried)) return fail(Errc::kCancelled, call.what + ": stopped");
  }
}

// A client of its own for each call: they are rare, and so no thread waits for another's.
Result<Json> Api::try_once(const Call& call) {
  net::http::HttpRequest request{.method = call.method, .url = settings_.url + call.path};
  request.headers = {{"Accept", std::string(kContentType) + ", application/json"}};
  if (!call.body.empty()) request.headers.emplace_back("Content-Type", kContentType);
  if (!settings_.authorization.empty()) request.headers.emplace_back("Authorization", settings_.authorization);
  request.body = call.body;
  request.timeout = settings_.timeout;
  request.connect_timeout = settings_.timeout;
  request.max_body_bytes = kAnswerBytesMax;
  request.ca_pem = settings_.ca_pem;
  net::http::HttpClient client;
  auto answer = client.request(request, stop_.get_token());
  std::string where = fmt::format("registry {}: {}", settings_.url, call.what);
  if (!answer) {
    Error error = at(call.what, std::move(answer.error()));
    if (error.code == Errc::kDeadlineExceeded) error.code = Errc::kUnavailable;
    return fail(std::move(error));
  }
  if (answer->status < 200 || answer->status > 299) return fail(error_of(*answer, where));
  auto json = format::parse_json(answer->body);
  if (!json || json->as_object() == nullptr) {
    return fail(Errc::kUnavailable, fmt::format("{}: the answer is not a JSON object, as a registry's would be", where),
                std::string(kUrlHint));
  }
  return std::move(*json);
}

}  // namespace millrace::connect::registry
