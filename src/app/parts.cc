#include "app/parts.h"

#include <fmt/format.h>

#include "connect/embedded/embedded_tables.h"
#include "connect/embedded/embedded_topics.h"
#include "connect/http/poller.h"

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

}  // namespace

struct Parts::Place {
  std::unique_ptr<port::TopicStore> topics;
  std::unique_ptr<port::TableStore> tables;
};

Parts::Parts(DataDir& data) : data_(data) {
  topics_ = std::make_unique<connect::embedded::EmbeddedTopics>(data.log());
  own_tables_ = std::make_unique<connect::embedded::EmbeddedTables>(data.tables(), data.store(), data.deletion_clock());
}

Parts::~Parts() = default;

Result<std::shared_ptr<Parts>> Parts::open(const project::Project& project, DataDir& data) {
  auto parts = std::make_shared<Parts>(data);
  parts->pipeline_ = project.name;
  if (!project.parts.log.embedded() || !project.parts.tables.embedded()) return fail(Errc::kUnimplemented, "soon");
  return parts;
}

bool Parts::holds_tables_itself(const std::string& connection) const { return connection.empty() && tables_ == nullptr; }

Result<port::TableStore*> Parts::tables(const std::string& connection) {
  if (connection.empty()) return tables_ == nullptr ? own_tables_.get() : tables_.get();
  auto place = places_.find(connection);
  if (place == places_.end() || place->second.tables == nullptr)
    return fail(Errc::kNotFound, fmt::format("the connection '{}' holds no tables", connection));
  return place->second.tables.get();
}

Result<std::unique_ptr<port::Sink>> Parts::sink(const CompiledQuery& query, const model::TableDef* def,
                                                port::GroupSource* group) {
  auto output = std::make_shared<const model::Schema>(query.output);
  if (query.into_table) {
    TRY(port::TableStore * tables, this->tables(query.connection));
    model::TableDef table;
    if (def != nullptr) table = *def;
    table.name = name_within(query.connection, query.into);
    return tables->sink({std::move(table), output, pipeline_, query.name});
  }
  if (!query.connection.empty()) return sink_elsewhere(query, places_.at(query.connection));
  return topics_->sink({query.into, pipeline_, query.name, nullptr, group});
}

Result<std::unique_ptr<port::Sink>> Parts::sink_elsewhere(const CompiledQuery&, const Place&) {
  return fail(Errc::kUnimplemented, "soon");
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
  return fail(Errc::kUnimplemented, "soon");
}

std::string name_within(std::string_view connection, std::string_view name) {
  return std::string(connection.empty() ? name : name.substr(connection.size() + 1));
}

}  // namespace millrace::app
