#include <fmt/format.h>

#include "app/api.h"
#include "app/api_topics_elsewhere.h"
#include "table/dead_letters.h"
#include "table/table_reader.h"

namespace millrace::app {
namespace {

using format::Json;

Json query_json(const QueryView& query) {
  Json json = Json::object();
  json.set("query", query.name)
      .set("topic", query.topic)
      .set("into", query.into)
      .set("into_kind", query.into_table ? "table" : "topic")
      .set("state", query.state)
      .set("reason", query.reason.empty() ? Json() : Json(query.reason))
      .set("balance", balance_json(query))
      .set("rows_written", query.position.balance.rows_written)
      .set("epoch", query.position.epoch);
  Json offsets = Json::array();
  for (const auto& partition : query.position.partitions) offsets.push(partition.next.value);
  json.set("offsets", std::move(offsets));
  return json;
}

Result<Response> list(const Call& call) {
  Json queries = Json::array();
  for (const QueryView& query : call.instance.queries()) queries.push(query_json(query));
  return json_response(queries);
}

Result<Response> describe(const Call& call) {
  TRY(QueryView query, call.instance.query(call.path[0]));
  return json_response(query_json(query));
}

Result<Response> pause(const Call& call) {
  TRY_DO(call.instance.pause_query(call.path[0]));
  return describe(call);
}

Result<Response> resume(const Call& call) {
  TRY_DO(call.instance.resume_query(call.path[0]));
  return describe(call);
}

/// The same `from` for every partition.
Result<std::vector<model::Offset>> offsets_from(Instance& instance, const std::string& name, const std::string& from) {
  std::vector<model::Offset> offsets;
  auto local = instance.parts()->has_own_log() ? instance.data().log().find(name) : nullptr;
  TRY(port::TopicInfo info, instance.parts()->topics().describe(name));
  for (size_t p = 0; p < info.partitions.size(); ++p) {
    if (local != nullptr) {
      TRY(model::Offset offset, offset_from(local->partition(model::Partition(static_cast<int32_t>(p))), from));
      offsets.push_back(offset);
    } else {
      TRY(model::Offset offset, offset_within(info.partitions[p], from));
      offsets.push_back(offset);
    }
  }
  return offsets;
}

Result<Response> reset(const Call& call) {
  TRY(Json body, call.body_object());
  TRY(QueryView query, call.instance.query(call.path[0]));
  TRY(auto offsets, offsets_from(call.instance, query.topic, body.string_or("from", "earliest")));
  TRY_DO(call.instance.reset_query(query.name, offsets));
  return describe(call);
}

// ---- why-empty
// -----------------------------------------------------------------------------------------------------------------

/// One step of the way from the outside to the rows: what came in, what went on, and a sentence when nothing did.
struct Edge {
  std::string from;
  std::string to;
  uint64_t in = 0;
  uint64_t out = 0;
  std::string why;  // empty: nothing is lost here
};

std::string plural(uint64_t count, std::string_view what) { return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s"); }

Edge source_edge(const SourceView& source) {
  const IngestCounts& counts = source.counts;
  Edge edge{"source " + source.name, "topic " + source.topic, counts.records + counts.refused, counts.records, ""};
  if (counts.refused > 0) {
    edge.why = fmt::format("the topic did not take {}: {}", plural(counts.refused, "record"), counts.last_error);
  } else if (counts.records == 0 && counts.failed_polls > 0) {
    edge.why = fmt::format("all of {} failed; the last: {}", plural(counts.polls, "poll"), counts.last_error);
  } else if (counts.records == 0 && counts.polls > 0) {
    edge.why =
        fmt::format("{} succeeded, but none gave a record: look at `records:`, the JSON path", plural(counts.polls, "poll"));
  } else if (counts.polls == 0) {
    edge.why = "it was not polled since the server started (a source with `run: dag` is polled by an ingest task)";
  }
  return edge;
}

/// The commonest reasons among the query's dead letters.
Result<std::string> dead_reasons(const Call& call, const std::string& query) {
  constexpr size_t kLettersLooked = 10'000;
  std::map<std::string, std::pair<uint64_t, std::string>> reasons;
  table::DeadLetterScan scan(call.instance.data().store(), query);
  for (size_t looked = 0; looked < kLettersLooked; ++looked) {
    TRY(auto letter, scan.next());
    if (!letter) break;
    auto& [count, example] = reasons[letter->stage + "/" + letter->code];
    if (count++ == 0) example = letter->message;
  }
  std::vector<std::pair<uint64_t, std::string>> sorted;
  for (const auto& [reason, found] : reasons)
    sorted.emplace_back(found.first, fmt::format("{} {}, such as: {}", found.first, reason, found.second));
  std::sort(sorted.rbegin(), sorted.rend());
  std::string text;
  for (size_t i = 0; i < std::min<size_t>(3, sorted.size()); ++i) text += (i == 0 ? "" : "; ") + sorted[i].second;
  return text;
}

Result<Edge> query_edge(const Call& call, const QueryView& query) {
  const stream::Balance& b = query.position.balance;
  Edge edge{"topic " + query.topic, "query " + query.name, b.in + query.in_flight, b.out, ""};
  if (edge.in == 0) {
    edge.why = fmt::format("topic {} has no records for the query", query.topic);
  } else if (query.state != "running") {
    edge.why = fmt::format("the query is {}{}{}", query.state, query.reason.empty() ? "" : ": ", query.reason);
  } else if (b.in == 0) {
    edge.why = fmt::format("{} waiting to be processed", plural(query.in_flight, "record"));
  } else if (b.dead > 0 && b.out == 0) {
    TRY(std::string reasons, dead_reasons(call, query.name));
    edge.why = fmt::format("{} of {} are dead letters ({})", b.dead, plural(b.in, "record"), reasons);
  } else if (b.filtered > 0 && b.out == 0) {
    edge.why = fmt::format("WHERE is not true for {} of {}", b.filtered, plural(b.in, "record"));
  } else if (b.skipped > 0 && b.out == 0) {
    edge.why = fmt::format("{} of {} failed and were skipped (on_error: skip)", b.skipped, plural(b.in, "record"));
  } else if (b.expired > 0 && b.out == 0) {
    edge.why = fmt::format("{} of {} are older than the table's ttl", b.expired, plural(b.in, "record"));
  } else if (b.dead + b.skipped + b.expired > 0) {
    TRY(std::string reasons, dead_reasons(call, query.name));
    edge.why = fmt::format("{} dead{}, {} skipped, {} expired, {} filtered of {}", b.dead,
                           reasons.empty() ? "" : " (" + reasons + ")", b.skipped, b.expired, b.filtered, plural(b.in, "record"));
  }
  return edge;
}

/// What another system holds is not counted.
Edge elsewhere_edge(const QueryView& query, uint64_t& rows) {
  rows = query.position.balance.rows_written;
  return {"query " + query.name, (query.into_table ? "table " : "topic ") + query.into, rows, rows, ""};
}

Result<std::optional<Edge>> sink_edge(const Call& call, const QueryView& query, uint64_t& rows) {
  if (!query.into_table) {
    auto into = call.instance.data().log().find(query.into);
    if (into == nullptr) return std::optional<Edge>(elsewhere_edge(query, rows));
    for (int32_t p = 0; p < into->partition_count(); ++p) {
      rows += static_cast<uint64_t>(into->partition(model::Partition(p)).end_offset() -
                                    into->partition(model::Partition(p)).start_offset());
    }
    return std::optional<Edge>(Edge{"query " + query.name, "topic " + query.into, query.position.balance.rows_written, rows, ""});
  }
  auto table = call.instance.data().tables().find(query.into);
  if (table == nullptr) return std::optional<Edge>(elsewhere_edge(query, rows));
  TRY(rows, table::count_rows(call.instance.data().store(), *table, table::whole_table(*table), call.instance.env().clock.now()));
  Edge edge{"query " + query.name, "table " + query.into, query.position.balance.rows_written, rows, ""};
  if (rows == 0 && edge.in > 0) {
    edge.why = fmt::format(
        "{} written, but the table is empty: they expired (ttl), were deleted, or the table was truncated; `millrace query reset "
        "{}` writes them again",
        plural(edge.in, "row"), query.name);
  } else if (rows < edge.in) {
    edge.why = fmt::format("{} written to {}: later rows replaced earlier ones with the same key{}", plural(edge.in, "row"),
                           plural(rows, "row"), table->def.ttl ? ", or expired" : "");
  }
  return std::optional<Edge>(edge);
}

/// At which edge records are lost first, from the source to the rows.
Result<Response> why_empty(const Call& call) {
  TRY(QueryView query, call.instance.query(call.path[0]));
  std::vector<Edge> edges;
  for (const SourceView& source : call.instance.sources()) {
    if (source.topic == query.topic) edges.push_back(source_edge(source));
  }
  TRY(Edge of_query, query_edge(call, query));
  // A topic that has records was filled by somebody, whatever its source has done since the server started.
  if (of_query.in > 0) std::erase_if(edges, [](const Edge& edge) { return edge.out == 0; });
  edges.push_back(of_query);
  uint64_t rows = 0;
  TRY(auto of_sink, sink_edge(call, query, rows));
  if (of_sink) edges.push_back(*of_sink);

  const Edge* first = nullptr;
  Json list = Json::array();
  for (const Edge& edge : edges) {
    if (first == nullptr && !edge.why.empty()) first = &edge;
    Json json = Json::object();
    json.set("from", edge.from)
        .set("to", edge.to)
        .set("in", edge.in)
        .set("out", edge.out)
        .set("why", edge.why.empty() ? Json() : Json(edge.why));
    list.push(std::move(json));
  }
  std::string answer;
  if (rows > 0) {
    answer = fmt::format("{} is not empty: it has {}", query.into, plural(rows, "row"));
    if (first != nullptr) answer += fmt::format("; the first loss is from {} to {}: {}", first->from, first->to, first->why);
  } else if (first != nullptr) {
    answer = fmt::format("{} is empty because of the edge from {} to {}: {}", query.into, first->from, first->to, first->why);
  } else {
    answer = fmt::format("{} is empty, and no edge has lost anything yet", query.into);
  }
  Json json = Json::object();
  json.set("query", query.name)
      .set("into", query.into)
      .set("empty", rows == 0)
      .set("answer", answer)
      .set("first_loss",
           first == nullptr ? Json() : Json::object().set("from", first->from).set("to", first->to).set("why", first->why))
      .set("edges", std::move(list));
  return json_response(json);
}

Result<Response> why_open(const Call& call) {
  TRY(QueryView query, call.instance.query(call.path[0]));
  Json json = Json::object();
  json.set("query", query.name)
      .set("windows", Json::array())
      .set("answer", fmt::format("query {} has no windows: each record is processed by itself", query.name));
  return json_response(json);
}

constexpr Route kRoutes[] = {
    {"GET", "/v1/queries", true, list},
    {"GET", "/v1/queries/*", true, describe},
    {"POST", "/v1/queries/*/pause", false, pause},
    {"POST", "/v1/queries/*/resume", false, resume},
    {"POST", "/v1/queries/*/reset", false, reset},
    {"GET", "/v1/queries/*/why-empty", true, why_empty},
    {"GET", "/v1/queries/*/why-open", true, why_open},
};

}  // namespace

std::span<const Route> query_routes() { return kRoutes; }

}  // namespace millrace::app
