#include "connect/registry/registry_client.h"

#include "connect/registry/registered_decoder.h"
#include "connect/registry/registered_encoder.h"
#include "connect/registry/schema_cache.h"

namespace millrace::connect::registry {

Result<std::unique_ptr<RegistryClient>> RegistryClient::open(const std::string& url,
                                                             const std::map<std::string, std::string>& options,
                                                             env::Clock& clock) {
  TRY(RegistrySettings settings, read_options(url, options));
  return open(std::move(settings), clock);
}

std::unique_ptr<RegistryClient> RegistryClient::open(RegistrySettings settings, env::Clock& clock) {
  return std::unique_ptr<RegistryClient>(new RegistryClient(std::make_shared<SchemaCache>(std::move(settings), clock)));
}

RegistryClient::RegistryClient(std::shared_ptr<SchemaCache> schemas) : schemas_(std::move(schemas)) {}
RegistryClient::~RegistryClient() = default;

Result<std::unique_ptr<port::ValueDecoder>> RegistryClient::decoder(const std::string& topic, bool of_key,
                                                                    std::shared_ptr<const model::Schema> columns) {
  const RegistrySettings& settings = schemas_->api().settings();
  bool by_topic = (of_key ? settings.of_keys : settings.of_values) == SubjectNames::kTopic;
  std::string place = by_topic ? "subject " + subject_name(settings, topic, of_key, "") : "topic " + topic;
  return std::make_unique<RegisteredDecoder>(schemas_, std::move(place), std::move(columns));
}

Result<std::unique_ptr<port::ValueEncoder>> RegistryClient::encoder(const std::string& topic, bool of_key,
                                                                    port::ValueFormat format,
                                                                    std::shared_ptr<const model::Schema> columns) {
  TRY(auto made, RegisteredEncoder::make(*schemas_, topic, of_key, format, std::move(columns)));
  return made;
}

void RegistryClient::interrupt() { schemas_->api().interrupt(); }

}  // namespace millrace::connect::registry
