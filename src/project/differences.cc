#include "project/differences.h"

#include <fmt/format.h>

#include <algorithm>

namespace millrace::project {
namespace {

using Verdict = Change::Verdict;

std::string shown(const std::optional<Duration>& d) { return d.has_value() ? format_duration(*d) : "none"; }
std::string shown(const std::optional<SqlText>& sql) { return sql.has_value() ? sql->text : ""; }
std::string shown(const std::vector<KeyColumn>& columns) {
  std::string out;
  for (const KeyColumn& c : columns) out += fmt::format("{}{}{}", out.empty() ? "" : ", ", c.name, c.descending ? " desc" : "");
  return fmt::format("[{}]", out);
}
std::string flat(const std::map<std::string, Text>& texts) {
  std::string out;
  for (const auto& [key, text] : texts) out += fmt::format("{}={}\n", key, text.value);
  return out;
}
std::string flat(const std::vector<Mention>& mentions) {
  std::string out;
  for (const Mention& m : mentions) out += m.name + "\n";
  return out;
}

/// One setting of a thing, as text to compare. Long and secret ones are compared but not shown.
struct Aspect {
  std::string_view key;
  std::string value;
  bool can_show = true;
};

std::vector<Aspect> aspects(const HttpRequest& h) {
  std::string auth =
      h.auth.has_value() ? fmt::format("{}\n{}\n{}", h.auth->bearer.value, h.auth->user.value, h.auth->password.value) : "";
  std::string page = h.page.has_value() ? fmt::format("{} {} {} {} {}", h.page->param, h.page->start, h.page->size_param,
                                                      h.page->size, h.page->max)
                                        : "";
  std::string retry =
      fmt::format("{} {} {}", h.retry.attempts, format_duration(h.retry.delay), format_duration(h.retry.delay_max));
  return {{"http.url", h.url.value, false},
          {"http.method", h.method},
          {"http.headers", flat(h.headers), false},
          {"http.auth", auth, false},
          {"http.records", h.records},
          {"http.timeout", format_duration(h.timeout)},
          {"http.page", page},
          {"http.retry", retry},
          {"http.max_bytes", std::to_string(h.max_bytes)},
          {"http.redirects", std::to_string(h.redirects)}};
}

std::vector<Aspect> aspects(const PostgresPoll& p) {
  return {{"postgres.connection", p.connection},
          {"postgres.table", p.table},
          {"postgres.column", p.column},
          {"postgres.limit", std::to_string(p.limit)}};
}

std::vector<Aspect> aspects(const FilePoll& f) {
  return {{"file.path", f.path},
          {"file.format", std::to_string(static_cast<int>(f.format)), false},
          {"file.follow", f.follow ? "true" : "false"}};
}

std::vector<Aspect> aspects(const Source& s) {
  std::vector<Aspect> out = {{"every", format_duration(s.every)},
                             {"run", s.run == SourceRun::kDag ? "dag" : "always"},
                             {"into", s.into},
                             {"key", s.key},
                             {"raw_into", s.raw_into}};
  for (Aspect& aspect : std::visit([](const auto& from) { return aspects(from); }, s.from)) out.push_back(std::move(aspect));
  return out;
}

struct TaskText {
  std::string operator()(const IngestTask& t) const { return fmt::format("ingest {} {}", t.source.name, shown(t.length)); }
  std::string operator()(const SqlTask& t) const { return "sql " + t.sql.text; }
  std::string operator()(const CheckTask& t) const { return "check " + t.sql.text; }
  std::string operator()(const ExecTask& t) const {
    std::string out = "exec\n";
    for (const Text& arg : t.argv) out += arg.value + "\n";
    return out + flat(t.env);
  }
  std::string operator()(const WaitTask& t) const { return fmt::format("wait_for {} {}", t.query.name, shown(t.timeout)); }
};

std::vector<Aspect> aspects(const Dag& d) {
  auto day = [](const std::optional<WrittenTime>& t) { return t.has_value() ? t->text : std::string("none"); };
  std::string tasks;
  for (const Task& t : d.tasks) {
    tasks += fmt::format("{}\n{}\n{}{} {} {}\n", t.name, std::visit(TaskText{}, t.does), flat(t.after), t.retries,
                         format_duration(t.retry_delay), shown(t.timeout));
  }
  return {{"schedule", d.schedule.value_or("null")},
          {"start_date", day(d.start_date)},
          {"end_date", day(d.end_date)},
          {"timezone", d.timezone},
          {"catchup", d.catchup ? "true" : "false"},
          {"max_active_runs", std::to_string(d.max_active_runs)},
          {"tasks", tasks, false}};
}

class Comparison {
 public:
  Comparison(const Project& running, const Project& wanted, const DifferenceRules& rules)
      : running_(running), wanted_(wanted), rules_(rules) {}

  std::vector<Change> run() {
    part("log", running_.parts.log, wanted_.parts.log);
    part("tables", running_.parts.tables, wanted_.parts.tables);
    part("metadata", running_.parts.metadata, wanted_.parts.metadata);
    part("registry", running_.parts.registry, wanted_.parts.registry);
    each("topic", running_.topics, wanted_.topics, "its records stay until `topic delete`",
         [&](const Topic& a, const Topic& b) { topic(a, b); });
    each("table", running_.tables, wanted_.tables, "its rows stay until `table delete`",
         [&](const Table& a, const Table& b) { table(a, b); });
    connections();
    each("source", running_.sources, wanted_.sources, "it stops", [&](const Source& a, const Source& b) {
      if (a.from.index() != b.from.index()) {
        return live(fmt::format("source {}: reads from elsewhere", b.name), "the source starts again with it", b.location);
      }
      changed_aspects(fmt::format("source {}", b.name), aspects(a), aspects(b), "the source starts again with it", b.location);
    });
    each("query", running_.queries, wanted_.queries, "it stops; what it wrote stays",
         [&](const Query& a, const Query& b) { query(a, b); });
    each("dag", running_.dags, wanted_.dags, "running tasks end first; its runs stay listed", [&](const Dag& a, const Dag& b) {
      changed_aspects(fmt::format("dag {}", b.name), aspects(a), aspects(b), "from the next run on", b.location);
    });
    return std::move(changes_);
  }

 private:
  void live(std::string what, std::string reason, const Location& at) {
    changes_.push_back({std::move(what), Verdict::kLive, std::move(reason), at});
  }
  void refuse(std::string what, std::string reason, const Location& at) {
    changes_.push_back({std::move(what), Verdict::kRefused, std::move(reason), at});
  }

  template <class T, class Compare>
  void each(std::string_view kind, const std::vector<T>& before, const std::vector<T>& after, std::string_view when_gone,
            Compare compare) {
    std::map<std::string_view, const T*> old;
    for (const T& thing : before) old.emplace(thing.name, &thing);
    for (const T& thing : after) {
      auto known = old.find(thing.name);
      if (known == old.end()) {
        live(fmt::format("{} {}: new", kind, thing.name), "it starts now", thing.location);
      } else {
        compare(*known->second, thing);
        old.erase(known);
      }
    }
    for (const auto& [name, thing] : old) live(fmt::format("{} {}: gone", kind, name), std::string(when_gone), thing->location);
  }

  void changed_aspects(const std::string& what, const std::vector<Aspect>& before, const std::vector<Aspect>& after,
                       std::string_view reason, const Location& at) {
    for (size_t i = 0; i < before.size(); ++i) {
      if (before[i].value == after[i].value) continue;
      std::string change = before[i].can_show ? fmt::format("{} {} -> {}", before[i].key, before[i].value, after[i].value)
                                              : fmt::format("{} changed", before[i].key);
      live(fmt::format("{}: {}", what, change), std::string(reason), at);
    }
  }

  void part(std::string_view role, const Part& before, const Part& after) {
    if (before.url.value == after.url.value && before.options == after.options) return;
    refuse(fmt::format("{}: the URL or its options changed", role),
           "a part is chosen at start: stop, then run with the new profile", after.location);
  }

  void connections() {
    for (const Connection& connection : wanted_.connections) {
      if (!connection.used) continue;
      const Connection* before = find(running_.connections, connection.name);
      if (before != nullptr && before->used) {
        part("connection " + connection.name, before->part, connection.part);
      } else {
        refuse(fmt::format("connection {}: new", connection.name), "connections are opened at start: stop, then run again",
               connection.location);
      }
    }
  }

  /// Whether somebody chose partitions by key, so that more of them would tear a key's records apart.
  static bool keyed(const Project& project, const Topic& topic) {
    if (!topic.written_by_query.empty()) return true;
    return std::any_of(project.sources.begin(), project.sources.end(),
                       [&](const Source& s) { return s.into == topic.name && !s.key.empty(); });
  }

  bool any_stateful() const {
    return std::any_of(running_.queries.begin(), running_.queries.end(), [&](const Query& q) { return rules_.stateful(q); });
  }

  void topic(const Topic& a, const Topic& b) {
    std::string what = fmt::format("topic {}: ", b.name);
    if (a.partitions != b.partitions) {
      std::string change = fmt::format("{}partitions {} -> {}", what, a.partitions, b.partitions);
      if (b.partitions < a.partitions) {
        refuse(change, "partitions cannot be taken away: use a new topic", b.location);
      } else if (keyed(running_, a) || keyed(wanted_, b)) {
        refuse(change, "records of one key would be in two partitions: use a new topic", b.location);
      } else {
        live(change, "new records spread over all of them", b.location);
      }
    }
    if (shown(a.event_time) != shown(b.event_time)) {
      if (any_stateful()) {
        refuse(what + "event_time changed", "queries hold state that was built with the old one: use a new topic", b.location);
      } else {
        live(what + "event_time changed", "for the next records", b.location);
      }
    }
    if (shown(a.schema) != shown(b.schema)) topic_schema(what, a, b);
    auto rules = [](const Topic& t) {
      std::string out;
      for (const NamedSql& rule : t.contract) out += fmt::format("{}: {}\n", rule.name, rule.sql.text);
      return out;
    };
    auto other = [&](const Topic& t) -> std::vector<Aspect> {
      std::string bytes = t.retention.bytes.has_value() ? std::to_string(*t.retention.bytes) : "none";
      return {{"watermark", fmt::format("{}, {}", format_duration(t.watermark.disorder), format_duration(t.watermark.idle))},
              {"contract", rules(t), false},
              {"retention.time", shown(t.retention.time)},
              {"retention.size", bytes},
              {"compression", std::to_string(static_cast<int>(t.compression)), false},
              {"sync", std::to_string(static_cast<int>(t.sync)), false},
              {"format", std::to_string(static_cast<int>(t.format)), false}};
    };
    changed_aspects(fmt::format("topic {}", b.name), other(a), other(b), "at once; records are not written again", b.location);
  }

  void topic_schema(const std::string& what, const Topic& a, const Topic& b) {
    if (!a.schema.has_value() || !b.schema.has_value()) {
      return live(what + (b.schema.has_value() ? "schema declared" : "schema no longer declared"), "queries are compiled again",
                  b.location);
    }
    columns(what + "schema", *a.schema, *b.schema, /*may_remove=*/true, b.location);
  }

  /// Columns may be added (they are NULL in what is older), never of another type.
  void columns(const std::string& what, const SqlText& before, const SqlText& after, bool may_remove, const Location& at) {
    Result<model::Schema> a = rules_.parse_columns(before.text);
    Result<model::Schema> b = rules_.parse_columns(after.text);
    if (!a || !b) return refuse(what + " changed", (a ? b : a).error().message, at);
    fields(what, "", a->fields, b->fields, may_remove, at);
  }

  void fields(const std::string& what, const std::string& above, const std::vector<model::Field>& before,
              const std::vector<model::Field>& after, bool may_remove, const Location& at) {
    auto named = [](const std::vector<model::Field>& all, std::string_view name) {
      return std::find_if(all.begin(), all.end(), [&](const model::Field& f) { return model::same_name(f.name, name); });
    };
    for (const model::Field& field : before) {
      std::string path = above + field.name;
      auto now = named(after, field.name);
      if (now == after.end() && may_remove) {
        live(fmt::format("{}: without {}", what, path), "queries are compiled again", at);
      } else if (now == after.end()) {
        refuse(fmt::format("{}: without {}", what, path), "stored rows hold the column: use a new table", at);
      } else if (field.type.id == model::TypeId::kStruct && now->type.id == model::TypeId::kStruct && may_remove) {
        fields(what, path + ".", field.type.fields, now->type.fields, may_remove, at);
      } else if (!(field.type == now->type)) {
        refuse(fmt::format("{}: {} {} -> {}", what, path, model::to_sql(field.type), model::to_sql(now->type)),
               "what is stored has the old type: use a new one beside it", at);
      }
    }
    for (const model::Field& field : after) {
      if (named(before, field.name) == before.end())
        live(fmt::format("{}: with {}{}", what, above, field.name), "NULL in what is older", at);
    }
  }

  void table(const Table& a, const Table& b) {
    std::string what = fmt::format("table {}: ", b.name);
    if (a.partition_key != b.partition_key) {
      refuse(fmt::format("{}partition_key {} -> {}", what, shown(a.partition_key), shown(b.partition_key)),
             "rows are stored by their key: use a new table", b.location);
    }
    if (a.clustering != b.clustering) {
      refuse(fmt::format("{}clustering {} -> {}", what, shown(a.clustering), shown(b.clustering)),
             "rows are stored by their key: use a new table", b.location);
    }
    if (a.columns.has_value() && b.columns.has_value()) {
      if (!(*a.columns == *b.columns)) columns(what + "columns", *a.columns, *b.columns, /*may_remove=*/false, b.location);
    } else if (a.columns.has_value() != b.columns.has_value()) {
      live(what + (b.columns.has_value() ? "columns declared" : "columns no longer declared"),
           "they are held against the query's", b.location);
    }
    std::vector<Aspect> before = {
        {"ttl", shown(a.ttl)}, {"seed", a.seed.value_or("none")}, {"delete_when", shown(a.delete_when), false}};
    std::vector<Aspect> after = {
        {"ttl", shown(b.ttl)}, {"seed", b.seed.value_or("none")}, {"delete_when", shown(b.delete_when), false}};
    changed_aspects(fmt::format("table {}", b.name), before, after, "for rows written from now on", b.location);
  }

  void query(const Query& a, const Query& b) {
    std::string what = fmt::format("query {}: ", b.name);
    if (a.into != b.into || a.into_table != b.into_table) {
      refuse(fmt::format("{}into {} -> {}", what, a.into, b.into),
             "its position belongs to what it wrote: give the query another name", b.into_location);
    }
    bool stateful = rules_.stateful(a);
    if (!(a.sql == b.sql)) {
      if (stateful) {
        refuse(what + "sql changed", "its state was built by the old SQL: give it another name, or stop and `query reset` it",
               b.sql.location);
      } else {
        live(what + "sql changed", "from the next record on", b.sql.location);
      }
    }
    if (a.emit != b.emit || a.late != b.late || a.lateness != b.lateness) {
      if (stateful) {
        refuse(what + "emit, late or lateness changed",
               "its state was built with the old ones: give it another name, or stop and `query reset` it", b.location);
      } else {
        live(what + "emit, late or lateness changed", "they only matter to windows", b.location);
      }
    }
    if (a.on_error != b.on_error) live(what + "on_error changed", "from the next record on", b.location);
  }

  const Project& running_;
  const Project& wanted_;
  const DifferenceRules& rules_;
  std::vector<Change> changes_;
};

}  // namespace

std::vector<Change> differences(const Project& running, const Project& wanted, const DifferenceRules& rules) {
  return Comparison(running, wanted, rules).run();
}

}  // namespace millrace::project
