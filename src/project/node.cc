#include "project/node.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <map>
#include <sstream>
#include <unordered_map>

#include "base/bytes.h"
#include "project/limits.h"

namespace millrace::project {
namespace {

/// Ends the parse from inside a handler; its fault is in the list already.
struct Stop {};

size_t line_start(std::string_view text, size_t at) { return at == 0 ? 0 : text.rfind('\n', at - 1) + 1; }

/// A tab in the indentation of the line that holds `at`, or of the one before it; npos when there is none.
size_t tab_near(std::string_view text, size_t at) {
  size_t start = line_start(text, std::min(at, text.size()));
  for (int lines = 0; lines < 2; ++lines) {
    size_t word = std::min(text.find_first_not_of(" \t", start), text.size());
    size_t tab = text.substr(0, word).find('\t', start);
    if (tab != std::string_view::npos) return tab;
    if (start == 0) break;
    start = line_start(text, start - 1);
  }
  return std::string_view::npos;
}

Location place_of(const std::string& file, std::string_view text, size_t offset) {
  auto line = std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(offset), '\n');
  return {file, static_cast<int>(line) + 1, static_cast<int>(offset - line_start(text, offset)) + 1};
}

/// Builds the tree out of yaml-cpp's events. Nesting is refused in the start events, before yaml-cpp recurses any deeper.
class Builder : public YAML::EventHandler {
 public:
  Builder(const std::string& file, std::string_view text, FaultList& faults) : file_(file), text_(text), faults_(faults) {}

  std::optional<Node> root;

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (root.has_value())
      stop(mark, "several-documents", "the file holds more than one document", "keep one; remove the line '---'");
  }
  void OnDocumentEnd() override {
    if (!root.has_value()) root = Node{};
  }
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { put(make(mark, Node::Kind::kNull), anchor); }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    auto found = anchors_.find(anchor);
    if (found == anchors_.end()) stop(mark, "yaml-alias", "the alias stands inside of what it names", "write the value out");
    count(mark, found->second.nodes, found->second.bytes);
    if (depth() + found->second.depth > kNestingMax) too_deep(mark);
    if (!open_.empty()) open_.back().deepest = std::max(open_.back().deepest, found->second.depth);
    put(Node(found->second.node), 0);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, const std::string& value) override {
    check_tag(mark, tag);
    if (value.find('\0') != std::string::npos) stop(mark, "bad-encoding", "the text holds a NUL character", "remove it");
    Node node = make(mark, Node::Kind::kScalar);
    count(mark, 0, value.size());
    node.text.text = value;
    place_text(node, skip_anchor(static_cast<size_t>(mark.pos)), tag == "!");
    put(std::move(node), anchor);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    start(mark, tag, anchor, Node::Kind::kList);
  }
  void OnSequenceEnd() override { end(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
    start(mark, tag, anchor, Node::Kind::kMap);
  }
  void OnMapEnd() override { end(); }

 private:
  struct Frame {
    Node node;
    YAML::anchor_t anchor = 0;
    std::optional<Node> key;           // of a map: read, its value not yet
    std::map<std::string, int> lines;  // of a map: where each key stands
    size_t nodes_before = 0;
    size_t bytes_before = 0;
    int deepest = 0;
  };
  struct Anchor {
    Node node;
    size_t nodes = 1;
    size_t bytes = 0;
    int depth = 0;
  };

  Location at(const YAML::Mark& mark) const { return {file_, mark.line + 1, mark.column + 1}; }
  int depth() const { return static_cast<int>(open_.size()); }

  [[noreturn]] void stop(const YAML::Mark& mark, std::string_view code, std::string message, std::string hint) {
    faults_.add(at(mark), code, std::move(message), std::move(hint));
    throw Stop{};
  }
  [[noreturn]] void too_deep(const YAML::Mark& mark) {
    stop(mark, "too-deep", fmt::format("lists and maps nest deeper than {} levels", kNestingMax),
         "a pipeline file needs about 8");
  }

  void count(const YAML::Mark& mark, size_t nodes, size_t bytes) {
    nodes_ += nodes;
    bytes_ += bytes;
    if (nodes_ > kNodesMax || bytes_ > kExpandedBytesMax) {
      stop(mark, "too-big",
           fmt::format("the file has more than {} values or expands to more than {} MiB", kNodesMax, kExpandedBytesMax >> 20),
           "split it, or use fewer aliases");
    }
  }

  Node make(const YAML::Mark& mark, Node::Kind kind) {
    count(mark, 1, 0);
    Node node;
    node.kind = kind;
    node.line = mark.line + 1;
    node.column = mark.column + 1;
    return node;
  }

  void check_tag(const YAML::Mark& mark, const std::string& tag) {
    if (tag.empty() || tag == "?" || tag == "!") return;
    faults_.add(at(mark), "yaml-tag", fmt::format("the tag '{}' is not supported", tag), "write the value without it");
  }

  void start(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, Node::Kind kind) {
    check_tag(mark, tag);
    if (depth() >= kNestingMax) too_deep(mark);
    Frame frame;
    frame.nodes_before = nodes_;
    frame.bytes_before = bytes_;
    frame.node = make(mark, kind);
    frame.anchor = anchor;
    open_.push_back(std::move(frame));
  }

  void end() {
    Frame frame = std::move(open_.back());
    open_.pop_back();
    if (!open_.empty()) open_.back().deepest = std::max(open_.back().deepest, frame.deepest + 1);
    if (frame.anchor != 0) {
      anchors_[frame.anchor] = {frame.node, nodes_ - frame.nodes_before, bytes_ - frame.bytes_before, frame.deepest + 1};
    }
    put(std::move(frame.node), 0);
  }

  void put(Node node, YAML::anchor_t anchor) {
    if (anchor != 0) anchors_[anchor] = {node, 1, node.text.text.size(), 0};
    if (open_.empty()) {
      root = std::move(node);
    } else if (open_.back().node.is_list()) {
      open_.back().node.items.push_back(std::move(node));
    } else if (!open_.back().key.has_value()) {
      open_.back().key = std::move(node);
    } else {
      Frame& map = open_.back();
      add_entry(map, *std::exchange(map.key, std::nullopt), std::move(node));
    }
  }

  void add_entry(Frame& map, Node key, Node value) {
    Location key_at = place(file_, key);
    if (!key.is_scalar()) {
      faults_.add(key_at, "wrong-type", fmt::format("{} cannot be a key", key.kind_name()), "write a word");
    } else if (key.text.text == "<<" && key.style == Node::Style::kPlain) {
      faults_.add(key_at, "merge-key", "merge keys (<<) are not supported", "write the keys out, or alias the whole map");
    } else if (auto [first, is_new] = map.lines.emplace(key.text.text, key.line); !is_new) {
      faults_.add(key_at, "duplicate-key", fmt::format("the key '{}' stands here a second time", key.text.text),
                  fmt::format("the first is in line {}; keep one", first->second));
    } else {
      map.node.entries.push_back({std::move(key.text.text), std::move(key_at), std::move(value)});
    }
  }

  /// The mark of an anchored scalar is that of its anchor.
  size_t skip_anchor(size_t pos) const {
    if (pos >= text_.size() || text_[pos] != '&') return pos;
    pos = text_.find_first_of(" \t\n", pos);
    return std::min(text_.find_first_not_of(" \t\n", std::min(pos, text_.size())), text_.size());
  }

  /// Finds where the scalar's characters stand in the file; marks it inexact where they are folded or escaped.
  void place_text(Node& node, size_t pos, bool not_plain) {
    node.text.location = place(file_, node);
    pos = std::min(pos, text_.size());
    char first = pos < text_.size() ? text_[pos] : ' ';
    if (not_plain && (first == '|' || first == '>')) {
      node.style = first == '|' ? Node::Style::kLiteral : Node::Style::kFolded;
      place_block(node, pos);
      return;
    }
    node.style = not_plain ? Node::Style::kQuoted : Node::Style::kPlain;
    if (not_plain) ++pos;
    const std::string& value = node.text.text;
    node.text.exact = text_.substr(std::min(pos, text_.size()), value.size()) == value;
    node.text.location.column += not_plain ? 1 : 0;
    if (!node.text.exact) node.text.location = place(file_, node);
  }

  void place_block(Node& node, size_t pos) {
    size_t start = text_.find('\n', pos);
    if (start == std::string_view::npos || node.style == Node::Style::kFolded) {
      node.text.exact = false;
      return;
    }
    ++start;
    size_t word = text_.find_first_not_of(" \n", start);
    size_t indent = word == std::string_view::npos ? 0 : word - line_start(text_, word);
    const std::string& value = node.text.text;
    size_t value_word = value.find_first_not_of(" \n");
    if (value_word != std::string::npos) indent -= std::min(indent, value_word - line_start(value, value_word));
    node.text.indent = static_cast<int>(indent);
    node.text.location = {file_, node.line + 1, static_cast<int>(indent) + 1};
  }

  const std::string& file_;
  std::string_view text_;
  FaultList& faults_;
  std::vector<Frame> open_;
  std::unordered_map<YAML::anchor_t, Anchor> anchors_;
  size_t nodes_ = 0;
  size_t bytes_ = 0;
};

/// What else than yaml-cpp's own words would help at this place.
std::string yaml_hint(std::string_view text, size_t pos, const std::string& words) {
  if (pos < text.size() && (text[pos] == '@' || text[pos] == '`' || text[pos] == '%')) {
    return fmt::format("put the text in quotes: a plain one cannot begin with '{}'", text[pos]);
  }
  if (words.find("map value") != std::string::npos) return "put a text that holds ': ' in quotes, and check the indentation";
  if (words.find("flow") != std::string::npos) return "close every [ and {; inside of them put texts with ${…} in quotes";
  return "check the indentation and the quotes near this place";
}

void add_yaml_fault(const std::string& file, std::string_view text, const YAML::Exception& e, FaultList& faults) {
  Location at{file, std::max(e.mark.line, 0) + 1, std::max(e.mark.column, 0) + 1};
  size_t pos = static_cast<size_t>(std::max(e.mark.pos, 0));
  if (size_t tab = tab_near(text, pos); tab != std::string_view::npos) {
    faults.add(place_of(file, text, tab), "tab-indent", "a tab stands in the indentation",
               "indent with spaces: YAML knows no other way");
  } else if (e.msg.find("alias") != std::string::npos || e.msg.find("anchor") != std::string::npos) {
    faults.add(at, "yaml-alias", e.msg,
               "an alias (*name) needs an anchor (&name) before it; put a text that begins with * or & in quotes");
  } else {
    faults.add(at, "bad-yaml", e.msg, yaml_hint(text, pos, e.msg));
  }
}

/// Where the first byte stands that is not UTF-8.
size_t first_bad_byte(std::string_view text) {
  size_t good = 0;
  while (good < text.size()) {
    size_t character = 1;
    while (character <= 4 && !is_utf8(text.substr(good, character))) ++character;
    if (character > 4) break;
    good += character;
  }
  return good;
}

/// yaml-cpp takes some control characters for the end of the file.
bool check_encoding(const std::string& file, std::string_view text, FaultList& faults) {
  if (!is_utf8(text)) {
    faults.add(place_of(file, text, first_bad_byte(text)), "bad-encoding", "the file is not UTF-8", "save it as UTF-8");
    return false;
  }
  for (size_t i = 0; i < text.size(); ++i) {
    auto c = static_cast<unsigned char>(text[i]);
    if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f) {
      faults.add(place_of(file, text, i), "bad-encoding", fmt::format("a control character (0x{:02x})", c),
                 "remove it, or write it as an escape in double quotes");
      return false;
    }
  }
  return true;
}

std::string with_unix_lines(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n') continue;
    out += text[i];
  }
  return out;
}

}  // namespace

const Node* Node::get(std::string_view key) const {
  for (const Entry& entry : entries) {
    if (entry.key == key) return &entry.value;
  }
  return nullptr;
}
Node* Node::get(std::string_view key) { return const_cast<Node*>(std::as_const(*this).get(key)); }

std::string_view Node::kind_name() const {
  switch (kind) {
    case Kind::kNull: return "nothing";
    case Kind::kScalar: return "a text or number";
    case Kind::kList: return "a list";
    case Kind::kMap: return "a map";
  }
  return "?";
}

std::optional<Node> parse_yaml(const std::string& file, std::string_view raw, FaultList& faults) {
  if (raw.starts_with("\xef\xbb\xbf")) raw.remove_prefix(3);
  std::string text = with_unix_lines(raw);
  if (!check_encoding(file, text, faults)) return std::nullopt;
  Builder builder(file, text, faults);
  try {
    std::istringstream in(text);
    YAML::Parser parser(in);
    while (parser.HandleNextDocument(builder)) {
    }
    if (!builder.root.has_value()) builder.root = Node{};
    return std::move(builder.root);
  } catch (const Stop&) {
  } catch (const YAML::Exception& e) {
    add_yaml_fault(file, text, e, faults);
  } catch (const std::exception& e) {
    faults.add({file, 0, 0}, "bad-yaml", e.what(), "");
  }
  return std::nullopt;
}

}  // namespace millrace::project
