#include "connect/file/feed_position.h"

#include <fmt/format.h>

#include <charconv>
#include <map>

#include "format/json_doc.h"

namespace millrace::connect::file {
namespace {

using format::Json;

/// Pairs known and seen files; each is in at most one pair.
class Matcher {
 public:
  Matcher(const std::vector<KnownFile>& known, const std::vector<SeenFile>& seen, bool rows)
      : known_(known), seen_(seen), rows_(rows), taken_(known.size()), pair_(seen.size()) {
    for (const SeenFile& file : seen) heads_.push_back(head_of(file.first_bytes));
  }

  void by_name() {
    std::map<std::string_view, size_t> places;
    for (size_t k = 0; k < known_.size(); ++k) places.emplace(known_[k].name, k);
    for (size_t s = 0; s < seen_.size(); ++s) {
      auto place = places.find(seen_[s].name);
      if (place != places.end() && is_same(place->second, s)) pair(place->second, s);
    }
  }
  /// An empty head says nothing: such a file is only found by its name.
  void by_head() {
    for (size_t k = 0; k < known_.size(); ++k) {
      for (size_t s = 0; s < seen_.size() && !taken_[k]; ++s) {
        if (pair_[s] == nullptr && known_[k].head.bytes > 0 && is_same(k, s)) pair(k, s);
      }
    }
  }
  Matched result() const {
    Matched out;
    for (bool wanted : {false, true}) {
      for (size_t s = 0; s < seen_.size(); ++s) {
        if (seen_[s].wanted == wanted && (wanted || pair_[s] != nullptr)) out.files.push_back(file(s, out.warnings));
      }
    }
    return out;
  }

 private:
  bool is_same(size_t k, size_t s) const {
    const Head& head = known_[k].head;
    if (!rows_ && seen_[s].size < known_[k].offset) return false;
    if (seen_[s].first_bytes.size() <= head.bytes) return heads_[s] == head;
    return head_of(std::string_view(seen_[s].first_bytes).substr(0, head.bytes)) == head;
  }
  void pair(size_t k, size_t s) {
    taken_[k] = true;
    pair_[s] = &known_[k];
  }
  KnownFile file(size_t s, std::vector<std::string>& warnings) const {
    const SeenFile& seen = seen_[s];
    KnownFile out;
    if (pair_[s] != nullptr) {
      out = *pair_[s];
    } else if (const KnownFile* lost = unpaired(seen.name)) {
      warnings.push_back(fmt::format("{} was cut or replaced after {} {} of it were read: it is read from its start", seen.name,
                                     lost->offset, rows_ ? "rows" : "bytes"));
    }
    out.name = seen.name;
    out.head = heads_[s];
    return out;
  }
  const KnownFile* unpaired(const std::string& name) const {
    for (size_t k = 0; k < known_.size(); ++k)
      if (!taken_[k] && known_[k].name == name && known_[k].offset > 0) return &known_[k];
    return nullptr;
  }

  const std::vector<KnownFile>& known_;
  const std::vector<SeenFile>& seen_;
  const bool rows_;
  std::vector<Head> heads_;             // of the seen files
  std::vector<bool> taken_;             // known files in a pair
  std::vector<const KnownFile*> pair_;  // of each seen file
};

Result<KnownFile> decode_file(const Json& json) {
  auto number = [&](const char* name, uint64_t& out) {
    const Json* value = json.find(name);
    const int64_t* whole = value == nullptr ? nullptr : value->as_int();
    if (whole == nullptr || *whole < 0) return false;
    out = static_cast<uint64_t>(*whole);
    return true;
  };
  KnownFile file{
      .name = json.string_or("name", ""), .skipping = json.bool_or("skipping", false), .done = json.bool_or("done", false)};
  std::string hash = json.string_or("head", "");
  auto [end, error] = std::from_chars(hash.data(), hash.data() + hash.size(), file.head.hash, 16);
  bool whole = error == std::errc() && end == hash.data() + hash.size() && number("head_bytes", file.head.bytes) &&
               number("offset", file.offset) && number("line", file.line);
  if (!whole || file.name.empty() || file.name.find('/') != std::string::npos || file.head.bytes > kHeadBytes)
    return fail(Errc::kInvalidArgument, "a file of the position is not whole");
  return file;
}

}  // namespace

Head head_of(std::string_view first_bytes) {
  uint64_t hash = 0xcbf29ce484222325;
  for (char c : first_bytes) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  return {first_bytes.size(), hash};
}

Matched match_files(const std::vector<KnownFile>& known, const std::vector<SeenFile>& seen, bool rows) {
  Matcher matcher(known, seen, rows);
  matcher.by_name();
  matcher.by_head();
  return matcher.result();
}

std::string encode_feed_position(const std::vector<KnownFile>& files) {
  Json list = Json::array();
  for (const KnownFile& file : files) {
    Json one = Json::object();
    one.set("name", file.name).set("head_bytes", file.head.bytes).set("head", fmt::format("{:016x}", file.head.hash));
    one.set("offset", file.offset).set("line", file.line);
    if (file.skipping) one.set("skipping", true);
    if (file.done) one.set("done", true);
    list.push(std::move(one));
  }
  Json position = Json::object();
  position.set("version", 1).set("files", std::move(list));
  return format::to_json(position);
}

Result<std::vector<KnownFile>> decode_feed_position(std::string_view position) {
  TRY(Json json, format::parse_json(position, {.depth_max = 8}));
  const Json* list = json.find("files");
  if (json.int_or("version", 0) != 1 || list == nullptr || list->as_array() == nullptr || list->as_array()->size() > kFilesMax)
    return fail(Errc::kInvalidArgument, "the position is not one of files");
  std::vector<KnownFile> files;
  for (const Json& one : *list->as_array()) {
    TRY(KnownFile file, decode_file(one));
    files.push_back(std::move(file));
  }
  return files;
}

}  // namespace millrace::connect::file
