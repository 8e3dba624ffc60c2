#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "base/result.h"
#include "connect/kafka/options.h"

struct rd_kafka_s;
struct rd_kafka_conf_s;

namespace millrace::connect::kafka {

/// What an error number of librdkafka (rd_kafka_resp_err_t) is to Millrace.
Errc errc_of(int error);

/// One connection pool of librdkafka with its configuration. Threading: any thread. Lifetime: the address stays.
class Client {
 public:
  enum class Kind { kConsumer, kProducer };
  using Settings = std::vector<std::pair<std::string, std::string>>;
  struct Setup {
    Kind kind = Kind::kProducer;
    Settings defaults;  // the user's options come after these
    Settings fixed;     // and these after the user's
    /// For callbacks; their opaque is the Client.
    std::function<void(rd_kafka_conf_s*)> callbacks;
    void* owner = nullptr;
  };
  /// Errors: kInvalidArgument for options that do not go together. Connects in the background.
  static Result<std::unique_ptr<Client>> make(const KafkaOptions& options, Setup setup);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  rd_kafka_s* get() const { return handle_; }
  void* owner() const { return owner_; }
  /// "kafka 127.0.0.1:9092: what: text", with what the library said of the connection where `error` is a time-out.
  Error error(int error, std::string_view what, std::string_view text = {}) const;
  /// The library has said since the last call that no broker is reachable.
  bool take_trouble() { return trouble_.exchange(false); }
  void note_trouble(int error, std::string_view reason);

 private:
  Client(std::string servers, void* owner) : servers_(std::move(servers)), owner_(owner) {}

  const std::string servers_;
  void* const owner_;
  rd_kafka_s* handle_ = nullptr;
  std::atomic<bool> trouble_ = false;
  mutable Mutex mutex_;
  int last_error_ GUARDED_BY(mutex_) = 0;
  std::string last_reason_ GUARDED_BY(mutex_);
};

}  // namespace millrace::connect::kafka
