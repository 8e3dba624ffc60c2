#include "project/interpolate.h"

#include <fmt/format.h>

#include "base/bytes.h"
#include "project/limits.h"

namespace millrace::project {
namespace {

constexpr int kInnerMax = 4;  // ${A:-${B:-…}}

bool is_variable_name(std::string_view name) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  for (char c : name) {
    bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    if (!word) return false;
  }
  return true;
}

/// The offset of the brace that closes the `${` before `from`, or npos.
size_t closing_brace(std::string_view text, size_t from) {
  int open = 1;
  for (size_t i = from; i < text.size(); ++i) {
    if (text[i] == '$' && i + 1 < text.size() && text[i + 1] == '{') ++open;
    if (text[i] == '}' && --open == 0) return i;
  }
  return std::string_view::npos;
}

class Interpolation {
 public:
  Interpolation(const SqlText& origin, const Surroundings& surroundings, FaultList& faults)
      : origin_(origin), surroundings_(surroundings), faults_(faults) {}

  bool broken = false;
  bool substituted = false;
  bool secret = false;
  std::vector<SqlText::Piece> pieces;

  /// `text` stands at `base` in the origin's text. Pieces are only recorded for the outermost text.
  std::string expand(std::string_view text, size_t base, int depth) {
    std::string out;
    size_t i = 0;
    while (i < text.size()) {
      size_t dollar = text.find('$', i);
      out += text.substr(i, dollar - i);
      if (dollar == std::string_view::npos) break;
      char next = dollar + 1 < text.size() ? text[dollar + 1] : '\0';
      size_t end = dollar + 1;
      if (next == '$') {
        out += '$';
        end = dollar + 2;
      } else if (next == '{') {
        size_t close = closing_brace(text, dollar + 2);
        if (close == std::string_view::npos) {
          fault(base + dollar, "bad-interpolation", "'${' has no closing '}'", "write $$ for a dollar sign");
          return out;
        }
        out += value_of(text.substr(dollar + 2, close - dollar - 2), base + dollar, depth);
        substituted = true;
        end = close + 1;
      } else {
        out += '$';
      }
      if (next == '$' || next == '{') add_piece(out, base + end, depth);
      if (out.size() > kIncludedBytesMax * 2) {
        fault(base + dollar, "too-big", "the text grows too big", "use smaller files and variables");
        return {};
      }
      i = end;
    }
    return out;
  }

 private:
  void fault(size_t offset, std::string_view code, std::string message, std::string hint) {
    faults_.add(origin_.at_offset(offset), code, std::move(message), std::move(hint));
    broken = true;
  }

  /// A position that only moves on, so that a text of many substitutions is walked once.
  struct Walker {
    size_t offset = 0;
    int line = 0;
    int column = 0;

    void go_to(std::string_view text, size_t to) {
      for (; offset < to; ++offset) {
        column = text[offset] == '\n' ? 0 : column + 1;
        line += text[offset] == '\n' ? 1 : 0;
      }
    }
  };

  void add_piece(const std::string& out, size_t origin_offset, int depth) {
    if (depth > 0) return;
    out_.go_to(out, out.size());
    in_.go_to(origin_.text, origin_offset);
    Location there = origin_.at(in_.line + 1, in_.column + 1);
    pieces.push_back({out_.line, out_.column, there.line, there.column});
  }

  std::string value_of(std::string_view inside, size_t offset, int depth) {
    constexpr std::string_view kForms = "write ${VAR}, ${VAR:-default}, ${VAR:?message} or ${file:PATH}; $$ is a dollar sign";
    if (depth >= kInnerMax) {
      fault(offset, "bad-interpolation", "${…} nests too deep", std::string(kForms));
      return {};
    }
    size_t colon = inside.find(':');
    std::string name(inside.substr(0, colon));
    if (!is_variable_name(name)) {
      fault(offset, "bad-interpolation", fmt::format("'${{{}}}' is none of the four forms", inside), std::string(kForms));
      return {};
    }
    std::string_view rest = colon == std::string_view::npos ? std::string_view() : inside.substr(colon + 1);
    size_t rest_offset = offset + 2 + name.size() + 2;  // behind `${`, the name, the colon and one more character
    if (name == "file" && colon != std::string_view::npos) return file_content(expand(rest, rest_offset - 1, depth + 1), offset);
    std::optional<std::string> value = surroundings_.variable(name);
    if (value.has_value() && !is_utf8(*value)) {
      fault(offset, "bad-encoding", fmt::format("the variable {} is not UTF-8", name), "set it to a text");
      return {};
    }
    if (colon == std::string_view::npos) {
      if (!value.has_value()) {
        fault(offset, "unset-variable", fmt::format("the variable {} is not set", name),
              fmt::format("set it, or give a default: ${{{}:-…}}", name));
      }
      return value.value_or("");
    }
    bool given = value.has_value() && !value->empty();
    if (rest.starts_with('-')) return given ? *value : expand(rest.substr(1), rest_offset, depth + 1);
    if (rest.starts_with('?')) {
      if (given) return *value;
      std::string_view message = rest.substr(1);
      fault(offset, "unset-variable", fmt::format("the variable {} is not set{}{}", name, message.empty() ? "" : ": ", message),
            fmt::format("set {} in the environment", name));
      return {};
    }
    fault(offset, "bad-interpolation", fmt::format("'${{{}}}' is none of the four forms", inside), std::string(kForms));
    return {};
  }

  std::string file_content(const std::string& path, size_t offset) {
    if (path.empty() || path.find('\0') != std::string::npos) {
      fault(offset, "bad-interpolation", "${file:} names no file", "write ${file:PATH}");
      return {};
    }
    Result<std::string> content = surroundings_.file(path);
    if (!content) {
      fault(offset, "unreadable-file", content.error().message, "create the file; its path is relative to the pipeline file");
      return {};
    }
    if (content->find('\0') != std::string::npos || !is_utf8(*content)) {
      fault(offset, "bad-encoding", fmt::format("{} is not UTF-8 text", path), "a text is expected there");
      return {};
    }
    secret = true;
    faults_.hide(*content);
    return *content;
  }

  Walker out_;
  Walker in_;
  const SqlText& origin_;
  const Surroundings& surroundings_;
  FaultList& faults_;
};

}  // namespace

void interpolate(Node& scalar, const Surroundings& surroundings, FaultList& faults) {
  if (scalar.text.text.find('$') == std::string::npos) return;
  Interpolation work(scalar.text, surroundings, faults);
  std::string value = work.expand(scalar.text.text, 0, 0);
  scalar.substituted = work.substituted;
  scalar.secret = work.secret;
  scalar.broken = work.broken;
  scalar.text.pieces = std::move(work.pieces);
  scalar.text.text = std::move(value);
}

void interpolate_tree(Node& node, const Surroundings& surroundings, FaultList& faults) {
  if (node.is_scalar()) interpolate(node, surroundings, faults);
  for (Node& item : node.items) interpolate_tree(item, surroundings, faults);
  for (Node::Entry& entry : node.entries) interpolate_tree(entry.value, surroundings, faults);
}

void check_forms(const Node& node, FaultList& faults) {
  static const Surroundings kAnything = {[](const std::string&) { return "x"; }, [](const std::string&) { return "x"; }};
  if (node.is_scalar()) {
    Node copy = node;
    interpolate(copy, kAnything, faults);
  }
  for (const Node& item : node.items) check_forms(item, faults);
  for (const Node::Entry& entry : node.entries) check_forms(entry.value, faults);
}

}  // namespace millrace::project
