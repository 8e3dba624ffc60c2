#include <gtest/gtest.h>

#include "sql/error.h"
#include "sql/lexer.h"
#include "sql/splices.h"

namespace millrace::sql {
namespace {

std::string split(std::string_view sql) {
  std::string out;
  Lexer lexer(sql);
  for (Token token = lexer.next(); token.kind != Token::Kind::kEnd; token = lexer.next())
    out += (out.empty() ? "" : "|") + std::string(token.text);
  return out;
}

TEST(Lexer, SplitsSqlAsThePosgresLexerDoes) {
  const std::pair<const char*, const char*> cases[] = {
      {"", ""},
      {"SELECT a.b", "SELECT|a|.|b"},
      {"a -- b ( \n c", "a|c"},
      {"a /* ( /* [ */ ; */ b", "a|b"},
      {"'it''s (' \"a\"\"b (\"", "'it''s ('|\"a\"\"b (\""},
      {"E'a\\'(' e", "E'a\\'('|e"},
      {"$$ ( ' $$ x $tag$ $$ ) $tag$", "$$ ( ' $$|x|$tag$ $$ ) $tag$"},
      {"$1 + ünï", "$|1|+|ünï"},
      {"'open (", "'open ("},
      {"/* open", ""},
      {"\"open", "\"open"},
  };
  for (const auto& [sql, expected] : cases) EXPECT_EQ(split(sql), expected) << sql;
}

TEST(Lexer, NamesOfIdentifiers) {
  EXPECT_EQ(Lexer("\"a\"\"b\"").next().name(), "a\"b");
  EXPECT_EQ(Lexer("Abc").next().name(), "Abc");
  EXPECT_EQ(Lexer("'x'").next().name(), "");
}

TEST(Splices, ReplaceAndLeadBack) {
  std::string text = "FROM a, bb WHERE c";
  Splices splices;
  splices.replace(8, 10, "scan(2) AS bb");
  splices.replace(5, 6, "scan(1) AS a");
  splices.replace(18, 18, "!");
  std::string out = splices.apply(text);
  EXPECT_EQ(out, "FROM scan(1) AS a, scan(2) AS bb WHERE c!");
  PositionMap back = splices.way_back();
  EXPECT_EQ(back(0), 0u);
  EXPECT_EQ(back(5), 5u);
  EXPECT_EQ(back(12), 5u);
  EXPECT_EQ(back(out.find(',')), 6u);
  EXPECT_EQ(back(out.find("scan(2)") + 3), 8u);
  EXPECT_EQ(back(out.find("WHERE")), text.find("WHERE"));
  EXPECT_EQ(back(out.find("c!")), text.find("c", 15));
}

TEST(MakeError, FindsThePlaceInTheExcerpt) {
  std::string sql = "SELECT 1,\n 'é', nope";
  Error error =
      make_error(DUCKDB_ERROR_BINDER, "Binder Error: no\n\tsuch  thing\n\nLINE 2:  'é', nope\n              ^", sql, sql);
  EXPECT_EQ(error.message, "LINE 2:7: no such thing");
  EXPECT_EQ(make_error(DUCKDB_ERROR_BINDER, "Binder Error: x\n\nLINE 9: z\n        ^", sql, sql).message, "x");
  EXPECT_EQ(make_error(DUCKDB_ERROR_BINDER, "a: b", sql, sql).message, "a: b");
  EXPECT_EQ(make_error(DUCKDB_ERROR_OUT_OF_MEMORY, "Out of Memory Error: x", sql, sql).code, Errc::kResourceExhausted);
  EXPECT_EQ(line_and_column("ü\nüx", 5), "LINE 2:2: ");
}

TEST(CheckText, BoundsTokensOperatorsAndJoins) {
  auto repeat = [](const std::string& one, int times) {
    std::string out;
    for (int i = 0; i < times; ++i) out += one;
    return out;
  };
  EXPECT_TRUE(check_text("SELECT 1" + repeat("||1", 300)));
  EXPECT_FALSE(check_text("SELECT 1" + repeat("||1", 301)));
  EXPECT_FALSE(check_text("SELECT (1" + repeat("+(1)", 301) + ")"));
  EXPECT_TRUE(check_text("SELECT 1" + repeat(", 1 + 1", 400)));
  EXPECT_TRUE(check_text("SELECT a FROM t WHERE a = 1" + repeat(" OR a = 1", 1000)));
  EXPECT_TRUE(check_text("FROM t" + repeat(" JOIN t USING (a)", 60)));
  EXPECT_FALSE(check_text("FROM t" + repeat(" JOIN t USING (a)", 61)));
  EXPECT_TRUE(check_text("SELECT 123456" + repeat(",123456", 9'999)));
  EXPECT_FALSE(check_text("SELECT 1" + repeat(",1", 10'000)));
}

TEST(CheckText, CountsBracketsOutsideOfTexts) {
  EXPECT_TRUE(check_text("SELECT '" + std::string(1000, '(') + "'"));
  EXPECT_TRUE(check_text("SELECT 1 -- " + std::string(1000, '(')));
  EXPECT_FALSE(check_text("SELECT " + std::string(201, '[')));
  std::string wide = "SELECT 1 FROM t WHERE t.a", deep = "SELECT a";
  for (int i = 0; i < 101; ++i) {
    EXPECT_TRUE(check_text(deep));
    wide += " AND t.a";
    deep += ".a";
  }
  EXPECT_TRUE(check_text(wide));
  EXPECT_FALSE(check_text(deep));
}

}  // namespace
}  // namespace millrace::sql
