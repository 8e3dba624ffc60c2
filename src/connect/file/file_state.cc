#include "connect/file/file_state.h"

#include <fmt/format.h>

#include <charconv>

#include "base/bytes.h"

namespace millrace::connect::file {
namespace {
constexpr uint8_t kVersion = 1;
}

std::string file_state_key(std::string_view query, std::string_view name) { return fmt::format("file/{}/{}", query, name); }

std::string encode_file_state(const FileState& state) {
  std::string out;
  append_le(out, kVersion);
  append_varint(out, state.number);
  append_varint(out, state.length);
  append_le(out, static_cast<uint8_t>(state.complete));
  append_le(out, static_cast<uint8_t>(state.format));
  append_zigzag(out, state.begun_micros);
  append_sized(out, model::encode_schema(state.schema));
  return out;
}

std::optional<FileState> decode_file_state(std::string_view bytes) {
  ByteReader in(bytes);
  if (in.le<uint8_t>() != kVersion) return std::nullopt;
  FileState state;
  state.number = in.varint();
  state.length = in.varint();
  auto complete = in.le<uint8_t>();
  auto format = in.le<uint8_t>();
  state.begun_micros = in.zigzag();
  auto schema = model::decode_schema(in.sized());
  if (!in.ok() || !in.empty() || !schema || complete > 1 || format < 1 || format > 3) return std::nullopt;
  state.complete = complete == 1;
  state.format = static_cast<Format>(format);
  state.schema = std::move(*schema);
  return state;
}

std::string final_name(std::string_view name, uint64_t number, Format format) {
  return fmt::format("{}-{:06}{}", name, number, extension(format));
}

std::string part_name(std::string_view name, uint64_t number, Format format) {
  return final_name(name, number, format == Format::kParquet ? Format::kJson : format) + ".part";
}

std::optional<uint64_t> number_in(std::string_view file, std::string_view name) {
  if (!file.starts_with(name) || file.size() < name.size() + 2 || file[name.size()] != '-') return std::nullopt;
  file.remove_prefix(name.size() + 1);
  size_t digits = file.find_first_not_of("0123456789");
  if (digits == std::string_view::npos || digits < 6 || file[digits] != '.') return std::nullopt;
  uint64_t number = 0;
  auto [end, error] = std::from_chars(file.data(), file.data() + digits, number);
  return error == std::errc() ? std::optional(number) : std::nullopt;
}

}  // namespace millrace::connect::file
