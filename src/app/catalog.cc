#include "app/catalog.h"

#include <map>

#include "connect/embedded/dead_letter_relation.h"
#include "connect/embedded/table_relation.h"
#include "connect/embedded/topic_relation.h"
#include "format/json_columns.h"

namespace millrace::app {
namespace {

namespace embedded = connect::embedded;

constexpr std::string_view kDeadLetters = "dead_letters";

/// Values as JSON objects; a record that does not decode has NULLs.
embedded::ValueColumns json_columns(const std::optional<model::Schema>& schema) {
  if (!schema) return {};
  auto shared = std::make_shared<const model::Schema>(*schema);
  return {shared, [shared](std::span<const size_t> wanted) -> Result<embedded::ValueReader> {
            std::vector<std::vector<std::string>> paths;
            for (size_t column : wanted) paths.push_back({shared->fields[column].name});
            TRY(auto made, format::JsonDecoder::make(shared, format::Needed::of(*shared, paths)));
            auto decoder = std::make_shared<format::JsonDecoder>(std::move(made));
            return embedded::ValueReader([decoder](const model::RecordView& record, model::BatchBuilder& out) {
              return record.value.has_value() && decoder->append(*record.value, out).has_value();
            });
          }};
}

class Snapshot : public port::CatalogSnapshot {
 public:
  Snapshot(DataDir& data, const DataCatalog::TopicSchema& schema_of)
      : data_(data), schema_of_(schema_of), now_(data.env().clock.now()), store_snapshot_(data.store().snapshot()) {}

  port::Relation* find(std::string_view schema_name, std::string_view name) override {
    std::string full = schema_name.empty() ? std::string(name) : std::string(schema_name) + "." + std::string(name);
    auto [at, added] = relations_.try_emplace(full);
    if (added) at->second = make(schema_name, full);
    return at->second.get();
  }

  std::vector<std::string> names() override {
    std::vector<std::string> names;
    for (const auto& topic : data_.log().topics()) names.push_back(topic->name());
    for (const auto& table : data_.tables().list()) names.push_back(table->def.name);
    names.emplace_back(kDeadLetters);
    return names;
  }

 private:
  std::unique_ptr<port::Relation> make(std::string_view schema_name, const std::string& full) {
    if (auto table = data_.tables().find(full))
      return std::make_unique<embedded::TableRelation>(data_.store(), table, *store_snapshot_, now_);
    if (auto topic = find_topic(full))
      return std::make_unique<embedded::TopicRelation>(topic, json_columns(schema_of_(topic->name())));
    if (schema_name.empty() && model::same_name(full, kDeadLetters))
      return std::make_unique<embedded::DeadLetterRelation>(data_.store(), *store_snapshot_);
    return nullptr;
  }

  /// Topics are told apart by case, SQL names are not: the exact name first.
  std::shared_ptr<log::Topic> find_topic(const std::string& name) {
    if (auto topic = data_.log().find(name)) return topic;
    for (const auto& topic : data_.log().topics()) {
      if (model::same_name(topic->name(), name)) return topic;
    }
    return nullptr;
  }

  DataDir& data_;
  const DataCatalog::TopicSchema& schema_of_;
  const Instant now_;
  std::unique_ptr<store::Snapshot> store_snapshot_;
  std::map<std::string, std::unique_ptr<port::Relation>> relations_;
};

}  // namespace

std::unique_ptr<port::CatalogSnapshot> DataCatalog::snapshot() { return std::make_unique<Snapshot>(data_, schema_of_); }

}  // namespace millrace::app
