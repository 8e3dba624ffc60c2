#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "project/fault.h"
#include "project/project.h"

namespace millrace::project {

/// A YAML value with the place where it stands.
struct Node {
  enum class Kind { kNull, kScalar, kList, kMap };
  enum class Style { kPlain, kQuoted, kLiteral, kFolded };
  struct Entry;

  Kind kind = Kind::kNull;
  Style style = Style::kPlain;
  int line = 0;
  int column = 0;
  /// Scalars: the value and the way back to the file.
  SqlText text;
  bool substituted = false;    // a ${…} was replaced
  bool secret = false;         // by a file's content
  bool broken = false;         // a ${…} could not be replaced: the value means nothing
  std::vector<Node> items;     // of a list
  std::vector<Entry> entries;  // of a map, keys unique, as in the file

  bool is_map() const { return kind == Kind::kMap; }
  bool is_null() const { return kind == Kind::kNull; }
  bool is_scalar() const { return kind == Kind::kScalar; }
  bool is_list() const { return kind == Kind::kList; }
  /// The value under a key; null when the key is absent or this is no map.
  const Node* get(std::string_view key) const;
  Node* get(std::string_view key);
  /// A few words for messages: "a list", "a map", "a text", "nothing".
  std::string_view kind_name() const;
};

struct Node::Entry {
  std::string key;
  Location key_at;
  Node value;
};

inline Location place(const std::string& file, const Node& node) { return {file, node.line, node.column}; }

/// Reads one YAML document. Faults go to `faults`; nullopt when the text cannot be read to its end (the first such fault is
/// reported, yaml-cpp does not go on) and when it is over a limit. Duplicate keys: the first one is kept.
std::optional<Node> parse_yaml(const std::string& file, std::string_view text, FaultList& faults);

}  // namespace millrace::project
