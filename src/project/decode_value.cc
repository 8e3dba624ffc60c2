#include <fmt/format.h>

#include <filesystem>

#include "base/bytes.h"
#include "project/decode.h"
#include "project/limits.h"
#include "project/scalar.h"

namespace millrace::project {
namespace {

const Node* scalar(const Node& map, std::string_view key) {
  const Node* node = map.get(key);
  return node != nullptr && node->is_scalar() && !node->broken ? node : nullptr;
}

template <class T>
std::optional<T> value_or_nothing(const Node* node, Result<T> (*read)(const Node&)) {
  if (node == nullptr) return std::nullopt;
  Result<T> value = read(*node);
  return value ? std::optional<T>(*value) : std::nullopt;
}

/// Keys of maps whose values are secrets wherever they come from.
bool names_a_secret(std::string_view key) {
  std::string lower;
  for (char c : key) lower += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  for (std::string_view word :
       {"password", "passwd", "secret", "token", "authorization", "cookie", "api-key", "api_key", "apikey"}) {
    if (lower.find(word) != std::string::npos) return true;
  }
  return false;
}

}  // namespace

std::string beside(const std::string& file, std::string_view path) {
  size_t slash = file.rfind('/');
  if (path.starts_with('/') || slash == std::string::npos) return std::string(path);
  return file.substr(0, slash + 1) + std::string(path);
}

std::string full_path(const std::string& file, std::string_view path) {
  return std::filesystem::absolute(beside(file, path)).lexically_normal().string();
}

std::optional<std::string> Decoder::text(const Node& map, std::string_view key) const {
  const Node* node = scalar(map, key);
  return node == nullptr ? std::nullopt : std::optional(node->text.text);
}

std::optional<Text> Decoder::secretive_text(const Node& map, std::string_view key) const {
  const Node* node = scalar(map, key);
  return node == nullptr ? std::nullopt : std::optional(Text{node->text.text, node->secret || names_a_secret(key)});
}

std::optional<SqlText> Decoder::sql(const Node& map, std::string_view key) const {
  const Node* node = map.get(key);
  if (node == nullptr || node->is_null()) return std::nullopt;
  return node->text;  // also of a faulty one, so that it does not count as absent
}

std::optional<Duration> Decoder::duration(const Node& map, std::string_view key) const {
  return value_or_nothing(scalar(map, key), read_duration);
}
std::optional<int64_t> Decoder::integer(const Node& map, std::string_view key) const {
  return value_or_nothing(scalar(map, key), read_integer);
}
std::optional<int64_t> Decoder::size(const Node& map, std::string_view key) const {
  return value_or_nothing(scalar(map, key), read_size);
}
bool Decoder::boolean(const Node& map, std::string_view key, bool fallback) const {
  return value_or_nothing(scalar(map, key), read_boolean).value_or(fallback);
}

std::optional<WrittenTime> Decoder::time(const Node& map, std::string_view key) const {
  std::optional<WrittenTime> out = value_or_nothing(scalar(map, key), read_time);
  if (out.has_value()) out->location = value_at(map, key, {});
  return out;
}

std::vector<Mention> Decoder::mentions(const Node& map, std::string_view key) const {
  std::vector<Mention> out;
  const Node* node = map.get(key);
  if (node == nullptr) return out;
  for (const Node& item : node->items) {
    if (item.is_scalar() && !item.broken) out.push_back({item.text.text, place(file_, item)});
  }
  return out;
}

std::map<std::string, Text> Decoder::text_map(const Node* node) const {
  std::map<std::string, Text> out;
  if (node == nullptr) return out;
  for (const Node::Entry& entry : node->entries) {
    if (entry.value.is_scalar() && !entry.value.broken) {
      out[entry.key] = {entry.value.text.text, entry.value.secret || names_a_secret(entry.key)};
    }
  }
  return out;
}

Location Decoder::value_at(const Node& map, std::string_view key, const Location& fallback) const {
  const Node* node = map.get(key);
  return node == nullptr ? fallback : place(file_, *node);
}

std::string_view Decoder::one_of(const Node& map, std::span<const std::string_view> keys, const Location& at,
                                 std::string_view what) {
  std::string_view given;
  for (const Node::Entry& entry : map.entries) {
    auto known = std::find(keys.begin(), keys.end(), entry.key);
    if (known == keys.end() || entry.value.is_null()) continue;
    if (!given.empty()) {
      faults_.add(entry.key_at, "one-of", fmt::format("{} has '{}' beside '{}'", what, entry.key, given), "keep one of them");
    } else {
      given = *known;
    }
  }
  if (given.empty()) {
    faults_.add(at, "one-of", fmt::format("{} has none of {}", what, fmt::join(keys, ", ")), "give exactly one of them");
  }
  return given;
}

std::optional<SqlText> Decoder::sql_or_file(const Node& map, const Location& at) {
  static constexpr std::string_view kKeys[] = {"sql", "sql_file"};
  std::string_view given = one_of(map, kKeys, at, "the query");
  if (given == "sql") return sql(map, given);
  std::optional<std::string> path = text(map, given);
  if (!path.has_value()) return std::nullopt;
  Location path_at = value_at(map, given, at);
  std::string full = beside(file_, *path);
  Result<std::string> content = env::read_file(files_, full, kIncludedBytesMax);
  if (!content) {
    faults_.add(path_at, "unreadable-file", content.error().message, "the path is relative to the pipeline file");
    return std::nullopt;
  }
  if (content->starts_with("\xef\xbb\xbf")) content->erase(0, 3);
  if (!is_utf8(*content) || content->find('\0') != std::string::npos) {
    faults_.add({full, 0, 0}, "bad-encoding", "the file is not UTF-8 text", "save it as UTF-8");
    return std::nullopt;
  }
  if (content->find_first_not_of(" \t\r\n") == std::string::npos) {
    faults_.add({full, 0, 0}, "missing-key", "the SQL file is empty", "write the query there");
    return std::nullopt;
  }
  SqlText out;
  out.text = std::move(*content);
  out.location = {full, 1, 1};
  return out;
}

}  // namespace millrace::project
