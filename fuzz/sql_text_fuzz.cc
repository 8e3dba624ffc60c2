// rooms: sql
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "sql/lexer.h"
#include "sql/text.h"

/// Tokens stand in order inside of the text, and the checks of a statement's text never fail to answer.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using millrace::sql::Token;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  millrace::sql::Lexer lexer(text);
  size_t end = 0;
  for (Token token = lexer.next(); token.kind != Token::Kind::kEnd; token = lexer.next()) {
    if (token.begin < end || token.text.empty() || token.end() > size) std::abort();
    end = token.end();
    static_cast<void>(token.name());
  }
  static_cast<void>(millrace::sql::check_text(text));
  static_cast<void>(millrace::sql::line_and_column(text, size / 2));
  return 0;
}
