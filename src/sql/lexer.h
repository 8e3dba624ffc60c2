#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace millrace::sql {

struct Token {
  enum class Kind { kEnd, kWord, kQuoted, kString, kOther };
  Kind kind = Kind::kEnd;
  size_t begin = 0;
  std::string_view text;  // with its quotes

  size_t end() const { return begin + text.size(); }
  /// The name that an identifier stands for; empty for other tokens.
  std::string name() const;
};

/// Splits SQL into words, "quoted names", 'strings' ($tag$ too) and single other characters; spaces and comments are left out.
/// Never fails: what is not closed goes to the end of the text.
class Lexer {
 public:
  explicit Lexer(std::string_view sql, size_t position = 0) : sql_(sql), at_(position) {}
  Token next();

 private:
  void skip_space();
  size_t end_of_quoted(char quote, bool backslashes) const;
  size_t end_of_dollar_quoted() const;

  std::string_view sql_;
  size_t at_;
};

/// The same words in either case (ASCII).
bool is_word(const Token& token, std::string_view upper_case);

}  // namespace millrace::sql
