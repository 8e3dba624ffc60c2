#pragma once

#include <map>
#include <memory>
#include <string>

#include "connect/cassandra/session.h"
#include "env/env.h"
#include "port/table_store.h"

namespace millrace::connect::cassandra {

struct CassandraOptions {
  std::string url;  // cassandra://[user:password@]host[:port][,host[:port]…]
  std::map<std::string, std::string> options;
};
/// Whether the URL and the options can be read, and there are such options (settings.h). Errors: kInvalidArgument.
Status check_options(const std::string& url, const std::map<std::string, std::string>& options);

/// The tables of a Cassandra cluster (also ScyllaDB). See port::TableStore.
class CassandraTables : public port::TableStore {
 public:
  /// Connects. Errors: kInvalidArgument (options), kUnavailable, kPermissionDenied, kFailedPrecondition (no such datacenter).
  static Result<std::unique_ptr<CassandraTables>> open(const CassandraOptions& options, env::Env env);

  /// The identity is the id in system_schema.tables.
  Result<std::string> declare(const model::TableDef& def) override;
  Result<std::unique_ptr<port::Sink>> sink(const port::TableSinkSpec& spec) override;
  Result<std::unique_ptr<port::Relation>> relation(const model::TableDef& def) override;

 private:
  CassandraTables(std::unique_ptr<Session> session, env::Clock& clock) : session_(std::move(session)), clock_(clock) {}
  Status create_keyspace(const std::string& keyspace);

  const std::unique_ptr<Session> session_;
  env::Clock& clock_;
};

}  // namespace millrace::connect::cassandra
