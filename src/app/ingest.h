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
  /// `builtin_url` is asked for the address of the bundled people API when the source's URL is `builtin:randomuser`.
  static Result<std::unique_ptr<Ingest>> create(const project::Source& source, std::shared_ptr<log::Topic> topic, env::Env env,
                                                const std::function<Result<std::string>()>& builtin_url);
  ~Ingest();

  const std::string& name() const { return name_; }
  const std::string& topic() const { return topic_->name(); }
  /// Polls in a thread of its own until stop().
  void start();
  void stop();
  /// Polls for `length` (once when it is zero), in the caller's thread. Errors: the last poll's, when no poll succeeded.
  Status poll_for(Duration length, std::stop_token stop);
  IngestCounts counts() const;

 private:
  Ingest(std::string name, std::shared_ptr<log::Topic> topic, env::Env env, std::unique_ptr<connect::http::HttpPoller> poller)
      : name_(std::move(name)), topic_(std::move(topic)), env_(env), poller_(std::move(poller)) {}
  /// One round; returns when to poll again.
  Result<Duration> poll_once(std::stop_token stop);
  Status append(const std::vector<model::Record>& records) REQUIRES(polling_);

  const std::string name_;
  const std::shared_ptr<log::Topic> topic_;
  const env::Env env_;
  Mutex polling_;
  std::unique_ptr<connect::http::HttpPoller> poller_ GUARDED_BY(polling_);
  int32_t next_partition_ GUARDED_BY(polling_) = 0;
  mutable Mutex mutex_;
  IngestCounts counts_ GUARDED_BY(mutex_);
  std::jthread thread_;
};

}  // namespace millrace::app
