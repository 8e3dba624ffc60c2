#include <algorithm>

#include "project/project.h"

namespace millrace::project {

Location SqlText::at(int line, int column) const {
  if (!exact) return location;
  int row = line - 1, col = column - 1;
  const Piece* from = nullptr;
  for (const Piece& piece : pieces) {
    if (piece.line > row || (piece.line == row && piece.column > col)) break;
    from = &piece;
  }
  Piece first{0, 0, location.line, location.column};
  if (from == nullptr) from = &first;
  if (from->line == row) return {location.file, from->file_line, from->file_column + col - from->column};
  return {location.file, from->file_line + row - from->line, col + indent + 1};
}

Location SqlText::at_offset(size_t offset) const {
  std::string_view before = std::string_view(text).substr(0, std::min(offset, text.size()));
  auto line = std::count(before.begin(), before.end(), '\n');
  size_t start = before.rfind('\n') + 1;  // npos + 1 is 0
  return at(static_cast<int>(line) + 1, static_cast<int>(before.size() - start) + 1);
}

}  // namespace millrace::project
