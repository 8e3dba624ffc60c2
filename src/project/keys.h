#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::project {

/// What may stand under a key.
enum class ValueKind {
  kText,
  kInteger,
  kBoolean,
  kDuration,
  kSize,      // bytes: 4096, 64MiB
  kTime,      // ISO 8601
  kChoice,    // one of `choices`
  kSql,       // never folded
  kTexts,     // list of texts
  kTextMap,   // names to texts
  kSqlMap,    // names to SQL
  kMap,       // the keys listed below it
  kNames,     // any names; below each the keys listed under `<name>`
  kPart,      // a URL, or a map
  kCommand,   // a list of texts, or a map
  kSettings,  // dotted paths to any value
};

/// One key of the pipeline file: described once, here, for validation, suggestions and docs/pipeline-file.md.
struct Key {
  std::string_view path;  // segments joined by dots; `<x>` stands for any name
  ValueKind kind = ValueKind::kText;
  std::string_view fallback;  // what holds when it is absent, for the reader; `required` when it must be there
  std::string_view what;
  std::string_view choices = {};  // separated by one space
  int64_t min = std::numeric_limits<int64_t>::min();
  int64_t max = std::numeric_limits<int64_t>::max();

  bool required() const { return fallback == "required"; }
};

std::span<const Key> all_keys();

/// The keys as a tree.
struct KeyTree {
  const Key* key = nullptr;  // null at the root
  std::vector<std::pair<std::string_view, std::unique_ptr<KeyTree>>> children;
  std::unique_ptr<KeyTree> any_name;  // `<x>`

  const KeyTree* child(std::string_view name) const;
  std::vector<std::string_view> names() const;
};

const KeyTree& key_tree();

/// A few words: "a duration", "a whole number".
std::string_view kind_words(ValueKind kind);

/// The rows of the reference's table, one a key.
std::string keys_markdown();

}  // namespace millrace::project
