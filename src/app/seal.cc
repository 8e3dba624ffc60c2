#include "app/seal.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <utility>

#include "app/data_dir.h"
#include "app/file_tree.h"
#include "codec/kafka_record/record_batch.h"
#include "store/verify.h"

namespace millrace::app {
namespace {

using codec::kafka_record::crc32c;

constexpr std::string_view kTitle = "millrace seal ";
constexpr uint32_t kFormat = 1;
constexpr std::string_view kNoCrc = "-";
constexpr size_t kCrcLineBytes = 4 + 8 + 1;  // "crc ", the digits, a line feed

template <class T>
std::optional<T> number(std::string_view text, int base) {
  T value = 0;
  auto parsed = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (text.empty() || parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

/// Up to `end`, which goes, too; nullopt without one.
std::optional<std::string_view> take(std::string_view& text, char end) {
  size_t at = text.find(end);
  if (at == std::string_view::npos) return std::nullopt;
  std::string_view out = text.substr(0, at);
  text.remove_prefix(at + 1);
  return out;
}

std::optional<Seal::File> decode_file(std::string_view line) {
  auto bytes = take(line, ' ');
  auto crc = take(line, ' ');
  if (!bytes || !crc || line.empty()) return std::nullopt;
  Seal::File file;
  file.name = line;
  auto size = number<uint64_t>(*bytes, 10);
  if (!size) return std::nullopt;
  file.bytes = *size;
  if (*crc == kNoCrc) return file;
  file.crc = number<uint32_t>(*crc, 16);
  return file.crc ? std::optional(file) : std::nullopt;
}

auto not_a_seal() {
  return fail(Errc::kCorruption, "the seal is not what the last clean stop wrote",
              "`millrace verify` says whether anything else is damaged; if not, remove the seal");
}

}  // namespace

std::string encode_seal(const Seal& seal) {
  std::string out = fmt::format("{}{}\n", kTitle, kFormat);
  for (const Seal::File& file : seal.files) {
    out += fmt::format("{} {} {}\n", file.bytes, file.crc ? fmt::format("{:08x}", *file.crc) : kNoCrc, file.name);
  }
  return out + fmt::format("crc {:08x}\n", crc32c(out));
}

Result<Seal> decode_seal(std::string_view text) {
  if (text.size() < kCrcLineBytes || !text.starts_with(kTitle)) return not_a_seal();
  std::string_view body = text.substr(0, text.size() - kCrcLineBytes);
  if (text.substr(body.size()) != fmt::format("crc {:08x}\n", crc32c(body))) return not_a_seal();
  body.remove_prefix(kTitle.size());
  auto format = number<uint32_t>(take(body, '\n').value_or(""), 10);
  if (!format || *format == 0) return not_a_seal();
  if (*format > kFormat) {
    return fail(Errc::kFailedPrecondition,
                fmt::format("the seal has format {}, newer than the {} that this version reads", *format, kFormat),
                "use the version of millrace that wrote it, or a newer one");
  }
  Seal seal;
  while (!body.empty()) {
    auto line = take(body, '\n');
    auto file = line ? decode_file(*line) : std::nullopt;
    if (!file) return not_a_seal();
    seal.files.push_back(std::move(*file));
  }
  return seal;
}

namespace {

/// Files of the store and the log, and the scheduler's database. Not those that are made anew at each start or that nothing is
/// computed from (docs/formats/seal.md).
class SealedFiles {
 public:
  SealedFiles(env::FileSystem& files, const std::string& data) : files_(files), data_(data) {}

  /// Names, and whether the content is to be checked.
  Result<std::map<std::string, bool>> find() {
    TRY_DO(add_store());
    TRY_DO(add_log());
    for (const char* name : {"meta.db", "meta.db-wal"}) {
      TRY(bool exists, files_.exists(data_ + "/" + name));
      if (exists) found_.emplace(name, true);
    }
    return std::move(found_);
  }

 private:
  /// Nothing when there is no such directory.
  Result<std::vector<std::string>> list(const std::string& path) {
    auto names = files_.list(path);
    if (!names && names.error().code == Errc::kNotFound) return std::vector<std::string>();
    return names;
  }

  Status add_store() {
    TRY(auto names, list(store_path(data_)));
    for (const std::string& name : names) {
      if (store::is_data_file(name)) found_.emplace("store/" + name, !name.ends_with(".sst"));
    }
    return {};
  }

  Status add_log() {
    TRY(auto partitions, list(log_path(data_)));
    for (const std::string& partition : partitions) {
      auto names = files_.list(log_path(data_) + "/" + partition);
      if (!names) continue;  // a file, and not ours
      for (const std::string& name : *names) {
        bool state = name == "partition.state";
        if (state || name.ends_with(".log") || name.ends_with(".index"))
          found_.emplace(fmt::format("log/{}/{}", partition, name), state);
      }
    }
    return {};
  }

  env::FileSystem& files_;
  const std::string& data_;
  std::map<std::string, bool> found_;
};

Result<Seal::File> measure(env::FileSystem& files, const std::string& data, const std::string& name, bool with_crc) {
  std::string path = data + "/" + name;
  TRY(auto file, files.open(path, env::OpenMode::kRead));
  Seal::File out{name, 0, {}};
  TRY(out.bytes, file->size());
  if (with_crc) {
    TRY(out.crc, read_through(files, path, out.bytes));
  }
  return out;
}

/// What the seal says against what is there; no `seen`: the file is gone.
std::optional<Damage> compare(const std::string& data, const Seal::File& sealed, const Seal::File* seen) {
  std::string path = data + "/" + sealed.name;
  if (seen == nullptr) return Damage{path, 0, "it is gone since the last clean stop"};
  if (seen->bytes != sealed.bytes) {
    return Damage{path, std::min(seen->bytes, sealed.bytes),
                  fmt::format("it has {} bytes, and had {} at the last clean stop", seen->bytes, sealed.bytes)};
  }
  if (sealed.crc && sealed.crc != seen->crc) return Damage{path, 0, "its bytes are not those of the last clean stop"};
  return std::nullopt;
}

}  // namespace

std::string seal_path(const std::string& data) { return data + "/seal"; }

Status write_seal(env::FileSystem& files, const std::string& data) {
  TRY(auto names, SealedFiles(files, data).find());
  Seal seal;
  for (const auto& [name, with_crc] : names) {
    // RocksDB syncs its sorted files itself. Of the others, what is only in the page cache must not be vouched for.
    if (!name.ends_with(".sst")) {
      TRY(auto file, files.open(data + "/" + name, env::OpenMode::kWrite));
      TRY_DO(file->sync());
    }
    TRY(auto file, measure(files, data, name, with_crc));
    seal.files.push_back(std::move(file));
  }
  std::string folder;
  for (const Seal::File& file : seal.files) {
    std::string of_file = data + "/" + file.name.substr(0, file.name.find_last_of("/") + 1);
    if (std::exchange(folder, of_file) != of_file) TRY_DO(files.sync_directory(of_file));
  }
  return env::write_file_atomically(files, seal_path(data), encode_seal(seal));
}

Status break_seal(env::FileSystem& files, const std::string& data) {
  TRY(bool sealed, files.exists(seal_path(data)));
  if (!sealed) return {};
  TRY_DO(files.remove(seal_path(data)));
  return files.sync_directory(data);
}

Result<std::vector<Damage>> compare_with_seal(env::FileSystem& files, const std::string& data) {
  std::vector<Damage> damage;
  TRY(bool sealed, files.exists(seal_path(data)));
  if (!sealed) return damage;
  TRY(std::string text, env::read_file(files, seal_path(data), kSealBytesMax));
  auto seal = decode_seal(text);
  if (!seal) return fail(at(seal_path(data), std::move(seal.error())));
  TRY(auto names, SealedFiles(files, data).find());
  for (const Seal::File& file : seal->files) {
    auto found = names.find(file.name);
    std::optional<Seal::File> seen;
    if (found != names.end()) {
      TRY(seen, measure(files, data, file.name, file.crc.has_value()));
      names.erase(found);
    }
    if (auto one = compare(data, file, seen ? &*seen : nullptr)) damage.push_back(std::move(*one));
  }
  for (const auto& [name, with_crc] : names) {
    TRY(Seal::File seen, measure(files, data, name, false));
    // A reader of the scheduler's database that was killed leaves an empty one.
    if (name == "meta.db-wal" && seen.bytes == 0) continue;
    damage.push_back({data + "/" + name, 0, "it was not there at the last clean stop"});
  }
  return damage;
}

Status check_seal(env::FileSystem& files, const std::string& data) {
  TRY(auto damage, compare_with_seal(files, data));
  if (damage.empty()) return {};
  // Somebody who only reads may come at the moment when a server starts and begins to write.
  TRY(bool sealed, files.exists(seal_path(data)));
  if (!sealed) return {};
  TRY(bool exists, files.exists(damage[0].file));
  return fail(exists ? Errc::kCorruption : Errc::kDataLoss,
              fmt::format("{} is damaged at byte {}: {}", damage[0].file, damage[0].position, damage[0].what),
              "`millrace verify` names every damaged file; restore these, or the directory from a backup");
}

}  // namespace millrace::app
