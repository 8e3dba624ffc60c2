#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/uuid.h"

/// The envelope: one message with its 9-byte header (native protocol v3-v5, section 2). Integers are big-endian.
namespace millrace::codec::cql {

enum class Version : uint8_t { kV3 = 3, kV4 = 4, kV5 = 5 };

enum class Opcode : uint8_t {
  kError = 0x00,
  kStartup = 0x01,
  kReady = 0x02,
  kAuthenticate = 0x03,
  kOptions = 0x05,
  kSupported = 0x06,
  kQuery = 0x07,
  kResult = 0x08,
  kPrepare = 0x09,
  kExecute = 0x0A,
  kRegister = 0x0B,
  kEvent = 0x0C,
  kBatch = 0x0D,
  kAuthChallenge = 0x0E,
  kAuthResponse = 0x0F,
  kAuthSuccess = 0x10,
};
/// `EXECUTE`; `opcode 0x42` for one that is unknown.
std::string opcode_name(Opcode opcode);

/// Bits of the header's flags.
inline constexpr uint8_t kFlagCompressed = 0x01;  // v3, v4
inline constexpr uint8_t kFlagTracing = 0x02;
inline constexpr uint8_t kFlagCustomPayload = 0x04;
inline constexpr uint8_t kFlagWarnings = 0x08;
inline constexpr uint8_t kFlagBeta = 0x10;

inline constexpr size_t kHeaderBytes = 9;
/// What servers take by default (native_transport_max_frame_size).
inline constexpr size_t kBodyBytesMax = 16 << 20;
/// The stream of events, which answer nobody.
inline constexpr int16_t kEventStream = -1;

enum class Compression : uint8_t { kNone, kLz4 };

/// One message. `body` is a view; it is uncompressed and still has the prefix of `read_prefix`.
struct Envelope {
  uint8_t version_byte = 0;  // without the response bit; may be one that we do not speak
  bool response = false;
  uint8_t flags = 0;
  int16_t stream = 0;
  Opcode opcode = Opcode::kError;
  std::string_view body;

  /// None when the version is not v3-v5: then header and body are not to be trusted, and the connection ends after the answer.
  std::optional<Version> version() const {
    if (version_byte < 3 || version_byte > 5) return std::nullopt;
    return static_cast<Version>(version_byte);
  }
};

/// Appends a header to `out` and returns where it stands, for end_envelope once the body is appended. Bodies are written in
/// place.
size_t begin_envelope(std::string& out, Version version, bool response, int16_t stream, Opcode opcode, uint8_t flags = 0);
/// Puts the body's length into the header at `at`.
void end_envelope(std::string& out, size_t at);
/// Packs the body of the finished envelope at `at`, the last in `out`, and sets the flag, if that makes it smaller. Only for v3
/// and v4, after STARTUP has agreed on it.
void compress_envelope(std::string& out, size_t at);

/// What may stand before the message in the body: what a response's flags announce, and a request's custom payload.
struct BodyPrefix {
  std::optional<Uuid> tracing_id;
  std::vector<std::string_view> warnings;
  std::vector<std::pair<std::string_view, std::optional<std::string_view>>> custom_payload;
};
/// Takes the prefix off `envelope.body`. Free when no flag is set. Errors: kCorruption.
Result<BodyPrefix> read_prefix(Envelope& envelope);

/// The bytes of one direction of a connection to envelopes. Not thread-safe.
///
///   reader.feed(received);
///   while (true) { TRY(auto envelope, reader.next()); if (!envelope) break; … }
class FrameReader {
 public:
  /// A longer body, packed or unpacked, is an error.
  explicit FrameReader(size_t body_bytes_max = kBodyBytesMax) : body_bytes_max_(body_bytes_max) {}

  /// v3, v4: envelopes with the compressed flag are LZ4. Without this call such an envelope is an error.
  void use_body_compression() { body_compression_ = Compression::kLz4; }
  /// v5: what follows the bytes already handed out comes in segments (segment.h). To be called when READY or AUTHENTICATE was
  /// the last envelope taken (client) or was sent (server), before next().
  void use_segments(Compression compression);

  /// Takes bytes as they come. Views of earlier envelopes end.
  void feed(std::string_view bytes);
  /// The next whole envelope, none when more bytes are needed. Its body is valid until the next call of feed or next.
  ///
  /// An envelope of an unknown version is handed out as soon as its header is there, without a body (v1 and v2 have 8 bytes with
  /// a one-byte stream); next() fails from then on. Errors, all of them final: kCorruption (checksum, flags, lengths),
  /// kResourceExhausted (body above the limit).
  Result<std::optional<Envelope>> next();
  /// Bytes that are kept for envelopes that are not whole yet, and buffers.
  size_t buffered_bytes() const { return in_.size() - in_at_ + plain_.size() - plain_at_; }

 private:
  Result<std::optional<Envelope>> next_of(std::string_view bytes, size_t& at);
  Result<bool> next_segment();
  Result<std::string_view> unpack_body(std::string_view packed);

  size_t body_bytes_max_;
  Compression body_compression_ = Compression::kNone;
  std::optional<Compression> segments_;
  std::string in_;  // as received
  size_t in_at_ = 0;
  std::string plain_;  // what the segments held
  size_t plain_at_ = 0;
  bool self_contained_ = true;  // the last segment: an envelope must not go on behind it
  std::string scratch_;
  bool ended_ = false;
};

/// `Invalid or unsupported protocol version (66); supported versions are (3/v3, 4/v4, 5/v5)`: drivers look for these words.
std::string unsupported_version_text(uint8_t version_byte);
/// Appends the server's answer to a version that it does not speak: an ERROR 0x000A of the highest version. v1 and v2 get it in
/// their own shape, an 8-byte header.
void append_unsupported_version(std::string& out, uint8_t version_byte, int16_t stream);
/// True for the message of an ERROR 0x000A by which a server refuses the version (Cassandra and Scylla): try a lower one.
bool is_unsupported_version(std::string_view message);

}  // namespace millrace::codec::cql
