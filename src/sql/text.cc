#include "sql/text.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/bytes.h"
#include "sql/duck_engine.h"
#include "sql/lexer.h"

namespace millrace::sql {
namespace {

// DuckDB 1.4 overflows the stack on dotted names of thousands of parts, and its time grows with the square of the number of CTEs.
constexpr int kNamePartsMax = 100;
constexpr int kCtesMax = 500;

bool starts_character(char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }

size_t count_characters(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), starts_character));
}

}  // namespace

std::string line_and_column(std::string_view text, size_t position) {
  std::string_view before = text.substr(0, position);
  size_t line = static_cast<size_t>(std::count(before.begin(), before.end(), '\n')) + 1;
  size_t begin = before.rfind('\n');
  std::string_view in_line = begin == std::string_view::npos ? before : before.substr(begin + 1);
  return fmt::format("LINE {}:{}: ", line, count_characters(in_line) + 1);
}

Status check_text(std::string_view sql) {
  if (sql.size() > kStatementBytesMax) {
    return fail(Errc::kResourceExhausted,
                fmt::format("the statement has {} bytes; at most {} are allowed", sql.size(), kStatementBytesMax));
  }
  if (!is_utf8(sql)) return fail(Errc::kInvalidArgument, "the statement is not UTF-8");
  if (sql.find('\0') != std::string_view::npos) return fail(Errc::kInvalidArgument, "the statement has a NUL character");
  auto too_much = [&](const Token& token, std::string_view what, int limit) {
    return fail(Errc::kResourceExhausted, fmt::format("{}{} {}", line_and_column(sql, token.begin), what, limit));
  };
  int depth = 0, parts = 0, ctes = 0;
  Lexer lexer(sql);
  Token before;
  for (Token token = lexer.next(); token.kind != Token::Kind::kEnd; token = lexer.next()) {
    if (token.text == "(" || token.text == "[" || token.text == "{") ++depth;
    if (token.text == ")" || token.text == "]" || token.text == "}") --depth;
    bool name = token.kind == Token::Kind::kWord || token.kind == Token::Kind::kQuoted;
    if (token.text == ".") {
      ++parts;
    } else if (!name || before.text != ".") {
      parts = 0;
    }
    if (token.text == "(" && (is_word(before, "AS") || is_word(before, "MATERIALIZED"))) ++ctes;
    if (depth > kStatementNestingMax) return too_much(token, "brackets nest deeper than", kStatementNestingMax);
    if (parts > kNamePartsMax) return too_much(token, "a dotted name has more parts than", kNamePartsMax);
    if (ctes > kCtesMax) return too_much(token, "there are more common table expressions than", kCtesMax);
    before = token;
  }
  return {};
}

}  // namespace millrace::sql
