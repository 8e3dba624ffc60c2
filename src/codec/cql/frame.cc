#include "codec/cql/frame.h"

#include <fmt/format.h>
#include <lz4.h>

#include "base/bytes.h"
#include "base/check.h"
#include "codec/cql/error.h"
#include "codec/cql/primitive.h"
#include "codec/cql/segment.h"

namespace millrace::codec::cql {
namespace {

constexpr uint8_t kResponseBit = 0x80;
constexpr size_t kOldHeaderBytes = 8;
constexpr uint32_t kPackedLengthBytes = 4;  // the unpacked length before an LZ4 body

tl::unexpected<Error> bad(std::string why) { return fail(Errc::kCorruption, "CQL frame: " + std::move(why)); }

bool is_old(uint8_t version_byte) { return version_byte == 1 || version_byte == 2; }

}  // namespace

std::string opcode_name(Opcode opcode) {
  switch (opcode) {
    case Opcode::kError: return "ERROR";
    case Opcode::kStartup: return "STARTUP";
    case Opcode::kReady: return "READY";
    case Opcode::kAuthenticate: return "AUTHENTICATE";
    case Opcode::kOptions: return "OPTIONS";
    case Opcode::kSupported: return "SUPPORTED";
    case Opcode::kQuery: return "QUERY";
    case Opcode::kResult: return "RESULT";
    case Opcode::kPrepare: return "PREPARE";
    case Opcode::kExecute: return "EXECUTE";
    case Opcode::kRegister: return "REGISTER";
    case Opcode::kEvent: return "EVENT";
    case Opcode::kBatch: return "BATCH";
    case Opcode::kAuthChallenge: return "AUTH_CHALLENGE";
    case Opcode::kAuthResponse: return "AUTH_RESPONSE";
    case Opcode::kAuthSuccess: return "AUTH_SUCCESS";
  }
  return fmt::format("opcode {:#04x}", static_cast<uint8_t>(opcode));
}

size_t begin_envelope(std::string& out, Version version, bool response, int16_t stream, Opcode opcode, uint8_t flags) {
  const size_t at = out.size();
  char header[kHeaderBytes] = {};
  header[0] = static_cast<char>(static_cast<uint8_t>(version) | (response ? kResponseBit : 0));
  header[1] = static_cast<char>(flags);
  store_be(header + 2, stream);
  header[4] = static_cast<char>(opcode);
  out.append(header, sizeof header);
  return at;
}

void end_envelope(std::string& out, size_t at) {
  store_be(out.data() + at + kHeaderBytes - 4, static_cast<uint32_t>(out.size() - at - kHeaderBytes));
}

void compress_envelope(std::string& out, size_t at) {
  std::string_view body = std::string_view(out).substr(at + kHeaderBytes);
  if (body.size() <= kPackedLengthBytes || body.size() > LZ4_MAX_INPUT_SIZE) return;
  // No room for more than the body has: then it is not worth it.
  std::string packed(body.size() - kPackedLengthBytes, '\0');
  int size = LZ4_compress_default(body.data(), packed.data(), static_cast<int>(body.size()), static_cast<int>(packed.size()));
  if (size <= 0) return;
  auto unpacked_bytes = static_cast<uint32_t>(body.size());
  out.resize(at + kHeaderBytes);
  append_be(out, unpacked_bytes);
  out.append(packed, 0, static_cast<size_t>(size));
  out[at + 1] = static_cast<char>(out[at + 1] | kFlagCompressed);
  end_envelope(out, at);
}

Result<BodyPrefix> read_prefix(Envelope& envelope) {
  BodyPrefix prefix;
  uint8_t flags = envelope.flags & (kFlagTracing | kFlagWarnings | kFlagCustomPayload);
  if (!envelope.response) flags &= kFlagCustomPayload;
  if (flags == 0) return prefix;
  Reader in(envelope.body);
  if ((flags & kFlagTracing) != 0) prefix.tracing_id = in.uuid();
  if ((flags & kFlagWarnings) != 0) {
    for (uint16_t n = in.u16(); n > 0 && in.ok(); --n) prefix.warnings.push_back(in.string());
  }
  if ((flags & kFlagCustomPayload) != 0) {
    for (uint16_t n = in.u16(); n > 0 && in.ok(); --n) {
      std::string_view key = in.string();
      prefix.custom_payload.emplace_back(key, in.bytes());
    }
  }
  TRY_DO(in.status("what stands before the message"));
  envelope.body = in.rest();
  return prefix;
}

void FrameReader::use_segments(Compression compression) {
  segments_ = compression;
  self_contained_ = true;
}

void FrameReader::feed(std::string_view bytes) {
  if (in_at_ == in_.size()) {
    in_.clear();
    in_at_ = 0;
  } else if (in_at_ > in_.size() / 2) {
    in_.erase(0, in_at_);
    in_at_ = 0;
  }
  in_ += bytes;
}

Result<std::optional<Envelope>> FrameReader::next() {
  if (ended_) return bad("nothing is read behind an error");
  if (!segments_) {
    auto envelope = next_of(in_, in_at_);
    if (!envelope) ended_ = true;
    return envelope;
  }
  while (true) {
    auto envelope = next_of(plain_, plain_at_);
    if (!envelope) ended_ = true;
    if (!envelope || *envelope) return envelope;
    auto more = next_segment();
    if (!more) {
      ended_ = true;
      return fail(std::move(more.error()));
    }
    if (!*more) return std::nullopt;
  }
}

/// Moves the payload of the next segment behind what is left of the earlier ones; false when it is not whole yet.
Result<bool> FrameReader::next_segment() {
  const bool open = plain_at_ < plain_.size();
  if (open && self_contained_) return bad("an envelope is cut off at the end of a self-contained segment");
  TRY(auto segment, read_segment(std::string_view(in_).substr(in_at_), *segments_, scratch_));
  if (!segment) return false;
  if (open && segment->self_contained) return bad("a self-contained segment inside of an envelope");
  self_contained_ = segment->self_contained;
  plain_.erase(0, plain_at_);
  plain_at_ = 0;
  plain_ += segment->payload;
  in_at_ += segment->bytes;
  return true;
}

/// The envelope at `at`, which moves behind it.
Result<std::optional<Envelope>> FrameReader::next_of(std::string_view bytes, size_t& at) {
  bytes.remove_prefix(at);
  if (bytes.empty()) return std::nullopt;
  Envelope envelope;
  const auto first = static_cast<uint8_t>(bytes[0]);
  envelope.version_byte = first & ~kResponseBit;
  envelope.response = (first & kResponseBit) != 0;
  const bool old = is_old(envelope.version_byte);
  if (bytes.size() < (old ? kOldHeaderBytes : kHeaderBytes)) return std::nullopt;
  envelope.flags = static_cast<uint8_t>(bytes[1]);
  envelope.stream = old ? static_cast<int8_t>(bytes[2]) : load_be<int16_t>(bytes.data() + 2);
  envelope.opcode = static_cast<Opcode>(bytes[old ? 3 : 4]);
  if (!envelope.version()) {
    ended_ = true;
    return envelope;
  }
  const size_t body_bytes = load_be<uint32_t>(bytes.data() + kHeaderBytes - 4);
  if (body_bytes > body_bytes_max_) {
    return fail(Errc::kResourceExhausted,
                fmt::format("CQL frame: a body of {} bytes, more than {}", body_bytes, body_bytes_max_));
  }
  if (bytes.size() - kHeaderBytes < body_bytes) return std::nullopt;
  envelope.body = bytes.substr(kHeaderBytes, body_bytes);
  if ((envelope.flags & kFlagCompressed) != 0 && envelope.version() < Version::kV5) {
    TRY(envelope.body, unpack_body(envelope.body));
  }
  at += kHeaderBytes + body_bytes;
  return envelope;
}

Result<std::string_view> FrameReader::unpack_body(std::string_view packed) {
  if (body_compression_ == Compression::kNone) return bad("a compressed body, but no compression was agreed on");
  if (packed.empty()) return packed;
  if (packed.size() < kPackedLengthBytes) return bad("a compressed body without its length");
  const size_t bytes = load_be<uint32_t>(packed.data());
  packed.remove_prefix(kPackedLengthBytes);
  if (bytes > body_bytes_max_) {
    return fail(Errc::kResourceExhausted, fmt::format("CQL frame: a body of {} bytes, more than {}", bytes, body_bytes_max_));
  }
  scratch_.resize(bytes);
  int size = LZ4_decompress_safe(packed.data(), scratch_.data(), static_cast<int>(packed.size()), static_cast<int>(bytes));
  if (size < 0 || static_cast<size_t>(size) != bytes) return bad("a compressed body is not LZ4 of the length that it says");
  return std::string_view(scratch_);
}

std::string unsupported_version_text(uint8_t version_byte) {
  return fmt::format("Invalid or unsupported protocol version ({}); supported versions are (3/v3, 4/v4, 5/v5)", version_byte);
}

void append_unsupported_version(std::string& out, uint8_t version_byte, int16_t stream) {
  const size_t at = out.size();
  std::string body;
  put_int(body, static_cast<int32_t>(ErrorCode::kProtocol));
  put_string(body, unsupported_version_text(version_byte));
  if (is_old(version_byte)) {
    put_byte(out, version_byte | kResponseBit);
    put_byte(out, 0);
    put_byte(out, static_cast<uint8_t>(stream));
    put_byte(out, static_cast<uint8_t>(Opcode::kError));
    put_int(out, static_cast<int32_t>(body.size()));
    out += body;
    return;
  }
  begin_envelope(out, Version::kV5, true, stream, Opcode::kError);
  out += body;
  end_envelope(out, at);
}

bool is_unsupported_version(std::string_view message) {
  return message.find("nvalid or unsupported protocol version") != std::string_view::npos;
}

}  // namespace millrace::codec::cql
