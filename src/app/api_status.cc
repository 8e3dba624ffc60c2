#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>

#include "app/api.h"
#include "app/load_project.h"
#include "app/version.h"
#include "serve/http/metrics.h"

namespace millrace::app {
namespace {

using format::Json;
using serve::http::Labels;
using serve::http::MetricFamily;
using serve::http::MetricType;

Json source_edge(const SourceView& source) {
  Json json = Json::object();
  json.set("from", "source " + source.name)
      .set("to", "topic " + source.topic)
      .set("source", source.name)
      .set("topic", source.topic)
      .set("polls", source.counts.polls)
      .set("failed_polls", source.counts.failed_polls)
      .set("in", source.counts.records + source.counts.refused)
      .set("out", source.counts.records)
      .set("refused", source.counts.refused)
      .set("last_error", source.counts.last_error.empty() ? Json() : Json(source.counts.last_error));
  return json;
}

Json query_edge(const QueryView& query) {
  Json json = Json::object();
  json.set("from", "topic " + query.topic)
      .set("to", (query.into_table ? "table " : "topic ") + query.into)
      .set("query", query.name)
      .set("state", query.state);
  if (!query.reason.empty()) json.set("reason", query.reason);
  Json balance = balance_json(query);
  for (const Json::Member& count : *balance.as_object()) json.set(count.name, count.value);
  json.set("rows_written", query.position.balance.rows_written)
      .set("superseded", query.position.balance.superseded)
      .set("lost", query.position.balance.lost);
  return json;
}

Result<Response> status(const Call& call) {
  Instance& instance = call.instance;
  std::vector<std::string> reasons = instance.not_ready();
  Json why = Json::array();
  for (const std::string& reason : reasons) why.push(reason);
  Json edges = Json::array(), sources = Json::array(), topics = Json::array();
  for (const QueryView& query : instance.queries()) edges.push(query_edge(query));
  for (const SourceView& source : instance.sources()) sources.push(source_edge(source));
  for (const auto& topic : instance.data().log().topics()) {
    int64_t records = 0;
    for (int32_t p = 0; p < topic->partition_count(); ++p) {
      log::PartitionLog& partition = topic->partition(model::Partition(p));
      records += partition.end_offset() - partition.start_offset();
    }
    topics.push(Json::object().set("topic", topic->name()).set("records", records).set("bytes", topic->size_bytes()));
  }
  Json json = Json::object();
  json.set("ready", reasons.empty())
      .set("reasons", std::move(why))
      .set("pipeline", instance.pipeline_name())
      .set("version", kVersion)
      .set("pid", instance.options().read_only ? Json() : Json(static_cast<int64_t>(getpid())))
      .set("started_at", instance.options().read_only ? Json() : Json(format_instant(instance.started_at())))
      .set("data", std::filesystem::absolute(instance.data().path()).string())
      .set("edges", std::move(edges))
      .set("sources", std::move(sources))
      .set("topics", std::move(topics));
  return json_response(json);
}

Result<Response> livez(const Call&) {
  Response response;
  response.content_type = "text/plain; charset=utf-8";
  response.body = "ok\n";
  return response;
}

Result<Response> readyz(const Call& call) {
  std::vector<std::string> reasons = call.instance.not_ready();
  Response response;
  response.content_type = "text/plain; charset=utf-8";
  response.status = reasons.empty() ? 200 : 503;
  for (const std::string& reason : reasons) response.body += reason + "\n";
  if (reasons.empty()) response.body = "ok\n";
  return response;
}

double seconds_of(const timeval& time) { return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6; }

void topic_metrics(Instance& instance, std::vector<MetricFamily>& families) {
  MetricFamily end{"millrace_partition_log_end_offset", "Next offset that readers will see.", MetricType::kGauge, {}};
  MetricFamily start{"millrace_partition_log_start_offset", "Oldest offset that is kept.", MetricType::kGauge, {}};
  MetricFamily size{"millrace_partition_size_bytes", "Bytes of the partition's segments.", MetricType::kGauge, {}};
  for (const auto& topic : instance.data().log().topics()) {
    for (int32_t p = 0; p < topic->partition_count(); ++p) {
      log::PartitionLog& partition = topic->partition(model::Partition(p));
      Labels labels = {{"topic", topic->name()}, {"partition", std::to_string(p)}};
      end.samples.push_back({labels, static_cast<double>(partition.end_offset().value), {}, 0, 0});
      start.samples.push_back({labels, static_cast<double>(partition.start_offset().value), {}, 0, 0});
      size.samples.push_back({labels, static_cast<double>(partition.size_bytes()), {}, 0, 0});
    }
  }
  families.insert(families.end(), {end, start, size});
}

void stream_metrics(Instance& instance, std::vector<MetricFamily>& families) {
  struct Count {
    std::string_view name;
    std::string_view help;
    uint64_t stream::Balance::* count;
  };
  static constexpr Count kCounts[] = {
      {"millrace_stream_input_records_total", "Records that a query has read.", &stream::Balance::in},
      {"millrace_stream_output_records_total", "Records that gave at least one row.", &stream::Balance::out},
      {"millrace_stream_output_rows_total", "Rows written to the table or topic.", &stream::Balance::rows_written},
      {"millrace_stream_filtered_total", "Records for which WHERE was not true.", &stream::Balance::filtered},
      {"millrace_stream_dead_letter_total", "Records that are dead letters.", &stream::Balance::dead},
      {"millrace_stream_skipped_total", "Records that failed under on_error: skip.", &stream::Balance::skipped},
      {"millrace_stream_late_rows_total", "Records that came after their window was closed.", &stream::Balance::late},
      {"millrace_stream_lost_total", "Records that were gone before the query came to them.", &stream::Balance::lost},
      {"millrace_stream_expired_total", "Records older than the table's ttl.", &stream::Balance::expired},
  };
  std::vector<QueryView> queries = instance.queries();
  for (const Count& count : kCounts) {
    MetricFamily family{std::string(count.name), std::string(count.help), MetricType::kCounter, {}};
    for (const QueryView& query : queries)
      family.samples.push_back({{{"query", query.name}}, static_cast<double>(query.position.balance.*count.count), {}, 0, 0});
    families.push_back(std::move(family));
  }
  MetricFamily lag{"millrace_stream_lag_records", "Records of the topic that no commit covers yet.", MetricType::kGauge, {}};
  MetricFamily running{"millrace_stream_running", "1 while the query runs.", MetricType::kGauge, {}};
  for (const QueryView& query : queries) {
    lag.samples.push_back({{{"query", query.name}}, static_cast<double>(query.in_flight), {}, 0, 0});
    running.samples.push_back({{{"query", query.name}}, query.state == "running" ? 1.0 : 0.0, {}, 0, 0});
  }
  families.push_back(std::move(lag));
  families.push_back(std::move(running));
}

void source_metrics(Instance& instance, std::vector<MetricFamily>& families) {
  MetricFamily polls{"millrace_source_polls_total", "Polls of an API.", MetricType::kCounter, {}};
  MetricFamily failed{"millrace_source_failed_polls_total", "Polls that failed after their retries.", MetricType::kCounter, {}};
  MetricFamily records{"millrace_source_records_total", "Records appended to the topic.", MetricType::kCounter, {}};
  for (const SourceView& source : instance.sources()) {
    Labels labels = {{"source", source.name}};
    polls.samples.push_back({labels, static_cast<double>(source.counts.polls), {}, 0, 0});
    failed.samples.push_back({labels, static_cast<double>(source.counts.failed_polls), {}, 0, 0});
    records.samples.push_back({labels, static_cast<double>(source.counts.records), {}, 0, 0});
  }
  families.insert(families.end(), {polls, failed, records});
}

void process_metrics(Instance& instance, std::vector<MetricFamily>& families) {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  auto one = [&](std::string name, std::string help, MetricType type, double value) {
    families.push_back({std::move(name), std::move(help), type, {{{}, value, {}, 0, 0}}});
  };
  one("millrace_process_cpu_seconds_total", "CPU time of this process.", MetricType::kCounter,
      seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime));
  one("millrace_process_resident_memory_max_bytes", "Largest resident memory so far.", MetricType::kGauge,
      static_cast<double>(usage.ru_maxrss) * 1024);
  one("millrace_tables_size_bytes", "Bytes of the table store's files.", MetricType::kGauge,
      static_cast<double>(instance.data().store().bytes_on_disk()));
  if (auto space = instance.env().files.space(instance.data().path())) {
    one("millrace_disk_free_bytes", "Bytes left on the data directory's file system.", MetricType::kGauge,
        static_cast<double>(space->free_bytes));
  }
  one("millrace_disk_min_free_bytes", "Below so many free bytes nothing new is taken in.", MetricType::kGauge,
      static_cast<double>(instance.min_free_bytes()));
  one("millrace_log_sync_running_seconds", "How long the sync that is under way has taken; 0 when there is none.",
      MetricType::kGauge, std::chrono::duration<double>(instance.data().log().sync_running_for()).count());
  families.push_back({"millrace_build_info",
                      "The version that runs.",
                      MetricType::kGauge,
                      {{{{"version", std::string(kVersion)}}, 1, {}, 0, 0}}});
}

Result<Response> metrics(const Call& call) {
  std::vector<MetricFamily> families;
  topic_metrics(call.instance, families);
  stream_metrics(call.instance, families);
  source_metrics(call.instance, families);
  process_metrics(call.instance, families);
  Response response;
  response.content_type = serve::http::kMetricsContentType;
  response.body = serve::http::metrics_text(families);
  return response;
}

/// `{"file": …, "profile": …}`: the server reads the file itself, so it must be on this machine.
Result<Response> apply(const Call& call) {
  TRY(Json body, call.body_object());
  project::LoadResult loaded = load_project(call.instance.env(), body.string_or("file", ""), body.string_or("profile", ""));
  Instance::Applied applied;
  if (loaded.project) {
    TRY(applied, call.instance.apply(std::move(*loaded.project)));
    loaded.faults.insert(loaded.faults.end(), applied.faults.begin(), applied.faults.end());
  }
  Json faults = Json::array(), changes = Json::array();
  for (const project::Fault& fault : loaded.faults) faults.push(fault_json(fault));
  for (const project::Change& change : applied.changes) {
    changes.push(Json::object()
                     .set("what", change.what)
                     .set("verdict", change.verdict == project::Change::Verdict::kLive ? "live" : "refused")
                     .set("reason", change.reason));
  }
  Json json = Json::object();
  json.set("applied", applied.done).set("faults", std::move(faults)).set("changes", std::move(changes));
  return json_response(json);
}

constexpr Route kRoutes[] = {
    {"GET", "/v1/status", true, status}, {"GET", "/livez", true, livez},      {"GET", "/readyz", true, readyz},
    {"GET", "/metrics", true, metrics},  {"POST", "/v1/apply", false, apply},
};

}  // namespace

std::span<const Route> status_routes() { return kRoutes; }

}  // namespace millrace::app
