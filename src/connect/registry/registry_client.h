#pragma once

#include <map>
#include <memory>
#include <string>

#include "connect/registry/options.h"
#include "env/clock.h"
#include "port/value_codec.h"

namespace millrace::connect::registry {

class SchemaCache;

/// A schema registry with Confluent's API (Confluent, Apicurio's ccompat, Karapace, Redpanda).
///
/// Reading: each value names its schema, which is asked for once; Avro and JSON Schema can be mixed in a topic. Writing: the
/// schema of the columns is registered, or the latest of the subject is used; then encoding is local.
///
/// Threading: any thread. Lifetime: what it gave out may outlive it; the clock outlives all.
class RegistryClient : public port::SchemaRegistry {
 public:
  /// See read_options for the options. Asks nobody. Errors: kInvalidArgument.
  static Result<std::unique_ptr<RegistryClient>> open(const std::string& url, const std::map<std::string, std::string>& options,
                                                      env::Clock& clock);
  static std::unique_ptr<RegistryClient> open(RegistrySettings settings, env::Clock& clock);
  ~RegistryClient() override;

  Result<std::unique_ptr<port::ValueDecoder>> decoder(const std::string& topic, bool of_key,
                                                      std::shared_ptr<const model::Schema> columns) override;
  Result<std::unique_ptr<port::ValueEncoder>> encoder(const std::string& topic, bool of_key, port::ValueFormat format,
                                                      std::shared_ptr<const model::Schema> columns) override;
  /// Ends every request under way, also of decoders, and every later one, with kCancelled.
  void interrupt();

 private:
  explicit RegistryClient(std::shared_ptr<SchemaCache> schemas);
  std::shared_ptr<SchemaCache> schemas_;
};

}  // namespace millrace::connect::registry
