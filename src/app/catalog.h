#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "app/data_dir.h"
#include "model/schema.h"
#include "port/relation.h"

namespace millrace::app {

/// What SQL can name: the topics, tables and dead letters of a data directory.
class DataCatalog : public port::Catalog {
 public:
  /// The schema of a topic's records; nullopt while it has none.
  using TopicSchema = std::function<std::optional<model::Schema>(const std::string& topic)>;

  DataCatalog(DataDir& data, TopicSchema schema_of) : data_(data), schema_of_(std::move(schema_of)) {}
  std::unique_ptr<port::CatalogSnapshot> snapshot() override;

 private:
  DataDir& data_;
  TopicSchema schema_of_;
};

}  // namespace millrace::app
