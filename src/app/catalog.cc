#include "app/catalog.h"

#include <algorithm>
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

embedded::ValueColumns columns_by(const std::optional<model::Schema>& schema, MakeValues make) {
  if (!schema || !make) return json_columns(schema);
  auto shared = std::make_shared<const model::Schema>(*schema);
  return {shared, [shared, make = std::move(make)](std::span<const size_t> wanted) -> Result<embedded::ValueReader> {
            TRY(std::shared_ptr<port::ValueDecoder> decoder, make(shared));
            if (decoder == nullptr) return json_columns(*shared).make_reader(wanted);
            return embedded::ValueReader([decoder](const model::RecordView& record, model::BatchBuilder& out) {
              return record.value.has_value() && decoder->append(*record.value, out).has_value();
            });
          }};
}

using Ranges = std::vector<embedded::PartitionRange>;

/// Reads the ranges of a topic through a source, in whatever order the records come, and ends when all of them are through.
class RangeReader {
 public:
  RangeReader(std::shared_ptr<Parts> parts, std::unique_ptr<port::Source> source, Ranges ranges)
      : parts_(std::move(parts)), source_(std::move(source)), ranges_(std::move(ranges)) {}

  Result<std::optional<model::RecordRun>> next() {
    constexpr Duration kSilenceMax = std::chrono::seconds(30);
    while (true) {
      std::erase_if(ranges_, [](const embedded::PartitionRange& range) { return range.next >= range.end; });
      if (runs_.empty() && ranges_.empty()) return std::optional<model::RecordRun>();
      if (runs_.empty()) {
        TRY(runs_, source_->poll({32'768, 8 << 20}, kSilenceMax));
        if (runs_.empty()) return fail(Errc::kUnavailable, "the log gave no records for 30 s, though it has some");
      }
      model::RecordRun run = std::move(runs_.back());
      runs_.pop_back();
      for (embedded::PartitionRange& range : ranges_) {
        if (range.partition == run.partition) range.next = std::max(range.next, run.next);
      }
      if (!run.records.empty()) return std::optional(std::move(run));
    }
  }

 private:
  const std::shared_ptr<Parts> parts_;
  const std::unique_ptr<port::Source> source_;
  Ranges ranges_;
  std::vector<model::RecordRun> runs_;
};

Result<embedded::TopicContents> contents_elsewhere(std::shared_ptr<Parts> parts, const std::string& topic) {
  TRY(port::TopicInfo info, parts->topics().describe(topic));
  embedded::TopicContents contents{topic, info.partitions, {}};
  auto partitions = info.partitions;
  contents.read = [parts, topic, partitions](Ranges ranges) -> Result<embedded::TopicContents::Next> {
    TRY(auto source, parts->topics().source(topic));
    std::erase_if(ranges, [](const embedded::PartitionRange& range) { return range.next >= range.end; });
    for (size_t p = 0; p < partitions.size(); ++p) {
      model::Partition partition(static_cast<int32_t>(p));
      auto wanted = std::find_if(ranges.begin(), ranges.end(), [&](const auto& range) { return range.partition == partition; });
      TRY_DO(source->seek(partition, wanted == ranges.end() ? partitions[p].end : wanted->next));
    }
    auto reader = std::make_shared<RangeReader>(parts, std::move(source), std::move(ranges));
    return [reader] { return reader->next(); };
  };
  return contents;
}

class FailedRelation : public port::Relation {
 public:
  explicit FailedRelation(Error error) : error_(std::move(error)) {}
  const model::Schema& schema() const override { return schema_; }
  Result<std::unique_ptr<port::RelationScan>> scan(const port::ScanRequest&) override { return fail(error_); }

 private:
  const Error error_;
  const model::Schema schema_{{{"error", {model::TypeId::kText}}}};
};

class Snapshot : public port::CatalogSnapshot {
 public:
  Snapshot(DataDir& data, const DataCatalog::Hooks& hooks)
      : data_(data), hooks_(hooks), now_(data.env().clock.now()), store_snapshot_(data.store().snapshot()) {}

  port::Relation* find(std::string_view schema_name, std::string_view name) override {
    std::string full = schema_name.empty() ? std::string(name) : std::string(schema_name) + "." + std::string(name);
    auto [at, added] = relations_.try_emplace(full);
    if (added) at->second = make(schema_name, full);
    return at->second.get();
  }

  std::vector<std::string> names() override {
    std::vector<std::string> names = hooks_.names_elsewhere();
    for (const auto& topic : data_.log().topics()) names.push_back(topic->name());
    for (const auto& table : data_.tables().list()) names.push_back(table->def.name);
    names.emplace_back(kDeadLetters);
    return names;
  }

 private:
  std::unique_ptr<port::Relation> make(std::string_view schema_name, const std::string& full) {
    if (auto relation = hooks_.elsewhere(full)) return relation;
    if (auto table = data_.tables().find(full))
      return std::make_unique<embedded::TableRelation>(data_.store(), table, *store_snapshot_, now_);
    if (auto topic = find_topic(full))
      return std::make_unique<embedded::TopicRelation>(embedded::contents_of(topic),
                                                       json_columns(hooks_.schema_of(topic->name())));
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
  const DataCatalog::Hooks& hooks_;
  const Instant now_;
  std::unique_ptr<store::Snapshot> store_snapshot_;
  std::map<std::string, std::unique_ptr<port::Relation>> relations_;
};

}  // namespace

std::unique_ptr<port::CatalogSnapshot> DataCatalog::snapshot() { return std::make_unique<Snapshot>(data_, hooks_); }

std::unique_ptr<port::Relation> topic_relation(std::shared_ptr<Parts> parts, const std::string& topic,
                                               const std::optional<model::Schema>& schema, MakeValues values) {
  auto contents = contents_elsewhere(std::move(parts), topic);
  if (!contents) return std::make_unique<FailedRelation>(contents.error());
  return std::make_unique<embedded::TopicRelation>(std::move(*contents), columns_by(schema, std::move(values)));
}

std::unique_ptr<port::Relation> relation_or_error(Result<std::unique_ptr<port::Relation>> relation) {
  if (!relation) return std::make_unique<FailedRelation>(std::move(relation.error()));
  return std::move(*relation);
}

}  // namespace millrace::app
