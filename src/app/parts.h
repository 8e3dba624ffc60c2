#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "app/compile.h"
#include "app/data_dir.h"
#include "port/feed.h"
#include "port/metadata_store.h"
#include "port/table_store.h"
#include "port/topic_store.h"
#include "project/project.h"

namespace millrace::sql {
class FileEngine;
}
namespace millrace::connect::registry {
class RegistryClient;
}

namespace millrace::app {

/// Where the parts of a pipeline run: the embedded log and tables, or the systems that its profile and connections name. The one
/// place that knows which URL stands for which implementation.
///
/// Threading: any thread. Lifetime: the data directory outlives it, and it outlives what it opens.
class Parts {
 public:
  /// Everything embedded.
  explicit Parts(DataDir& data);
  ~Parts();
  /// Opens the systems that the project uses. Errors: kUnavailable, kPermissionDenied, kInvalidArgument, naming the URL.
  static Result<std::shared_ptr<Parts>> open(const project::Project& project, DataDir& data);

  /// The log that the profile names.
  port::TopicStore& topics() { return *topics_; }
  bool has_own_log() const { return log_is_embedded_; }
  /// The tables of a connection, or of the profile when the name is empty.
  Result<port::TableStore*> tables(const std::string& connection);
  bool holds_tables_itself(const std::string& connection) const;
  /// Null without one.
  port::SchemaRegistry* registry();

  /// The output of a query. `def` is its table, when it writes one, as declared; `group` its input, when that is a group.
  Result<std::unique_ptr<port::Sink>> sink(const CompiledQuery& query, const model::TableDef* def,
                                           std::shared_ptr<port::ValueEncoder> encoder, port::GroupSource* group);
  /// Ends what waits for a registry; from then on nothing is asked.
  void interrupt();
  /// A text column of JSON that becomes the system's own kind of it, where it has one and the table is still to be made.
  void keep_as_json(const std::string& connection, const std::string& table, const std::string& column);
  /// What a source polls. `builtin_url` gives the address of the people API in the binary.
  Result<std::unique_ptr<port::Feed>> feed(const project::Source& source,
                                           const std::function<Result<std::string>()>& builtin_url);

 private:
  struct Place;  // one connection

  Status open_connection(const project::Connection& connection);
  std::function<Status(const std::string& sql)> run_sql();

  DataDir& data_;
  std::string pipeline_;
  bool log_is_embedded_ = true;
  std::unique_ptr<port::TopicStore> topics_;
  std::unique_ptr<port::TableStore> own_tables_;
  std::unique_ptr<port::TableStore> tables_;  // of the profile; null: own_tables_
  std::unique_ptr<connect::registry::RegistryClient> registry_;
  std::map<std::string, Place> places_;
  std::shared_ptr<sql::FileEngine> file_engine_;
};

/// The scheduler's state where the profile says; null when that is the data directory.
Result<std::unique_ptr<port::MetadataStore>> open_metadata_elsewhere(const project::Part& part, env::Env env);

/// What is wrong with URLs and options, as far as it shows without a connection.
void check_parts(const project::Project& project, project::FaultList& faults);

/// `name` without the connection in front.
std::string name_within(std::string_view connection, std::string_view name);

}  // namespace millrace::app
