#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <thread>

#include "base/mutex.h"
#include "env/env.h"
#include "port/feed.h"
#include "port/topic_store.h"
#include "store/store.h"

namespace millrace::app {

/// What a source has done since the server started.
struct IngestCounts {
  uint64_t polls = 0;
  uint64_t failed_polls = 0;
  uint64_t records = 0;  // appended, durable
  uint64_t refused = 0;  // the API gave them, the topic did not take them (disk full)
  std::string last_error;
};

/// One source of a pipeline: asks its feed for records and appends them to a topic, durably, before it asks again. Where the feed
/// has a position, it is kept once the records are durable: after a crash between the two they come again.
/// Threading: every method from any thread; polls of one source do not overlap.
class Ingest {
 public:
  struct Parts {
    std::unique_ptr<port::Feed> feed;
    std::unique_ptr<port::TopicWriter> writer;
    store::Store& store;
    /// An error while nothing new may come in; the source waits then.
    std::function<Status()> check_room;
  };
  /// Errors: of the position that was kept.
  static Result<std::unique_ptr<Ingest>> create(std::string source, std::string topic, Parts parts, env::Env env);
  ~Ingest();

  const std::string& name() const { return name_; }
  const std::string& topic() const { return topic_; }
  /// Polls in a thread of its own until stop().
  void start();
  void stop();
  /// Polls for `length` (once when it is zero), in the caller's thread; time in which nothing may come in does not count.
  /// Errors: the last poll's, when no poll succeeded.
  Status poll_for(Duration length, std::stop_token stop);
  IngestCounts counts() const;

 private:
  Ingest(std::string name, std::string topic, Parts parts, env::Env env)
      : name_(std::move(name)), topic_(std::move(topic)), env_(env), parts_(std::move(parts)) {}
  /// Returns how long it took; kCancelled.
  Result<Duration> wait_for_room(std::stop_token stop);
  /// One round; returns when to poll again.
  Result<Duration> poll_once(std::stop_token stop);
  Status take(const port::Feed::Polled& polled) REQUIRES(polling_);
  Status take_patiently(const port::Feed::Polled& polled, std::stop_token stop) REQUIRES(polling_);

  const std::string name_;
  const std::string topic_;
  const env::Env env_;
  const Parts parts_;
  Mutex polling_;  // one poll at a time
  std::string position_ GUARDED_BY(polling_);
  mutable Mutex mutex_;
  IngestCounts counts_ GUARDED_BY(mutex_);
  uint64_t failed_in_a_row_ GUARDED_BY(mutex_) = 0;
  std::jthread thread_;
};

}  // namespace millrace::app
