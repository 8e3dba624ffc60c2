#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace millrace::format {

/// The part of JSONPath (RFC 9535) that sources need: `$`, `.name`, `['name']` or `["name"]`, `[0]`, and at most one `[*]`.
class JsonPath {
 public:
  struct Step {
    enum class Kind { kName, kIndex, kEach } kind;
    std::string name;
    size_t index = 0;
  };

  /// kInvalidArgument says at which column the path is wrong.
  static Result<JsonPath> parse(std::string_view text);

  const std::vector<Step>& steps() const { return steps_; }
  const std::string& text() const { return text_; }
  bool has_each() const;

 private:
  std::string text_;
  std::vector<Step> steps_;
};

/// Calls `on_match` with the source text of each match, in order. `[*]` gives the elements of an array. Of equal names the last
/// one counts. Returns whether the document has what the path speaks of: false when a name or an index before `[*]` is missing,
/// or what `[*]` stands for is no array; null is as good as an empty array. Errors: kInvalidArgument when the document is not
/// JSON (all of it is checked first) or nests deeper than 128; the first error of `on_match`.
Result<bool> select(std::string_view document, const JsonPath& path,
                    const std::function<Status(std::string_view raw_json)>& on_match);

/// The first match as text: the characters of a string, the source text of anything else; nullopt for null and when nothing
/// matches.
Result<std::optional<std::string>> select_text(std::string_view document, const JsonPath& path);

}  // namespace millrace::format
