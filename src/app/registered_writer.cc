#include "app/registered_writer.h"

namespace millrace::app {

Result<std::unique_ptr<RegisteredWriter>> RegisteredWriter::make(std::unique_ptr<port::TopicWriter> topic,
                                                                 std::unique_ptr<port::ValueEncoder> encoder,
                                                                 std::shared_ptr<const model::Schema> schema) {
  TRY(format::JsonDecoder decoder, format::JsonDecoder::make(schema));
  return std::unique_ptr<RegisteredWriter>(
      new RegisteredWriter(std::move(topic), std::move(encoder), std::move(schema), std::move(decoder)));
}

Result<std::vector<port::Appended>> RegisteredWriter::append(const std::vector<model::Record>& records,
                                                             std::optional<model::Partition> unkeyed) {
  std::vector<model::Record> encoded = records;
  {
    MutexLock lock(mutex_);
    for (model::Record& record : encoded) {
      if (record.value) encode(*record.value);
    }
  }
  return topic_->append(encoded, unkeyed);
}

void RegisteredWriter::encode(std::string& value) {
  constexpr size_t kPadding = 64;  // the decoder reads ahead of a value's end
  std::string padded = value + std::string(kPadding, '\0');
  model::BatchBuilder builder(schema_);
  if (!decoder_.append(std::string_view(padded).substr(0, value.size()), builder)) return;
  model::ColumnBatch row = std::move(builder).finish();
  std::string bytes;
  if (encoder_->append(bytes, row, 0)) value = std::move(bytes);
}

}  // namespace millrace::app
