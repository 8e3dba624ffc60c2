#pragma once

#include <cstdint>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "base/result.h"
#include "connect/registry/options.h"
#include "format/json_doc.h"

namespace millrace::connect::registry {

struct Reference {
  std::string subject;
  int64_t version = 0;
  friend auto operator<=>(const Reference&, const Reference&) = default;
};

/// A schema as the registry tells it.
struct Registered {
  int32_t id = 0;
  std::string type = "AVRO";  // or JSON, PROTOBUF
  std::string text;
  std::vector<Reference> references;
};

inline constexpr size_t kAnswerBytesMax = 4 << 20;

/// The calls of Confluent's registry API that are needed here, each tried up to three times.
///
/// Errors: kUnavailable (no answer, an answer of 408, 429 or 5xx, or one that is not what a registry says), kPermissionDenied
/// (401, 403), kNotFound, kResourceExhausted (an answer above kAnswerBytesMax), kFailedPrecondition (409: not compatible; 422:
/// not accepted), kCancelled. Messages have the registry's words and the subject. Threading: any thread.
class Api {
 public:
  explicit Api(RegistrySettings settings) : settings_(std::move(settings)) {}

  const RegistrySettings& settings() const { return settings_; }
  Result<Registered> by_id(int32_t id);
  Result<Registered> version(const Reference& reference);
  Result<Registered> latest(const std::string& subject);
  /// The id of a schema that is there under the subject, or of one that is now.
  Result<int32_t> look_up(const std::string& subject, std::string_view type, std::string_view schema);
  Result<int32_t> register_schema(const std::string& subject, std::string_view type, std::string_view schema);

  /// Ends the call that waits, and every later one, with kCancelled.
  void interrupt() EXCLUDES(mutex_);

 private:
  struct Call {
    std::string method;
    std::string path;
    std::string body;
    std::string what;  // `subject users-value`, for messages
  };
  Result<format::Json> call(const Call& call);
  Result<format::Json> try_once(const Call& call);
  bool pause(Duration wait) EXCLUDES(mutex_);

  const RegistrySettings settings_;
  std::stop_source stop_;
  Mutex mutex_;
  CondVar stopped_;
};

}  // namespace millrace::connect::registry
