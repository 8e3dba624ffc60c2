#include "sql/lexer.h"

#include <algorithm>

#include "model/schema.h"

namespace millrace::sql {
namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v'; }
bool starts_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}
bool in_word(char c) { return starts_word(c) || (c >= '0' && c <= '9') || c == '$'; }

}  // namespace

std::string Token::name() const {
  if (kind == Kind::kWord) return std::string(text);
  if (kind != Kind::kQuoted) return {};
  std::string out;
  for (size_t i = 1; i + 1 < text.size(); ++i) {
    out += text[i];
    if (text[i] == '"') ++i;
  }
  return out;
}

bool is_word(const Token& token, std::string_view upper_case) {
  return token.kind == Token::Kind::kWord && model::same_name(token.text, upper_case);
}

void Lexer::skip_space() {
  while (at_ < sql_.size()) {
    if (is_space(sql_[at_])) {
      ++at_;
    } else if (sql_.substr(at_, 2) == "--") {
      at_ = std::min(sql_.find('\n', at_), sql_.size());
    } else if (sql_.substr(at_, 2) == "/*") {
      // Comments nest, as in PostgreSQL's lexer.
      size_t depth = 0;
      do {
        bool opens = sql_.substr(at_, 2) == "/*", closes = sql_.substr(at_, 2) == "*/";
        depth += opens;
        depth -= closes;
        at_ += opens || closes ? 2 : 1;
      } while (depth > 0 && at_ < sql_.size());
    } else {
      return;
    }
  }
}

size_t Lexer::end_of_quoted(char quote, bool backslashes) const {
  size_t at = sql_.find(quote, at_) + 1;
  for (; at < sql_.size(); ++at) {
    if (backslashes && sql_[at] == '\\') {
      ++at;
    } else if (sql_[at] == quote) {
      if (at + 1 >= sql_.size() || sql_[at + 1] != quote) return at + 1;
      ++at;
    }
  }
  return sql_.size();
}

size_t Lexer::end_of_dollar_quoted() const {
  size_t tag = at_ + 1;
  while (tag < sql_.size() && in_word(sql_[tag]) && sql_[tag] != '$') ++tag;
  if (tag >= sql_.size() || sql_[tag] != '$' || (sql_[at_ + 1] >= '0' && sql_[at_ + 1] <= '9')) return at_ + 1;
  std::string_view quote = sql_.substr(at_, tag + 1 - at_);
  size_t close = sql_.find(quote, tag + 1);
  return close == std::string_view::npos ? sql_.size() : close + quote.size();
}

Token Lexer::next() {
  skip_space();
  if (at_ >= sql_.size()) return {Token::Kind::kEnd, sql_.size(), {}};
  char c = sql_[at_];
  bool escapes = (c == 'e' || c == 'E') && sql_.substr(at_ + 1, 1) == "'";
  Token token{Token::Kind::kOther, at_, {}};
  size_t end = at_ + 1;
  if (c == '"') {
    token.kind = Token::Kind::kQuoted;
    end = end_of_quoted('"', false);
  } else if (c == '\'' || escapes) {
    token.kind = Token::Kind::kString;
    end = end_of_quoted('\'', escapes);
  } else if (c == '$') {
    end = end_of_dollar_quoted();
    if (end > at_ + 1) token.kind = Token::Kind::kString;
  } else if (starts_word(c)) {
    token.kind = Token::Kind::kWord;
    while (end < sql_.size() && in_word(sql_[end])) ++end;
  }
  token.text = sql_.substr(at_, end - at_);
  at_ = end;
  return token;
}

}  // namespace millrace::sql
