// rooms: codec/cql
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "codec/cql/frame.h"
#include "codec/cql/segment.h"

using namespace millrace;
using namespace millrace::codec::cql;

namespace {

constexpr size_t kBodyMax = 1 << 20;

/// The bodies that come out of `bytes`, fed in pieces of `step`.
std::vector<std::string> read_bodies(FrameReader& reader, std::string_view bytes, size_t step) {
  std::vector<std::string> bodies;
  while (!bytes.empty()) {
    reader.feed(bytes.substr(0, step));
    bytes.remove_prefix(std::min(step, bytes.size()));
    while (true) {
      auto envelope = reader.next();
      if (!envelope) return bodies;
      if (!*envelope) break;
      CHECK((*envelope)->body.size() <= kBodyMax, "no body is above the limit");
      bodies.emplace_back((*envelope)->body);
      (void)read_prefix(**envelope);
    }
  }
  return bodies;
}

/// Bodies of 1 to 256 bytes times `scale`, cut from `data`, in envelopes.
std::string envelopes_of(std::string_view data, size_t scale, std::vector<std::string>& bodies) {
  std::string out;
  while (!data.empty()) {
    const size_t size = 1 + static_cast<uint8_t>(data[0]);
    std::string body;
    for (size_t i = 0; i < scale; ++i) body += data.substr(0, size);
    data.remove_prefix(std::min(size, data.size()));
    size_t at = begin_envelope(out, Version::kV5, true, 1, Opcode::kResult);
    out += body;
    end_envelope(out, at);
    bodies.push_back(std::move(body));
  }
  return out;
}

}  // namespace

// The first byte: segments or not, LZ4 or not, and the pieces that the bytes come in.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const uint8_t mode = data[0];
  std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Compression compression = (mode & 2) != 0 ? Compression::kLz4 : Compression::kNone;
  const size_t step = 1 + (mode >> 2);
  FrameReader whole(kBodyMax);
  FrameReader pieces(kBodyMax);
  for (FrameReader* reader : {&whole, &pieces}) {
    if ((mode & 1) != 0) reader->use_segments(compression);
    if ((mode & 2) != 0) reader->use_body_compression();
  }
  CHECK(read_bodies(whole, bytes, SIZE_MAX) == read_bodies(pieces, bytes, step), "how the bytes come does not matter");

  std::vector<std::string> bodies;
  const std::string envelopes = envelopes_of(bytes.substr(0, 600), step * 10, bodies);
  std::string segments;
  append_segments(segments, envelopes, compression);
  FrameReader reader(kBodyMax);
  reader.use_segments(compression);
  CHECK(read_bodies(reader, segments, 1000) == bodies, "segments hold what was put into them");
  return 0;
}
