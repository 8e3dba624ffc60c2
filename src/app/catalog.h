#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/data_dir.h"
#include "app/parts.h"
#include "model/schema.h"
#include "port/relation.h"

namespace millrace::app {

/// What SQL can name: the topics, tables and dead letters of a data directory, and what its pipeline keeps in other systems.
class DataCatalog : public port::Catalog {
 public:
  struct Hooks {
    /// The schema of a topic's records; nullopt while it has none.
    std::function<std::optional<model::Schema>(const std::string& topic)> schema_of;
    /// What is elsewhere: null for another name. These come first: the pipeline says where its things are.
    std::function<std::unique_ptr<port::Relation>(const std::string& name)> elsewhere;
    std::function<std::vector<std::string>()> names_elsewhere;
  };

  DataCatalog(DataDir& data, Hooks hooks) : data_(data), hooks_(std::move(hooks)) {}
  std::unique_ptr<port::CatalogSnapshot> snapshot() override;

 private:
  DataDir& data_;
  const Hooks hooks_;
};

/// A topic of another log in FROM. `values` makes the decoder of its values; empty: JSON.
using MakeValues = std::function<Result<std::unique_ptr<port::ValueDecoder>>(std::shared_ptr<const model::Schema> columns)>;
std::unique_ptr<port::Relation> topic_relation(std::shared_ptr<Parts> parts, const std::string& topic,
                                               const std::optional<model::Schema>& schema, MakeValues values);
/// The relation, or one whose scan fails with the error.
std::unique_ptr<port::Relation> relation_or_error(Result<std::unique_ptr<port::Relation>> relation);

}  // namespace millrace::app
