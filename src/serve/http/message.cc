#include "serve/http/message.h"

#include "format/json_doc.h"

namespace millrace::serve::http {
namespace {

std::optional<std::string_view> first(const Pairs& pairs, std::string_view name) {
  for (const auto& [key, value] : pairs)
    if (key == name) return value;
  return std::nullopt;
}

}  // namespace

std::optional<std::string_view> Request::parameter(std::string_view name) const { return first(query, name); }
std::optional<std::string_view> Request::header(std::string_view name) const { return first(headers, name); }

Response error_response(int status, std::string_view code, std::string_view message, std::string_view hint) {
  Response response;
  response.status = status;
  format::Json body = format::Json::object();
  body.set("code", code).set("message", message).set("hint", hint);
  response.body = to_json(body) + "\n";
  return response;
}

int http_status(Errc code) {
  switch (code) {
    case Errc::kInvalidArgument: return 400;
    case Errc::kNotFound: return 404;
    case Errc::kAlreadyExists: return 409;
    case Errc::kFailedPrecondition: return 409;
    case Errc::kOutOfRange: return 416;
    case Errc::kPermissionDenied: return 403;
    case Errc::kResourceExhausted: return 429;
    case Errc::kDiskFull: return 507;
    case Errc::kDeadlineExceeded: return 504;
    case Errc::kCancelled: return 503;
    case Errc::kUnavailable: return 503;
    case Errc::kUnimplemented: return 501;
    case Errc::kCorruption: return 500;
    case Errc::kIo: return 500;
    case Errc::kFenced: return 409;
    case Errc::kDataLoss: return 500;
    case Errc::kInternal: return 500;
  }
  return 500;
}

Response error_response(const Error& error) {
  return error_response(http_status(error.code), errc_name(error.code), error.message, error.hint);
}

}  // namespace millrace::serve::http
