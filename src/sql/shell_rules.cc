#include "sql/shell_rules.h"

#include <fmt/format.h>

#include <algorithm>

#include "model/schema.h"

namespace millrace::sql {
namespace {

struct Forbidden {
  std::string_view word;
  std::string_view remedy;
};
constexpr Forbidden kForbidden[] = {
    {"INSERT", "produce records into a topic, or let a query write the table"},
    {"UPDATE", "produce a record with the same key; the query upserts the row"},
    {"DELETE", "remove rows by key with `millrace table delete`"},
    {"TRUNCATE", "use `millrace table truncate` or `millrace topic truncate`"},
    {"MERGE", "tables are written by queries"},
    {"CREATE", "declare topics, tables and queries in the pipeline file"},
    {"DROP", "take it out of the pipeline file, or use `millrace topic delete`"},
    {"ALTER", "change the pipeline file and apply it"},
    {"COPY", "read with SELECT and write the output to a file yourself"},
    {"EXPORT", "use `millrace backup`"},
    {"IMPORT", "use `millrace restore`"},
    {"ATTACH", "other databases are connections of the pipeline file"},
    {"DETACH", ""},
    {"USE", "write keyspace.table"},
    {"INSTALL", "there are no extensions"},
    {"LOAD", "there are no extensions"},
    {"PRAGMA", ""},
    {"SET", "settings are in the pipeline file"},
    {"RESET", ""},
    {"CALL", ""},
    {"CHECKPOINT", ""},
    {"VACUUM", ""},
    {"ANALYZE", ""},
    {"BEGIN", "every statement reads one snapshot by itself"},
    {"START", "every statement reads one snapshot by itself"},
    {"COMMIT", ""},
    {"ROLLBACK", ""},
    {"ABORT", ""},
    {"PREPARE", ""},
    {"EXECUTE", ""},
    {"DEALLOCATE", ""},
    {"COMMENT", ""},
    {"PIVOT", "use aggregates with FILTER (WHERE …)"},
    {"PIVOT_WIDER", "use aggregates with FILTER (WHERE …)"},
    {"UNPIVOT", "use UNNEST over a list of the columns"},
    {"PIVOT_LONGER", "use UNNEST over a list of the columns"},
};

constexpr std::string_view kTableFunctions[] = {"range",     "generate_series", "unnest",    "json_each",
                                                "json_tree", "repeat",          "repeat_row"};

constexpr size_t kNameBytesMax = 100;

/// Levenshtein's distance, without case.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t above = row[j];
      bool same = model::same_name(a.substr(i - 1, 1), b.substr(j - 1, 1));
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (same ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

}  // namespace

Status check_first_word(const Token& token) {
  for (const Forbidden& forbidden : kForbidden) {
    if (is_word(token, forbidden.word)) {
      return fail(Errc::kPermissionDenied, fmt::format("{} is refused: {}", forbidden.word, kOnlyReads),
                  std::string(forbidden.remedy));
    }
  }
  return {};
}

bool is_open_table_function(std::string_view name) {
  return std::any_of(std::begin(kTableFunctions), std::end(kTableFunctions),
                     [&](std::string_view open) { return model::same_name(open, name); });
}

std::string nearest_name(std::string_view name, const std::vector<std::string>& known) {
  std::string best;
  size_t best_distance = std::max<size_t>(2, name.size() / 3) + 1;
  for (const std::string& one : known) {
    if (one.size() > kNameBytesMax || name.size() > kNameBytesMax) continue;
    size_t dot = one.find('.');
    bool same_table = dot != std::string::npos && model::same_name(std::string_view(one).substr(dot + 1), name);
    size_t distance = same_table ? 0 : edit_distance(one, name);
    if (distance >= best_distance) continue;
    best = one;
    best_distance = distance;
  }
  return best;
}

}  // namespace millrace::sql
