#pragma once

#include <memory>

#include "base/mutex.h"
#include "format/json_columns.h"
#include "port/topic_store.h"

namespace millrace::app {

/// Writes records whose values are JSON objects in the format that the topic is registered with. A value that does not fit the
/// topic's schema goes on as it came: whoever reads the topic finds it not registered, and keeps it as a dead letter.
/// Threading: any thread.
class RegisteredWriter : public port::TopicWriter {
 public:
  static Result<std::unique_ptr<RegisteredWriter>> make(std::unique_ptr<port::TopicWriter> topic,
                                                        std::unique_ptr<port::ValueEncoder> encoder,
                                                        std::shared_ptr<const model::Schema> schema);
  Result<std::vector<port::Appended>> append(const std::vector<model::Record>& records,
                                             std::optional<model::Partition> unkeyed) override;

 private:
  RegisteredWriter(std::unique_ptr<port::TopicWriter> topic, std::unique_ptr<port::ValueEncoder> encoder,
                   std::shared_ptr<const model::Schema> schema, format::JsonDecoder decoder)
      : topic_(std::move(topic)), encoder_(std::move(encoder)), schema_(std::move(schema)), decoder_(std::move(decoder)) {}
  void encode(std::string& value) REQUIRES(mutex_);

  const std::unique_ptr<port::TopicWriter> topic_;
  Mutex mutex_;
  const std::unique_ptr<port::ValueEncoder> encoder_;
  const std::shared_ptr<const model::Schema> schema_;
  format::JsonDecoder decoder_ GUARDED_BY(mutex_);
};

}  // namespace millrace::app
