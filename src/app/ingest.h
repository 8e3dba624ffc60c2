#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <thread>

#include "base/mutex.h"
#include "connect/http/poller.h"
#include "env/env.h"
#include "log/log.h"
#include "project/project.h"

namespace millrace::app {

/// What a source has done since the server started.
struct IngestCounts {
  uint64_t polls = 0;
  uint64_t failed_polls = 0;
  uint64_t records = 0;  // appended, durable
  uint64_t refused = 0;  // the API gave them, the topic did not take them (disk full)
  std::string last_error;
};

/// One source of a pipeline: polls an API and appends what it answers to a topic, durably, before it polls again.
/// Threading: every method from any thread; polls of one source do not overlap.
class Ingest {
 public:
  /// What a source asks of the server it runs in.
  struct Server {
    /// The address of the bundled people API, for the URL `builtin:randomuser`.
    std::function<Result<std::string>()> builtin_url;
    /// An error while nothing new may come in; the source waits then.
    std::function<Status()> check_room;
  };
  static Result<std::unique_ptr<Ingest>> create(const project::Source& source, std::shared_ptr<log::Topic> topic, env::Env env,
                                                Server server);
  ~Ingest();

  const std::string& name() const { return name_; }
  const std::string& topic() const { return topic_->name(); }
  /// Polls in a thread of its own until stop().
  void start();
  void stop();
  /// Polls for `length` (once when it is zero), in the caller's thread; time in which nothing may come in does not count.
  /// Errors: the last poll's, when no poll succeeded.
  Status poll_for(Duration length, std::stop_token stop);
  IngestCounts counts() const;

 private:
  Ingest(std::string name, std::shared_ptr<log::Topic> topic, env::Env env, std::function<Status()> check_room,
         std::unique_ptr<connect::http::HttpPoller> poller)
      : name_(std::move(name)),
        topic_(std::move(topic)),
        env_(env),
        check_room_(std::move(check_room)),
        poller_(std::move(poller)) {}
  /// Returns how long it took; kCancelled.
  Result<Duration> wait_for_room(std::stop_token stop);
  /// One round; returns when to poll again.
  Result<Duration> poll_once(std::stop_token stop);
  Status append(const std::vector<model::Record>& records) REQUIRES(polling_);

  const std::string name_;
  const std::shared_ptr<log::Topic> topic_;
  const env::Env env_;
  const std::function<Status()> check_room_;
  Mutex polling_;
  std::unique_ptr<connect::http::HttpPoller> poller_ GUARDED_BY(polling_);
  int32_t next_partition_ GUARDED_BY(polling_) = 0;
  mutable Mutex mutex_;
  IngestCounts counts_ GUARDED_BY(mutex_);
  uint64_t failed_in_a_row_ GUARDED_BY(mutex_) = 0;
  std::jthread thread_;
};

}  // namespace millrace::app
