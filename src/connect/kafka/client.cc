#include "connect/kafka/client.h"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>

#include <algorithm>

#include "base/check.h"
#include "base/log.h"
#include "base/printable.h"

namespace millrace::connect::kafka {

namespace {

void on_log(const rd_kafka_t*, int level, const char* facility, const char* text) {
  // Its warnings (4) are retries that pass; what does not pass comes back as an error of a call.
  LogLevel to = level <= 3 ? LogLevel::kWarn : level <= 5 ? LogLevel::kInfo : LogLevel::kDebug;
  log_line(to, "kafka", printable(fmt::format("{} facility={}", text, facility)));
}

void on_error(rd_kafka_t*, int error, const char* reason, void* opaque) {
  static_cast<Client*>(opaque)->note_trouble(error, reason);
}

bool is_for(const OptionDoc& option, Client::Kind kind) {
  return option.of == OptionDoc::Of::kBoth || (option.of == OptionDoc::Of::kConsumer) == (kind == Client::Kind::kConsumer);
}

bool is_login(int error) {
  return error == RD_KAFKA_RESP_ERR__AUTHENTICATION || error == RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED ||
         error == RD_KAFKA_RESP_ERR__SSL;
}

Status set(rd_kafka_conf_t* conf, const std::string& name, const std::string& value) {
  char text[512];
  if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), text, sizeof text) == RD_KAFKA_CONF_OK) return {};
  return fail(Errc::kInvalidArgument, fmt::format("kafka option {} has a wrong value", name));
}

}  // namespace

Errc errc_of(int error) {
  switch (error) {
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_ID: return Errc::kNotFound;
    case RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS: return Errc::kAlreadyExists;
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET: return Errc::kOutOfRange;
    case RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION:
    case RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID:
    case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
    case RD_KAFKA_RESP_ERR_FENCED_MEMBER_EPOCH:
    case RD_KAFKA_RESP_ERR_STALE_MEMBER_EPOCH:
    case RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH:
    case RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING:
    case RD_KAFKA_RESP_ERR_PRODUCER_FENCED:
    case RD_KAFKA_RESP_ERR_TRANSACTION_COORDINATOR_FENCED:
    case RD_KAFKA_RESP_ERR__FENCED:
    case RD_KAFKA_RESP_ERR__ASSIGNMENT_LOST: return Errc::kFenced;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM:
    case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
    case RD_KAFKA_RESP_ERR__AUTHENTICATION: return Errc::kPermissionDenied;
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
    case RD_KAFKA_RESP_ERR_INVALID_PARTITIONS:
    case RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR:
    case RD_KAFKA_RESP_ERR_INVALID_CONFIG:
    case RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT:
    case RD_KAFKA_RESP_ERR_INVALID_GROUP_ID:
    case RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT:
    case RD_KAFKA_RESP_ERR__INVALID_ARG:
    case RD_KAFKA_RESP_ERR__BAD_COMPRESSION: return Errc::kInvalidArgument;
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_INVALID_RECORD: return Errc::kFailedPrecondition;
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION:
    case RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE: return Errc::kUnimplemented;
    case RD_KAFKA_RESP_ERR__BAD_MSG:
    case RD_KAFKA_RESP_ERR_INVALID_MSG: return Errc::kCorruption;
    default: return Errc::kUnavailable;
  }
}

Result<std::unique_ptr<Client>> Client::make(const KafkaOptions& options, Setup setup) {
  TRY(std::string servers, bootstrap_servers(options.url));
  std::unique_ptr<rd_kafka_conf_t, decltype(&rd_kafka_conf_destroy)> conf(rd_kafka_conf_new(), rd_kafka_conf_destroy);
  TRY_DO(set(conf.get(), "bootstrap.servers", servers));
  TRY_DO(set(conf.get(), "client.id", "millrace." + options.pipeline));
  TRY_DO(set(conf.get(), "log.connection.close", "false"));
  TRY_DO(set(conf.get(), "reconnect.backoff.max.ms", "2000"));
  TRY_DO(set(conf.get(), "topic.metadata.propagation.max.ms", "5000"));
  for (const auto& [name, value] : setup.defaults) TRY_DO(set(conf.get(), name, value));
  for (const OptionDoc& option : known_options()) {
    auto given = options.options.find(std::string(option.name));
    if (given != options.options.end() && is_for(option, setup.kind)) TRY_DO(set(conf.get(), given->first, given->second));
  }
  for (const auto& [name, value] : setup.fixed) TRY_DO(set(conf.get(), name, value));

  std::unique_ptr<Client> client(new Client(servers, setup.owner));
  rd_kafka_conf_set_log_cb(conf.get(), on_log);
  rd_kafka_conf_set_error_cb(conf.get(), on_error);
  rd_kafka_conf_set_opaque(conf.get(), client.get());
  if (setup.callbacks) setup.callbacks(conf.get());
  char text[512];
  client->handle_ =
      rd_kafka_new(setup.kind == Kind::kConsumer ? RD_KAFKA_CONSUMER : RD_KAFKA_PRODUCER, conf.get(), text, sizeof text);
  if (client->handle_ == nullptr) return fail(Errc::kInvalidArgument, fmt::format("kafka {}: {}", servers, printable(text)));
  conf.release();  // the handle owns it now
  return client;
}

Client::~Client() {
  if (handle_ != nullptr) rd_kafka_destroy_flags(handle_, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
}

void Client::note_trouble(int error, std::string_view reason) {
  {
    MutexLock lock(mutex_);
    // What a login failed with says more than that there is no connection.
    if (error != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || last_reason_.empty()) {
      last_error_ = error;
      last_reason_ = reason;
    }
  }
  trouble_ = true;
}

Error Client::error(int error, std::string_view what, std::string_view text) const {
  std::string message =
      printable(fmt::format("kafka {}: {}: {}", servers_, what,
                            text.empty() ? std::string_view(rd_kafka_err2str(static_cast<rd_kafka_resp_err_t>(error))) : text));
  Errc code = errc_of(error);
  MutexLock lock(mutex_);
  if (code == Errc::kUnavailable && !last_reason_.empty()) {
    message += fmt::format(" ({})", printable(last_reason_));
    if (is_login(last_error_)) code = Errc::kPermissionDenied;
  }
  return {code, std::move(message), {}};
}

}  // namespace millrace::connect::kafka
