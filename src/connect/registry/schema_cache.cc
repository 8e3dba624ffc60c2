#include "connect/registry/schema_cache.h"

#include <fmt/format.h>

#include <set>
#include <vector>

namespace millrace::connect::registry {
namespace {

constexpr size_t kReferencesMax = 64;
constexpr int kReferenceDepthMax = 16;

/// Collects what a schema refers to, each text after those that it uses itself.
class References {
 public:
  explicit References(Api& api) : api_(api) {}

  Status add(const std::vector<Reference>& references, int depth) {
    for (const Reference& reference : references) {
      if (!seen_.insert(reference).second) continue;
      if (seen_.size() > kReferencesMax || depth > kReferenceDepthMax) {
        return fail(Errc::kResourceExhausted, fmt::format("it refers to more than {} other schemas, or deeper than {}",
                                                          kReferencesMax, kReferenceDepthMax));
      }
      auto schema = api_.version(reference);
      if (!schema && schema.error().code == Errc::kNotFound) return fail(Errc::kInvalidArgument, schema.error().message);
      if (!schema) return fail(std::move(schema.error()));
      TRY_DO(add(schema->references, depth + 1));
      texts_.push_back(std::move(schema->text));
    }
    return {};
  }
  const std::vector<std::string>& texts() const { return texts_; }

 private:
  Api& api_;
  std::set<Reference> seen_;
  std::vector<std::string> texts_;
};

/// Faults that asking again at once would not change.
bool is_lasting(Errc code) {
  return code == Errc::kNotFound || code == Errc::kInvalidArgument || code == Errc::kResourceExhausted ||
         code == Errc::kUnimplemented;
}

}  // namespace

Result<UsableSchema> SchemaCache::get(int32_t id) {
  {
    MutexLock lock(mutex_);
    if (auto known = schemas_.find(id); known != schemas_.end()) return known->second;
    if (auto failed = failures_.find(id); failed != failures_.end() && clock_.monotonic() < failed->second.until)
      return fail(failed->second.error);
  }
  auto fetched = fetch(id);
  MutexLock lock(mutex_);
  if (fetched) {
    if (schemas_.size() >= kSchemasMax) schemas_.clear();
    schemas_.insert_or_assign(id, *fetched);
    failures_.erase(id);
  } else if (is_lasting(fetched.error().code)) {
    if (failures_.size() >= kSchemasMax) failures_.clear();
    failures_.insert_or_assign(id, Failure{fetched.error(), clock_.monotonic() + kForgetAfter});
  }
  return fetched;
}

Result<UsableSchema> SchemaCache::fetch(int32_t id) {
  TRY(Registered schema, api_.by_id(id));
  if (schema.type == "JSON") return UsableSchema();
  if (schema.type != "AVRO") {
    return fail(Errc::kUnimplemented, fmt::format("schema {} is of type {}", id, schema.type),
                "Avro and JSON Schema are read in this version");
  }
  auto parsed = parse_avro(schema);
  if (!parsed) return fail(at(fmt::format("schema {}", id), std::move(parsed.error())));
  return UsableSchema{std::move(*parsed)};
}

Result<std::shared_ptr<const format::AvroSchema>> SchemaCache::parse_avro(const Registered& schema) {
  References references(api_);
  TRY_DO(references.add(schema.references, 1));
  return format::AvroSchema::parse(schema.text, references.texts());
}

}  // namespace millrace::connect::registry
