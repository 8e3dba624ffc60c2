#include "project/validate.h"

#include <fmt/format.h>

#include "project/scalar.h"

namespace millrace::project {
namespace {

class Validator {
 public:
  Validator(const std::string& file, FaultList& faults) : file_(file), faults_(faults) {}

  void map(const Node& node, const KeyTree& keys, const Location& owner) {
    for (const Node::Entry& entry : node.entries) {
      const KeyTree* below = keys.child(entry.key);
      if (below == nullptr) {
        faults_.add(entry.key_at, "unknown-key", fmt::format("unknown key '{}'", entry.key), key_hint(entry, keys));
      } else {
        value(entry.value, *below, entry.key_at);
      }
    }
    for (const auto& [name, below] : keys.children) {
      if (below->key == nullptr || !below->key->required()) continue;
      const Node* given = node.get(name);
      bool empty = given == nullptr || given->is_null() || (given->is_scalar() && !given->broken && given->text.empty());
      if (empty) faults_.add(owner, "missing-key", fmt::format("the key '{}' is missing", name), std::string(below->key->what));
    }
  }

 private:
  static std::string key_hint(const Node::Entry& entry, const KeyTree& keys) {
    // `{ sql: SELECT a, b FROM t }` is a map of two keys.
    if (entry.value.is_null() && entry.key.find(' ') != std::string::npos)
      return "inside of { } a text with a comma needs quotes";
    return suggestion(entry.key, keys.names());
  }

  void value(const Node& node, const KeyTree& keys, const Location& key_at) {
    if (node.broken) return;
    ValueKind kind = keys.key == nullptr ? ValueKind::kMap : keys.key->kind;
    bool wants_map = kind == ValueKind::kMap || kind == ValueKind::kNames;
    if (node.is_null() && !wants_map) return;  // as if the key were absent
    switch (kind) {
      case ValueKind::kMap:
      case ValueKind::kNames:
        if (node.is_map() || node.is_null()) return map(node, keys, key_at);
        return wrong_type(node, kind);
      case ValueKind::kPart:
      case ValueKind::kCommand:
        if (node.is_map()) return map(node, keys, key_at);
        if (kind == ValueKind::kPart ? node.is_scalar() : node.is_list()) return texts(node, ValueKind::kText);
        return wrong_type(node, kind);
      case ValueKind::kTexts:
        if (node.is_list()) return texts(node, ValueKind::kText);
        return wrong_type(node, kind);
      case ValueKind::kTextMap:
      case ValueKind::kSqlMap: {
        if (!node.is_map()) return wrong_type(node, kind);
        for (const Node::Entry& entry : node.entries) {
          scalar(entry.value, kind == ValueKind::kSqlMap ? ValueKind::kSql : ValueKind::kText, keys.key);
        }
        return;
      }
      case ValueKind::kSettings:
        if (!node.is_map()) wrong_type(node, kind);
        return;
      default: return scalar(node, kind, keys.key);
    }
  }

  void texts(const Node& node, ValueKind kind) {
    for (const Node& item : node.items) scalar(item, kind, nullptr);
  }

  void wrong_type(const Node& node, ValueKind wanted) {
    std::string hint;
    if (wanted == ValueKind::kTexts && node.is_scalar()) hint = "write it in brackets: [ … ]";
    if (wanted == ValueKind::kCommand) hint = "write [program, argument, …]; no shell reads it";
    if (node.is_map() && wanted == ValueKind::kText) hint = "a text that begins with { needs quotes";
    faults_.add(place(file_, node), "wrong-type",
                fmt::format("{} stands where {} is expected", node.kind_name(), kind_words(wanted)), std::move(hint));
  }

  template <class T>
  bool read(const Node& node, const Result<T>& value, std::string_view code) {
    if (!value) faults_.add(place(file_, node), code, value.error().message, value.error().hint);
    return value.has_value();
  }

  static std::string limit(ValueKind kind, int64_t n) {
    if (kind == ValueKind::kDuration) return format_duration(Duration(n));
    return kind == ValueKind::kSize ? fmt::format("{} bytes", n) : std::to_string(n);
  }

  void in_range(const Node& node, int64_t value, const Key* key) {
    if (value >= key->min && value <= key->max) return;
    std::string message = value < key->min ? fmt::format("the value is too small: {} is the least", limit(key->kind, key->min))
                                           : fmt::format("the value is too big: {} is the most", limit(key->kind, key->max));
    faults_.add(place(file_, node), "out-of-range", std::move(message), std::string(key->what));
  }

  void scalar(const Node& node, ValueKind kind, const Key* key) {
    if (node.broken) return;
    if (!node.is_scalar()) return wrong_type(node, kind);
    switch (kind) {
      case ValueKind::kInteger:
        if (auto n = read_integer(node); read(node, n, "wrong-type")) in_range(node, *n, key);
        return;
      case ValueKind::kBoolean: read(node, read_boolean(node), "wrong-type"); return;
      case ValueKind::kDuration:
        if (auto d = read_duration(node); read(node, d, "bad-duration")) in_range(node, d->count(), key);
        return;
      case ValueKind::kSize:
        if (auto n = read_size(node); read(node, n, "bad-size")) in_range(node, *n, key);
        return;
      case ValueKind::kTime: read(node, read_time(node), "bad-time"); return;
      case ValueKind::kChoice: return choice(node, key);
      case ValueKind::kSql: return sql(node);
      default: return;
    }
  }

  void choice(const Node& node, const Key* key) {
    std::vector<std::string_view> known;
    for (std::string_view rest = key->choices; !rest.empty();) {
      size_t space = rest.find(' ');
      known.push_back(rest.substr(0, space));
      rest = space == std::string_view::npos ? std::string_view() : rest.substr(space + 1);
      if (known.back() == node.text.text) return;
    }
    std::string word = node.secret ? "the value" : fmt::format("'{}'", node.text.text);
    faults_.add(place(file_, node), "bad-choice", fmt::format("{} is not one of {}", word, fmt::join(known, ", ")),
                suggestion(node.text.text, known));
  }

  void sql(const Node& node) {
    if (node.style == Node::Style::kFolded) {
      faults_.add(place(file_, node), "folded-sql", "SQL in a folded block (>): its lines could not be reported",
                  "write | instead of >");
    } else if (node.text.text.find_first_not_of(" \t\n\r") == std::string::npos) {
      faults_.add(place(file_, node), "missing-key", "the SQL is empty", "write it here, or remove the key");
    }
  }

  const std::string& file_;
  FaultList& faults_;
};

}  // namespace

void validate(const std::string& file, const Node& node, const KeyTree& keys, const Location& owner, FaultList& faults) {
  Validator(file, faults).map(node, keys, owner);
}

}  // namespace millrace::project
