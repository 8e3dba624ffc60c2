#include <fmt/format.h>

#include <map>

#include "app/api.h"
#include "base/bytes.h"
#include "table/dead_letters.h"

namespace millrace::app {
namespace {

using format::Json;

Json letter_json(const table::DeadLetter& letter) {
  Json json = Json::object();
  json.set("id", table::dead_letter_id(letter))
      .set("query", letter.query)
      .set("stage", letter.stage)
      .set("code", letter.code)
      .set("message", letter.message)
      .set("topic", letter.topic)
      .set("partition", letter.partition)
      .set("offset", letter.offset)
      .set("ts", format_instant(letter.timestamp))
      .set("key", bytes_json(letter.key))
      .set("value", bytes_json(letter.value));
  return json;
}

Result<Response> list(const Call& call) {
  TRY(int64_t limit, call.number("limit", 1000, 1, 100'000));
  Json letters = Json::array();
  table::DeadLetterScan scan(call.instance.data().store(), call.parameter("query"));
  for (; limit > 0; --limit) {
    TRY(auto letter, scan.next());
    if (!letter) break;
    letters.push(letter_json(*letter));
  }
  return json_response(letters);
}

Result<Response> show(const Call& call) {
  std::string id;
  for (const std::string& part : call.path) id += (id.empty() ? "" : "/") + part;
  TRY(table::DeadLetterKey key, table::parse_dead_letter_id(id));
  TRY(auto letter, table::find_dead_letter(call.instance.data().store(), key));
  if (!letter)
    return fail(Errc::kNotFound, fmt::format("there is no dead letter {}", id), "`millrace dead-letters list` shows them");
  return json_response(letter_json(*letter));
}

/// The ids for which the predicate over the relation dead_letters holds.
Result<std::vector<table::DeadLetterKey>> matching(const Call& call, const std::string& where) {
  std::string sql = "SELECT id FROM dead_letters";
  if (!where.empty()) sql += " WHERE (" + where + "\n)";
  std::vector<table::DeadLetterKey> keys;
  TRY_DO(call.instance.shell_engine().execute(
      sql, call.instance.catalog(), {call.instance.options().statement_time_max}, [&](const model::ColumnBatch& rows) -> Status {
        for (size_t i = 0; i < rows.rows; ++i) {
          TRY(table::DeadLetterKey key, table::parse_dead_letter_id(rows.columns[0].text(i)));
          keys.push_back(std::move(key));
        }
        return {};
      }));
  return keys;
}

Result<Response> replay(const Call& call) {
  constexpr size_t kEpochLetters = 10'000;
  TRY(Json body, call.body_object());
  TRY(auto keys, matching(call, body.string_or("where", "")));
  stream::Pipeline::ReplayReport total;
  uint64_t gone = 0;  // of queries that the pipeline has no more
  std::vector<table::DeadLetter> letters;
  auto flush = [&]() -> Status {
    if (letters.empty()) return {};
    std::string query = letters[0].query;
    if (!call.instance.query(query)) {
      gone += letters.size();
      letters.clear();
      return {};
    }
    TRY(auto report, call.instance.replay(query, std::move(letters)));
    letters.clear();
    total.replayed += report.replayed;
    total.superseded += report.superseded;
    total.still_dead += report.still_dead;
    return {};
  };
  for (const table::DeadLetterKey& key : keys) {
    TRY(auto letter, table::find_dead_letter(call.instance.data().store(), key));
    if (!letter) continue;
    if (!letters.empty() && (letters[0].query != letter->query || letters.size() >= kEpochLetters)) TRY_DO(flush());
    letters.push_back(std::move(*letter));
  }
  TRY_DO(flush());
  Json json = Json::object();
  json.set("matched", keys.size())
      .set("replayed", total.replayed)
      .set("superseded", total.superseded)
      .set("still_dead", total.still_dead);
  if (gone > 0) json.set("query_gone", gone);
  return json_response(json);
}

constexpr Route kRoutes[] = {
    {"GET", "/v1/dead-letters", true, list},
    {"POST", "/v1/dead-letters/replay", false, replay},
    {"GET", "/v1/dead-letters/**", true, show},
};

}  // namespace

std::span<const Route> dead_letter_routes() { return kRoutes; }

}  // namespace millrace::app
