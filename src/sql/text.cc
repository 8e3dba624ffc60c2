#include "sql/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/bytes.h"
#include "sql/duck_engine.h"
#include "sql/lexer.h"

namespace millrace::sql {
namespace {

// DuckDB 1.4 overflows the stack on dotted names of thousands of parts, and its time grows with the square of the number of CTEs.
constexpr int kNamePartsMax = 100;
constexpr int kCtesMax = 500;
constexpr int kTokensMax = 20'000;
// A chain of operators costs the third power of its length; NATURAL JOINs of 100 tables take 20 s.
constexpr int kOperatorsMax = 300;
constexpr int kJoinsMax = 60;

bool is_operator(const Token& token) {
  return token.kind == Token::Kind::kOther && std::string_view("+-*/%|&<>=!^~#@:").find(token.text[0]) != std::string_view::npos;
}

/// What a list, a condition or a clause begins anew with.
bool ends_chain(const Token& token) {
  if (token.text == ",") return true;
  for (std::string_view word : {"AND", "OR", "WHEN", "THEN", "ELSE", "SELECT", "FROM", "WHERE", "ON", "UNION"}) {
    if (is_word(token, word)) return true;
  }
  return false;
}

bool is_digit(const Token& token) { return token.text[0] >= '0' && token.text[0] <= '9'; }
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
  int depth = 0, parts = 0, ctes = 0, tokens = 0, joins = 0;
  std::vector<int> chains(1);  // operators in a row, one count for each open bracket
  Lexer lexer(sql);
  Token before;
  for (Token token = lexer.next(); token.kind != Token::Kind::kEnd; token = lexer.next()) {
    if (token.text == "(" || token.text == "[" || token.text == "{") ++depth;
    if (token.text == ")" || token.text == "]" || token.text == "}") --depth;
    chains.resize(static_cast<size_t>(std::max(depth, 0)) + 1);
    // Digits, and the signs of one operator, are single tokens to the lexer.
    bool goes_on = token.begin == before.end() && token.kind == Token::Kind::kOther && before.kind == Token::Kind::kOther &&
                   (is_operator(token) ? is_operator(before) : is_digit(token) && is_digit(before));
    if (!goes_on) ++tokens;
    if (is_operator(token) && !goes_on) ++chains.back();
    if (ends_chain(token)) chains.back() = 0;
    if (is_word(token, "JOIN")) ++joins;
    if (tokens > kTokensMax) return too_much(token, "the statement has more tokens than", kTokensMax);
    if (chains.back() > kOperatorsMax) return too_much(token, "there are more operators in a row than", kOperatorsMax);
    if (joins > kJoinsMax) return too_much(token, "there are more joins than", kJoinsMax);
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
