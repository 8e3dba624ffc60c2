#include "connect/file/text_records.h"

#include "format/json_write.h"

namespace millrace::connect::file {
namespace {

std::optional<size_t> csv_record_size(std::string_view bytes) {
  size_t at = 0;
  while (at < bytes.size()) {
    if (bytes[at] != '"') {
      at = bytes.find_first_of(",\n", at);
    } else {
      // A doubled quote ends one quoted piece and begins the next.
      while (at != std::string_view::npos && at < bytes.size() && bytes[at] == '"') {
        at = bytes.find('"', at + 1);
        if (at != std::string_view::npos) ++at;
      }
      if (at != std::string_view::npos) at = bytes.find_first_of(",\n", at);
    }
    if (at == std::string_view::npos) return std::nullopt;
    if (bytes[at++] == '\n') return at;
  }
  return std::nullopt;
}

/// Takes a field that begins with a quote; false when it does not end with one.
bool take_quoted(std::string_view& rest, std::string& out) {
  for (bool first = true; rest.starts_with('"'); first = false) {
    if (!first) out += '"';
    size_t end = rest.find('"', 1);
    if (end == std::string_view::npos) return false;
    out += rest.substr(1, end - 1);
    rest.remove_prefix(end + 1);
  }
  return rest.empty() || rest.starts_with(',');
}

}  // namespace

std::optional<size_t> record_size(std::string_view bytes, bool csv) {
  if (csv) return csv_record_size(bytes);
  size_t end = bytes.find('\n');
  return end == std::string_view::npos ? std::nullopt : std::optional(end + 1);
}

std::string_view without_line_end(std::string_view record) {
  if (record.ends_with('\n')) record.remove_suffix(1);
  if (record.ends_with('\r')) record.remove_suffix(1);
  return record;
}

bool matches_pattern(std::string_view pattern, std::string_view name) {
  if (name.starts_with('.') && !pattern.starts_with('.')) return false;
  size_t p = 0, n = 0, star = std::string_view::npos, resume = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = n;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == name[n])) {
      ++p;
      ++n;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      n = ++resume;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

std::optional<std::vector<std::optional<std::string>>> csv_fields(std::string_view record) {
  std::vector<std::optional<std::string>> fields;
  for (;;) {
    auto& field = fields.emplace_back();
    if (record.starts_with('"')) {
      if (!take_quoted(record, field.emplace())) return std::nullopt;
    } else {
      std::string_view bare = record.substr(0, record.find(','));
      if (bare.find('"') != std::string_view::npos) return std::nullopt;
      if (!bare.empty()) field.emplace(bare);
      record.remove_prefix(bare.size());
    }
    if (record.empty()) return fields;
    record.remove_prefix(1);
  }
}

std::optional<std::string> csv_to_json(const std::vector<std::string>& header, std::string_view record) {
  auto fields = csv_fields(record);
  if (!fields || fields->size() != header.size()) return std::nullopt;
  std::string out = "{";
  for (size_t i = 0; i < header.size(); ++i) {
    if (i > 0) out += ',';
    format::append_json_string(out, header[i]);
    out += ':';
    if ((*fields)[i]) {
      format::append_json_string(out, *(*fields)[i]);
    } else {
      out += "null";
    }
  }
  return out + "}";
}

}  // namespace millrace::connect::file
