#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"

namespace millrace::connect::registry {

/// Which subject a topic's schema stands under, by Confluent's names.
enum class SubjectNames {
  kTopic,        // users-value
  kRecord,       // millrace.users
  kTopicRecord,  // users-millrace.users
};

/// How the registry is asked, read from its URL and options.
struct RegistrySettings {
  std::string url;            // without user info and the slash at its end
  std::string authorization;  // the header's value; empty: none is sent
  std::string ca_pem;
  bool register_schemas = true;
  bool use_latest = false;
  bool normalize = false;
  SubjectNames of_keys = SubjectNames::kTopic;
  SubjectNames of_values = SubjectNames::kTopic;
  Duration timeout = std::chrono::seconds(5);             // of one request
  Duration retry_pause = std::chrono::milliseconds(200);  // before the second try; the third waits twice as long
};

/// Options, as Confluent's clients name them (texts; anything else is refused with the nearest name):
///   basic.auth.user.info         user:password; also `http://user:password@host` (then percent-encoded), not both
///   auto.register.schemas        true (default), false: an unknown schema is an error
///   use.latest.version           false (default), true: write by the subject's latest schema, register nothing
///   normalize.schemas            false (default), true
///   key.subject.name.strategy    TopicNameStrategy (default), RecordNameStrategy, TopicRecordNameStrategy; also with
///   value.subject.name.strategy  `io.confluent.kafka.serializers.subject.` before it
///   ssl.ca.pem                   the CAs to trust, PEM; without it those of the system
///   request.timeout.ms           of one request, 1 to 60000; 5000
/// Errors: kInvalidArgument names the option, never a secret.
Result<RegistrySettings> read_options(const std::string& url, const std::map<std::string, std::string>& options);
/// The same for who only wants to know. No I/O.
Status check_options(const std::string& url, const std::map<std::string, std::string>& options);

/// The subject of a topic's values or keys; `record` is the full name of the schema's record.
std::string subject_name(const RegistrySettings& settings, std::string_view topic, bool of_key, std::string_view record);

}  // namespace millrace::connect::registry
