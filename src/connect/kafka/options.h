#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace millrace::connect::kafka {

struct KafkaOptions {
  std::string url;                             // kafka://host[:port][,host[:port]…]
  std::map<std::string, std::string> options;  // by the names that librdkafka documents
  std::string pipeline;
};

/// An option that a pipeline file may set.
struct OptionDoc {
  std::string_view name;
  enum class Of { kBoth, kConsumer, kProducer } of = Of::kBoth;
  bool secret = false;
  std::string_view about;
};
/// All of them, by topic; what is not listed is refused.
std::span<const OptionDoc> known_options();

/// The value of bootstrap.servers. Errors: kInvalidArgument; the text of the URL is not shown where it may hold a password.
Result<std::string> bootstrap_servers(std::string_view url);

/// Whether url and options would be taken; connects to nobody. Errors: kInvalidArgument, naming the option and the remedy, never
/// the value of a secret.
Status check_options(const std::string& url, const std::map<std::string, std::string>& options);

}  // namespace millrace::connect::kafka
