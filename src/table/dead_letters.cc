#include "table/dead_letters.h"

#include <fmt/format.h>

#include <charconv>

#include "base/bytes.h"
#include "table/key_codec.h"

namespace millrace::table {
namespace {

using store::Space;

constexpr uint8_t kLetterFormat = 1;
constexpr uint8_t kHasKey = 1;
constexpr uint8_t kHasValue = 2;

std::string_view bytes_of(const model::TopicId& id) { return {reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size()}; }

Status check(const DeadLetterKey& key) {
  if (key.partition >= 0 && key.offset >= 0) return {};
  return fail(Errc::kInvalidArgument, fmt::format("dead letter {} has a negative position", dead_letter_id(key)));
}

std::optional<DeadLetterKey> decode_key(std::string_view bytes) {
  DeadLetterKey key;
  auto query = take_key_text(bytes);
  if (!query) return std::nullopt;
  key.query = std::move(*query);
  ByteReader in(bytes);
  std::string_view topic_id = in.bytes(key.topic_id.bytes.size());
  if (!in.ok()) return std::nullopt;
  std::memcpy(key.topic_id.bytes.data(), topic_id.data(), topic_id.size());
  key.partition = in.be<int32_t>();
  key.offset = in.be<int64_t>();
  key.ordinal = in.be<uint32_t>();
  if (!in.ok() || !in.empty() || key.partition < 0 || key.offset < 0) return std::nullopt;
  return key;
}

Error unreadable(std::string_view key) {
  return {Errc::kCorruption, fmt::format("the dead letter with key x'{}' cannot be read", to_hex(key)), {}};
}

/// Takes the number behind the last `/` off the end of `text`.
template <class T>
bool take_number(std::string_view& text, T& number) {
  size_t slash = text.rfind('/');
  if (slash == std::string_view::npos) return false;
  const char* begin = text.data() + slash + 1;
  const char* end = text.data() + text.size();
  auto parsed = std::from_chars(begin, end, number);
  text = text.substr(0, slash);
  return parsed.ec == std::errc() && parsed.ptr == end;
}

}  // namespace

std::string dead_letter_id(const DeadLetterKey& key) {
  return fmt::format("{}/{}/{}/{}/{}", key.query, to_hex(bytes_of(key.topic_id)), key.partition, key.offset, key.ordinal);
}

Result<DeadLetterKey> parse_dead_letter_id(std::string_view id) {
  DeadLetterKey key;
  std::string_view rest = id;
  bool ok = take_number(rest, key.ordinal) && take_number(rest, key.offset) && take_number(rest, key.partition);
  size_t slash = rest.rfind('/');
  ok = ok && slash != std::string_view::npos && slash > 0 && key.partition >= 0 && key.offset >= 0;
  auto topic_id = ok ? from_hex(rest.substr(slash + 1)) : std::nullopt;
  if (!topic_id || topic_id->size() != key.topic_id.bytes.size()) {
    return fail(Errc::kInvalidArgument, fmt::format("\"{}\" is not the id of a dead letter", id),
                "the form is query/topic id/partition/offset/ordinal, as `millrace dead-letters list` shows it");
  }
  key.query = rest.substr(0, slash);
  std::memcpy(key.topic_id.bytes.data(), topic_id->data(), topic_id->size());
  return key;
}

std::string encode_dead_letter_key(const DeadLetterKey& key) {
  std::string out;
  append_key_text(out, key.query);
  out += bytes_of(key.topic_id);
  append_be(out, key.partition);
  append_be(out, key.offset);
  append_be(out, key.ordinal);
  return out;
}

std::string encode_dead_letter_value(const DeadLetter& letter) {
  std::string out(1, static_cast<char>(kLetterFormat));
  out += static_cast<char>((letter.key ? kHasKey : 0) | (letter.value ? kHasValue : 0));
  append_sized(out, letter.topic);
  append_sized(out, letter.stage);
  append_sized(out, letter.code);
  append_sized(out, letter.message);
  append_zigzag(out, to_micros(letter.timestamp));
  append_varint(out, letter.version);
  if (letter.key) append_sized(out, *letter.key);
  if (letter.value) append_sized(out, *letter.value);
  return out;
}

std::optional<DeadLetter> decode_dead_letter(std::string_view key, std::string_view value) {
  auto position = decode_key(key);
  if (!position) return std::nullopt;
  DeadLetter letter;
  static_cast<DeadLetterKey&>(letter) = std::move(*position);
  ByteReader in(value);
  auto format = in.le<uint8_t>();
  auto flags = in.le<uint8_t>();
  if (format != kLetterFormat || (flags & ~(kHasKey | kHasValue)) != 0) return std::nullopt;
  letter.topic = in.sized();
  letter.stage = in.sized();
  letter.code = in.sized();
  letter.message = in.sized();
  letter.timestamp = instant_from_micros(in.zigzag());
  letter.version = in.varint();
  if ((flags & kHasKey) != 0) letter.key = std::string(in.sized());
  if ((flags & kHasValue) != 0) letter.value = std::string(in.sized());
  if (!in.ok() || !in.empty()) return std::nullopt;
  return letter;
}

Status DeadLetter::add_to(store::Batch& batch) const {
  TRY_DO(check(*this));
  batch.put(Space::kDead, encode_dead_letter_key(*this), encode_dead_letter_value(*this));
  return {};
}

Status DeadLetter::erase_from(store::Batch& batch) const {
  TRY_DO(check(*this));
  batch.erase(Space::kDead, encode_dead_letter_key(*this));
  return {};
}

Result<std::optional<DeadLetter>> find_dead_letter(store::Store& store, const DeadLetterKey& key,
                                                   const store::Snapshot* snapshot) {
  std::string bytes = encode_dead_letter_key(key);
  TRY(auto value, store.get(Space::kDead, bytes, snapshot));
  if (!value) return std::optional<DeadLetter>();
  auto letter = decode_dead_letter(bytes, *value);
  if (!letter) return fail(unreadable(bytes));
  return letter;
}

DeadLetterScan::DeadLetterScan(store::Store& store, std::string_view query, const store::Snapshot* snapshot) {
  std::string from;
  if (!query.empty()) append_key_text(from, query);
  cursor_ = store.scan(Space::kDead, from, after_prefix(from), snapshot);
}

Result<std::optional<DeadLetter>> DeadLetterScan::next() {
  if (!cursor_->valid()) {
    TRY_DO(cursor_->status());
    return std::optional<DeadLetter>();
  }
  auto letter = decode_dead_letter(cursor_->key(), cursor_->value());
  if (!letter) return fail(unreadable(cursor_->key()));
  cursor_->next();
  return letter;
}

}  // namespace millrace::table
