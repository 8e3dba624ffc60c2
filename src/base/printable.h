#pragma once

#include <string>
#include <string_view>

namespace millrace {

/// One line of text that cannot drive a terminal or forge a line of a log: control characters (C0, DEL, C1), line separators and
/// the overrides of writing direction stand there as escapes (`\n`, `\x1b`, `\u202e`).
std::string printable(std::string_view text);

}  // namespace millrace
