#include "project/profile.h"

#include <fmt/format.h>

namespace millrace::project {
namespace {

constexpr size_t kSettingsMax = 1000;

/// Walks a dotted path of `set` down the tree. A name with dots is found because the longest key that fits is taken.
class Setting {
 public:
  Setting(const Node::Entry& setting, bool apply, FaultList& faults) : setting_(setting), apply_(apply), faults_(faults) {}

  void place(Node& at, const KeyTree& keys, std::string_view rest) {
    if (at.is_null() && !apply_) {
      Node empty;
      empty.kind = Node::Kind::kMap;
      return place(empty, keys, rest);
    }
    if (at.is_null()) at.kind = Node::Kind::kMap;
    if (!at.is_map()) {
      return fault("unknown-reference", fmt::format("'{}' leads below a value that is not a map", setting_.key),
                   "set the whole value");
    }
    if (Node::Entry* entry = longest(at, rest); entry != nullptr) return step(*entry, keys, rest);
    bool free_names = keys.key != nullptr && (keys.key->kind == ValueKind::kTextMap || keys.key->kind == ValueKind::kSqlMap);
    std::string_view segment = free_names ? rest : rest.substr(0, rest.find('.'));
    if (!free_names && keys.any_name != nullptr) {
      std::vector<std::string_view> names;
      for (const Node::Entry& entry : at.entries) names.push_back(entry.key);
      return fault("unknown-reference", fmt::format("'{}' leads to nothing in this file: there is no '{}'", setting_.key, rest),
                   suggestion(rest, names));
    }
    if (!free_names && keys.child(segment) == nullptr) {
      return fault("unknown-key", fmt::format("'{}' leads to the unknown key '{}'", setting_.key, segment),
                   suggestion(segment, keys.names()));
    }
    Node fresh;
    fresh.line = setting_.key_at.line;
    fresh.column = setting_.key_at.column;
    if (!apply_) {
      Node::Entry looked_at{std::string(segment), setting_.key_at, std::move(fresh)};
      return step(looked_at, keys, rest);
    }
    at.entries.push_back({std::string(segment), setting_.key_at, std::move(fresh)});
    step(at.entries.back(), keys, rest);
  }

 private:
  static Node::Entry* longest(Node& map, std::string_view rest) {
    Node::Entry* best = nullptr;
    for (Node::Entry& entry : map.entries) {
      bool fits =
          rest == entry.key || (rest.size() > entry.key.size() && rest.starts_with(entry.key) && rest[entry.key.size()] == '.');
      if (fits && (best == nullptr || entry.key.size() > best->key.size())) best = &entry;
    }
    return best;
  }

  void step(Node::Entry& entry, const KeyTree& keys, std::string_view rest) {
    if (rest == entry.key) {
      if (apply_) entry.value = setting_.value;
      return;
    }
    const KeyTree* below = keys.child(entry.key);
    static const KeyTree kNothing;
    place(entry.value, below == nullptr ? kNothing : *below, rest.substr(entry.key.size() + 1));
  }

  void fault(std::string_view code, std::string message, std::string hint) {
    faults_.add(setting_.key_at, code, std::move(message), std::move(hint));
  }

  const Node::Entry& setting_;
  bool apply_;
  FaultList& faults_;
};

void apply_settings(Node& root, const std::vector<Node::Entry>& settings, bool apply, FaultList& faults) {
  size_t taken = 0;
  for (const Node::Entry& setting : settings) {
    if (++taken > kSettingsMax) {
      return faults.add(setting.key_at, "too-big", fmt::format("a profile sets more than {} values", kSettingsMax),
                        "write a file of its own");
    }
    if (setting.key == "profiles" || setting.key.starts_with("profiles.")) {
      faults.add(setting.key_at, "misplaced-key", "a profile cannot set a profile", "set values of the other sections");
    } else {
      Setting(setting, apply, faults).place(root, key_tree(), setting.key);
    }
  }
}

/// Whether something outside of `connections` mentions the name.
bool is_used(const Node& root, const std::string& connection) {
  std::string prefix = connection + ".";
  auto names = [&](const Node* node) {
    return node != nullptr && node->is_scalar() && (node->text.text == connection || node->text.text.starts_with(prefix));
  };
  for (const Node::Entry& section : root.entries) {
    for (const Node::Entry& entry : section.value.entries) {
      if (section.key == "tables" && entry.key.starts_with(prefix)) return true;
      if (section.key == "queries" && names(entry.value.get("into"))) return true;
      const Node* postgres = entry.value.get("postgres");
      bool polled = postgres != nullptr && names(postgres->get("connection"));
      if (section.key == "sources" && (polled || names(entry.value.get("raw_into")))) return true;
    }
  }
  return false;
}

}  // namespace

const Node* select_profile(const std::string& file, Node& root, const std::string& profile, const Surroundings& surroundings,
                           FaultList& faults) {
  // Copied, because a setting may move what the root holds.
  std::vector<Node::Entry> settings;
  bool found = false;
  Location profiles_at{file, 0, 0};
  std::vector<std::string> names;
  for (Node::Entry& section : root.entries) {
    if (section.key != "profiles") continue;
    profiles_at = section.key_at;
    for (const Node::Entry& entry : section.value.entries) {
      names.push_back(entry.key);
      bool selected = entry.key == profile;
      found = found || selected;
      const Node* set = entry.value.get("set");
      if (set == nullptr || !set->is_map()) continue;
      if (selected) {
        settings = set->entries;
      } else {
        apply_settings(root, set->entries, false, faults);
      }
    }
  }
  if (!found && profile != "dev") {
    std::vector<std::string_view> known(names.begin(), names.end());
    if (known.empty()) known.push_back("dev");
    faults.add(profiles_at, "unknown-profile", fmt::format("there is no profile '{}' in this file", profile),
               suggestion(profile, known));
  }
  apply_settings(root, settings, true, faults);

  Node* chosen = nullptr;
  for (Node::Entry& section : root.entries) {
    if (section.key == "connections") continue;
    if (section.key != "profiles") {
      interpolate_tree(section.value, surroundings, faults);
    } else {
      for (Node::Entry& entry : section.value.entries) {
        if (entry.key == profile) chosen = &entry.value;
        for (Node::Entry& part : entry.value.entries) {
          if (entry.key == profile && part.key != "set") {
            interpolate_tree(part.value, surroundings, faults);
          } else {
            check_forms(part.value, faults);
          }
        }
      }
    }
  }
  // After all others, whose values may name one. A variable that nothing here needs may be unset.
  for (Node::Entry& section : root.entries) {
    if (section.key != "connections") continue;
    for (Node::Entry& entry : section.value.entries) {
      if (is_used(root, entry.key)) {
        interpolate_tree(entry.value, surroundings, faults);
      } else {
        check_forms(entry.value, faults);
      }
    }
  }
  return chosen;
}

}  // namespace millrace::project
