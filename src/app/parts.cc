#include "app/parts.h"

#include <fmt/format.h>

#include <filesystem>

#include "connect/cassandra/tables.h"
#include "connect/embedded/embedded_tables.h"
#include "connect/embedded/embedded_topics.h"
#include "connect/file/feed.h"
#include "connect/file/store.h"
#include "connect/http/poller.h"
#include "connect/kafka/topics.h"
#include "connect/postgres/postgres_feed.h"
#include "connect/postgres/postgres_metadata_store.h"
#include "connect/postgres/tables.h"
#include "connect/registry/registry_client.h"
#include "connect/webhook/store.h"
#include "sql/file_engine.h"

namespace millrace::app {
namespace {

connect::http::PollerOptions options_of(const project::Source& source, const project::HttpRequest& http, std::string url) {
  connect::http::PollerOptions options;
  options.url = std::move(url);
  options.method = http.method;
  for (const auto& [name, value] : http.headers) options.headers.emplace_back(name, value.value);
  if (http.auth) {
    const project::HttpAuth& auth = *http.auth;
    if (!auth.bearer.value.empty()) {
      options.auth = {connect::http::Auth::Kind::kBearer, auth.bearer.value};
    } else {
      options.auth = {connect::http::Auth::Kind::kBasic, auth.user.value + ":" + auth.password.value};
    }
  }
  options.interval = source.every;
  options.timeout = http.timeout;
  options.records = http.records;
  options.key = source.key;
  if (http.page) {
    options.paging.parameter = http.page->param;
    options.paging.start = http.page->start;
    options.paging.pages_max = http.page->max;
    if (!http.page->size_param.empty()) {
      options.url += options.url.find('?') == std::string::npos ? '?' : '&';
      options.url += fmt::format("{}={}", http.page->size_param, http.page->size);
    }
  }
  options.retry.max_attempts = static_cast<int>(http.retry.attempts);
  options.retry.base_delay = http.retry.delay;
  options.retry.max_delay = http.retry.delay_max;
  options.max_body_bytes = static_cast<size_t>(http.max_bytes);
  options.max_redirects = static_cast<int>(http.redirects);
  return options;
}

std::map<std::string, std::string> plain(const std::map<std::string, project::Text>& options) {
  std::map<std::string, std::string> out;
  for (const auto& [name, text] : options) out.emplace(name, text.value);
  return out;
}

Result<std::unique_ptr<port::TableStore>> open_tables(const project::Part& part, env::Env env) {
  if (part.scheme() == "cassandra") return connect::cassandra::CassandraTables::open({part.url.value, plain(part.options)}, env);
  return connect::postgres::PostgresTables::open({part.url.value, plain(part.options)}, env);
}

connect::file::Format format_of(project::FileFormat format) {
  switch (format) {
    case project::FileFormat::kJson: return connect::file::Format::kJson;
    case project::FileFormat::kCsv: return connect::file::Format::kCsv;
    case project::FileFormat::kParquet: return connect::file::Format::kParquet;
  }
  return connect::file::Format::kJson;
}

}  // namespace

/// A connection, opened as what it is.
struct Parts::Place {
  project::Part part;
  std::unique_ptr<port::TopicStore> topics;
  std::unique_ptr<port::TableStore> tables;
  std::unique_ptr<connect::file::FileStore> files;
  std::unique_ptr<connect::webhook::WebhookStore> calls;
};

Parts::Parts(DataDir& data) : data_(data), file_engine_(std::make_shared<sql::FileEngine>()) {
  topics_ = std::make_unique<connect::embedded::EmbeddedTopics>(data.log());
  own_tables_ = std::make_unique<connect::embedded::EmbeddedTables>(data.tables(), data.store(), data.deletion_clock());
}

Parts::~Parts() = default;

Result<std::shared_ptr<Parts>> Parts::open(const project::Project& project, DataDir& data) {
  auto parts = std::make_shared<Parts>(data);
  parts->pipeline_ = project.name;
  const project::Parts& named = project.parts;
  if (!named.registry.embedded()) {
    TRY(parts->registry_,
        connect::registry::RegistryClient::open(named.registry.url.value, plain(named.registry.options), data.env().clock));
  }
  if (!named.log.embedded()) {
    parts->log_is_embedded_ = false;
    TRY(parts->topics_, connect::kafka::KafkaTopics::open({named.log.url.value, plain(named.log.options), project.name}));
  }
  if (!named.tables.embedded()) {
    TRY(parts->tables_, open_tables(named.tables, data.env()));
  }
  for (const project::Connection& connection : project.connections) {
    if (!connection.used) continue;
    if (Status opened = parts->open_connection(connection); !opened)
      return fail(at("connection " + connection.name, opened.error()));
  }
  return parts;
}

std::function<Status(const std::string& sql)> Parts::run_sql() {
  return [engine = file_engine_](const std::string& sql) { return engine->run(sql); };
}

Status Parts::open_connection(const project::Connection& connection) {
  Place place;
  place.part = connection.part;
  const std::string& url = connection.part.url.value;
  auto options = plain(connection.part.options);
  if (connection.scheme() == "kafka") {
    TRY(place.topics, connect::kafka::KafkaTopics::open({url, std::move(options), pipeline_}));
  } else if (connection.scheme() == "cassandra" || connection.scheme() == "postgresql") {
    TRY(place.tables, open_tables(connection.part, data_.env()));
  } else if (connection.scheme() == "http") {
    TRY(place.calls, connect::webhook::WebhookStore::open({url, std::move(options), pipeline_}, data_.store(), data_.env()));
  } else {
    TRY(place.files, connect::file::FileStore::open({url, std::move(options)}, data_.store(), data_.env(), run_sql()));
  }
  places_.emplace(connection.name, std::move(place));
  return {};
}

port::SchemaRegistry* Parts::registry() { return registry_.get(); }

void Parts::interrupt() {
  if (registry_ != nullptr) registry_->interrupt();
}

bool Parts::holds_tables_itself(const std::string& connection) const { return connection.empty() && tables_ == nullptr; }

Result<port::TableStore*> Parts::tables(const std::string& connection) {
  if (connection.empty()) return tables_ == nullptr ? own_tables_.get() : tables_.get();
  auto place = places_.find(connection);
  if (place == places_.end() || place->second.tables == nullptr)
    return fail(Errc::kNotFound, fmt::format("the connection '{}' holds no tables", connection));
  return place->second.tables.get();
}

void Parts::keep_as_json(const std::string& connection, const std::string& table, const std::string& column) {
  auto place = places_.find(connection);
  if (place == places_.end()) return;
  if (auto* postgres = dynamic_cast<connect::postgres::PostgresTables*>(place->second.tables.get()))
    postgres->create_as_jsonb(table, column);
}

Result<std::unique_ptr<port::Sink>> Parts::sink(const CompiledQuery& query, const model::TableDef* def,
                                                std::shared_ptr<port::ValueEncoder> encoder, port::GroupSource* group) {
  auto output = std::make_shared<const model::Schema>(query.output);
  if (query.into_table) {
    TRY(port::TableStore * tables, this->tables(query.connection));
    model::TableDef table;
    if (def != nullptr) table = *def;
    table.name = name_within(query.connection, query.into);
    return tables->sink({std::move(table), output, pipeline_, query.name, group != nullptr});
  }
  if (query.connection.empty()) return topics_->sink({query.into, pipeline_, query.name, std::move(encoder), group});
  auto place = places_.find(query.connection);
  if (place == places_.end()) return fail(Errc::kNotFound, fmt::format("there is no connection '{}'", query.connection));
  std::string name = name_within(query.connection, query.into);
  if (place->second.topics != nullptr) return place->second.topics->sink({name, pipeline_, query.name, nullptr, nullptr});
  if (place->second.calls != nullptr) return place->second.calls->sink(name, query.name, output);
  return place->second.files->sink(name, query.name, output);
}

Result<std::unique_ptr<port::Feed>> Parts::feed(const project::Source& source,
                                                const std::function<Result<std::string>()>& builtin_url) {
  if (const auto* http = std::get_if<project::HttpRequest>(&source.from)) {
    std::string url = http->url.value;
    if (url.starts_with("builtin:")) {
      TRY(std::string served, builtin_url());
      size_t query = url.find('?');
      url = query == std::string::npos ? served : served + url.substr(query);
    }
    return connect::http::HttpPoller::create(options_of(source, *http, std::move(url)), data_.env().clock, data_.env().random);
  }
  if (const auto* files = std::get_if<project::FilePoll>(&source.from)) {
    connect::file::FileFeedOptions options;
    options.path = std::filesystem::absolute(files->path).string();
    options.format = format_of(files->format);
    options.follow = files->follow;
    options.key = source.key;
    options.interval = source.every;
    options.scratch = data_.path() + "/scratch/" + source.name;
    TRY_DO(data_.env().files.create_directories(options.scratch));
    return connect::file::FileFeed::create(std::move(options), data_.env().files, run_sql());
  }
  const auto& poll = std::get<project::PostgresPoll>(source.from);
  const project::Part& part = places_.at(poll.connection).part;
  connect::postgres::FeedOptions options;
  options.table = poll.table;
  options.column = poll.column;
  options.key = source.key.starts_with("$.") ? source.key.substr(2) : source.key;
  options.batch_max = static_cast<size_t>(poll.limit);
  options.interval = source.every;
  return connect::postgres::PostgresFeed::create({part.url.value, plain(part.options)}, std::move(options), data_.env());
}

Result<std::unique_ptr<port::MetadataStore>> open_metadata_elsewhere(const project::Part& part, env::Env env) {
  if (part.embedded()) return std::unique_ptr<port::MetadataStore>();
  return connect::postgres::open_metadata_store({part.url.value, plain(part.options)}, env);
}

namespace {

Status check_part(const project::Part& part) {
  const std::string& url = part.url.value;
  auto options = plain(part.options);
  if (part.scheme() == "kafka") return connect::kafka::check_options(url, options);
  if (part.scheme() == "cassandra") return connect::cassandra::check_options(url, options);
  if (part.scheme() == "postgresql") return connect::postgres::check_options(url, options);
  if (part.scheme() == "http") return connect::webhook::check_options(url, options);
  return connect::file::check_options(url, options);
}

}  // namespace

void check_parts(const project::Project& project, project::FaultList& faults) {
  auto report = [&](const Status& sound, const project::Location& at) {
    if (!sound) faults.add(at, "bad-url", sound.error().message, sound.error().hint);
  };
  for (const project::Part* part : {&project.parts.log, &project.parts.tables, &project.parts.metadata}) {
    if (!part->embedded()) report(check_part(*part), part->location);
  }
  const project::Part& registry = project.parts.registry;
  if (!registry.embedded())
    report(connect::registry::check_options(registry.url.value, plain(registry.options)), registry.location);
  for (const project::Connection& connection : project.connections) {
    if (connection.used) report(check_part(connection.part), connection.part.location);
  }
}

std::string name_within(std::string_view connection, std::string_view name) {
  return std::string(connection.empty() ? name : name.substr(connection.size() + 1));
}

}  // namespace millrace::app
