#include <gtest/gtest.h>

#include "project/load.h"
#include "project/memory_files.h"

namespace millrace::project {
namespace {

/// Loads a query and says where the word `HERE` of its SQL stands, by the line and column within the SQL.
std::string where(const std::string& yaml, std::map<std::string, std::string> files = {}) {
  files["p/f.yaml"] = yaml;
  MemoryFiles in_memory(std::move(files));
  LoadResult result = load(in_memory, "p/f.yaml", {{}, {{"V", "value"}}});
  if (!result.project.has_value()) return to_string(result.faults.front());
  const SqlText& sql = result.project->queries[0].sql;
  size_t here = sql.text.find("HERE");
  if (here == std::string::npos) return "not there";
  return to_string(sql.at_offset(here));
}

TEST(SqlText, KnowsWhereItStandsInTheFile) {
  EXPECT_EQ(where("name: x\nqueries:\n  q:\n    into: t\n    sql: |\n      SELECT\n        HERE\n"), "p/f.yaml:7:9");
  EXPECT_EQ(where("name: x\nqueries:\n  q:\n    into: t\n    sql: |\n      HERE\n"), "p/f.yaml:6:7");
  EXPECT_EQ(where("name: x\nqueries:\n  q:\n    into: t\n    sql: |-\n\n\n      SELECT\n\n      HERE"), "p/f.yaml:10:7");
  EXPECT_EQ(where("name: x\nqueries:\n  q:\n    into: t\n    sql: |2 # why not\n        SELECT\n      HERE\n"), "p/f.yaml:7:7");
  EXPECT_EQ(where("name: x\nqueries:\n  q:\n    into: t\n    sql: &a |\n      HERE\n"), "p/f.yaml:6:7");
  EXPECT_EQ(where("name: x\nqueries:\n  q:\n    into: t\n    sql: |\n      SELECT ${V} ${V} HERE\n"), "p/f.yaml:6:24");
  EXPECT_EQ(where("name: x\nqueries:\n  q: { into: t, sql: SELECT HERE }\n"), "p/f.yaml:3:29");
  EXPECT_EQ(where("name: x\nqueries:\n  q: { into: t, sql: \"SELECT HERE\" }\n"), "p/f.yaml:3:30");
  EXPECT_EQ(where("name: x\nqueries:\n  q: { into: t, sql: 'SELECT HERE' }\n"), "p/f.yaml:3:30");
}

TEST(SqlText, WhatIsEscapedOrFoldedStandsAtItsBegin) {
  EXPECT_EQ(where("name: x\nqueries:\n  q: { into: t, sql: \"SELECT \\\"a\\\", HERE\" }\n"), "p/f.yaml:3:22");
  EXPECT_EQ(where("name: x\nqueries:\n  q: { into: t, sql: 'SELECT ''a'', HERE' }\n"), "p/f.yaml:3:22");
  EXPECT_EQ(where("name: x\nqueries:\n  q:\n    into: t\n    sql: SELECT\n      HERE\n"), "p/f.yaml:5:10");
}

TEST(SqlText, StandsInItsOwnFile) {
  EXPECT_EQ(where("name: x\nqueries:\n  q: { into: t, sql_file: sql/a.sql }\n", {{"p/sql/a.sql", "SELECT ${V}\n  HERE"}}),
            "p/sql/a.sql:2:3");
  EXPECT_EQ(where("name: x\nqueries:\n  q: { into: t, sql_file: /a.sql }\n", {{"/a.sql", "\xef\xbb\xbfHERE"}}), "/a.sql:1:1");
  EXPECT_EQ(where("name: x\nqueries:\n  q: { into: t, sql_file: a.sql }\n", {{"p/a.sql", " \n"}}),
            "p/a.sql: error: the SQL file is empty [missing-key]\n  hint: write the query there");
}

TEST(SqlText, MapsLineAndColumnAsEnginesCountThem) {
  SqlText sql;
  sql.text = "SELECT\n  a";
  sql.location = {"f", 10, 7};
  sql.indent = 6;
  EXPECT_EQ(sql.at(1, 1), (Location{"f", 10, 7}));
  EXPECT_EQ(sql.at(2, 3), (Location{"f", 11, 9}));
  EXPECT_EQ(sql.at_offset(1000), (Location{"f", 11, 10}));
}

}  // namespace
}  // namespace millrace::project
