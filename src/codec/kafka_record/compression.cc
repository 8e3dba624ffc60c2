#include "codec/kafka_record/compression.h"

#include <fmt/format.h>
#include <lz4frame.h>
#include <snappy.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>

#include "base/bytes.h"

namespace millrace::codec::kafka_record {
namespace {

constexpr std::string_view kXerialMagic("\x82SNAPPY\0", 8);
constexpr size_t kXerialHeaderBytes = 16;       // magic, version, oldest compatible version
constexpr size_t kXerialBlockBytes = 32 << 10;  // as the Java client
constexpr int kGzipWindow = 15 + 16;            // zlib's word for "largest window, RFC 1952"

tl::unexpected<Error> bad(std::string_view codec, std::string_view why) {
  return fail(Errc::kCorruption, fmt::format("{} data: {}", codec, why));
}
tl::unexpected<Error> no_memory(std::string_view codec) {
  return fail(Errc::kResourceExhausted, fmt::format("{}: not enough memory", codec));
}

tl::unexpected<Error> too_large(size_t limit) {
  return fail(Errc::kResourceExhausted, fmt::format("a record batch holds more than {} bytes when unpacked", limit));
}

// ── gzip

Status compress_gzip(std::string_view body, std::string& out) {
  z_stream stream{};
  if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kGzipWindow, 8, Z_DEFAULT_STRATEGY) != Z_OK)
    return no_memory("gzip");
  const size_t start = out.size();
  out.resize(start + deflateBound(&stream, body.size()));
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(body.data()));
  stream.avail_in = static_cast<uInt>(body.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data() + start);
  stream.avail_out = static_cast<uInt>(out.size() - start);
  int outcome = deflate(&stream, Z_FINISH);
  out.resize(start + stream.total_out);
  deflateEnd(&stream);
  if (outcome != Z_STREAM_END) return fail(Errc::kInternal, "gzip: the bound was too small");
  return {};
}

/// Members may follow one another (RFC 1952, 2.2).
Status inflate_members(z_stream& stream, Unpacked& out) {
  while (true) {
    TRY_DO(out.make_some_room());
    auto room = static_cast<uInt>(std::min<size_t>(out.room(), 1 << 30));
    stream.next_out = reinterpret_cast<Bytef*>(out.end());
    stream.avail_out = room;
    int outcome = inflate(&stream, Z_NO_FLUSH);
    out.grow(room - stream.avail_out);
    if (outcome == Z_STREAM_END) {
      if (stream.avail_in == 0) return {};
      if (inflateReset(&stream) != Z_OK) return bad("gzip", "a member after the first is wrong");
      continue;
    }
    if (outcome == Z_MEM_ERROR) return no_memory("gzip");
    if (outcome == Z_BUF_ERROR || (outcome == Z_OK && stream.avail_in == 0 && stream.avail_out != 0)) {
      return bad("gzip", "cut short");
    }
    if (outcome != Z_OK) return bad("gzip", stream.msg == nullptr ? "wrong" : stream.msg);
  }
}

Status decompress_gzip(std::string_view packed, Unpacked& out) {
  z_stream stream{};
  if (inflateInit2(&stream, kGzipWindow) != Z_OK) return no_memory("gzip");
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  auto status = inflate_members(stream, out);
  inflateEnd(&stream);
  return status;
}

// ── snappy: Java frames raw blocks the way snappy-java ("xerial") does; librdkafka writes one raw block. Both are read.

void compress_snappy(std::string_view body, std::string& out) {
  out.append(kXerialMagic);
  append_be<int32_t>(out, 1);
  append_be<int32_t>(out, 1);
  for (size_t done = 0; done < body.size(); done += kXerialBlockBytes) {
    std::string_view block = body.substr(done, kXerialBlockBytes);
    const size_t start = out.size();
    out.resize(start + 4 + snappy::MaxCompressedLength(block.size()));
    size_t size = 0;
    snappy::RawCompress(block.data(), block.size(), out.data() + start + 4, &size);
    store_be(out.data() + start, static_cast<int32_t>(size));
    out.resize(start + 4 + size);
  }
}

Status decompress_snappy_block(std::string_view block, Unpacked& out) {
  size_t size = 0;
  if (!snappy::GetUncompressedLength(block.data(), block.size(), &size)) return bad("snappy", "a block has no length");
  // A copy element of 2 bytes yields up to 64: a block that claims more than this lies.
  if (size / 64 > block.size()) return bad("snappy", "a block claims more than it can hold");
  TRY_DO(out.make_room(size));
  if (!snappy::RawUncompress(block.data(), block.size(), out.end())) return bad("snappy", "a block is wrong");
  out.grow(size);
  return {};
}

Status decompress_snappy(std::string_view packed, Unpacked& out) {
  if (!packed.starts_with(kXerialMagic)) return decompress_snappy_block(packed, out);
  if (packed.size() < kXerialHeaderBytes) return bad("snappy", "cut short");
  ByteReader reader(packed.substr(kXerialHeaderBytes));
  while (!reader.empty()) {
    auto size = reader.be<uint32_t>();
    std::string_view block = reader.bytes(size);
    if (!reader.ok()) return bad("snappy", "a block passes the end");
    TRY_DO(decompress_snappy_block(block, out));
  }
  return {};
}

// ── lz4: the frame format. Java reads independent blocks only, and no dictionary.

Status compress_lz4(std::string_view body, std::string& out) {
  LZ4F_preferences_t preferences{};
  preferences.frameInfo.blockMode = LZ4F_blockIndependent;
  preferences.frameInfo.blockSizeID = LZ4F_max64KB;
  const size_t start = out.size();
  out.resize(start + LZ4F_compressFrameBound(body.size(), &preferences));
  size_t size = LZ4F_compressFrame(out.data() + start, out.size() - start, body.data(), body.size(), &preferences);
  if (LZ4F_isError(size)) return no_memory("lz4");
  out.resize(start + size);
  return {};
}

Status decompress_lz4(std::string_view packed, Unpacked& out) {
  LZ4F_dctx* raw = nullptr;
  if (LZ4F_isError(LZ4F_createDecompressionContext(&raw, LZ4F_VERSION))) return no_memory("lz4");
  std::unique_ptr<LZ4F_dctx, decltype(&LZ4F_freeDecompressionContext)> context(raw, LZ4F_freeDecompressionContext);
  size_t wanted = 1;  // 0 at the end of a frame
  while (!packed.empty() || wanted != 0) {
    TRY_DO(out.make_some_room());
    size_t written = out.room(), read = packed.size();
    wanted = LZ4F_decompress(context.get(), out.end(), &written, packed.data(), &read, nullptr);
    if (LZ4F_isError(wanted)) return bad("lz4", LZ4F_getErrorName(wanted));
    if (written == 0 && read == 0 && wanted != 0) return bad("lz4", "cut short");
    out.grow(written);
    packed.remove_prefix(read);
  }
  return {};
}

// ── zstd

Status compress_zstd(std::string_view body, std::string& out) {
  const size_t start = out.size();
  out.resize(start + ZSTD_compressBound(body.size()));
  size_t size = ZSTD_compress(out.data() + start, out.size() - start, body.data(), body.size(), ZSTD_CLEVEL_DEFAULT);
  if (ZSTD_isError(size)) return no_memory("zstd");
  out.resize(start + size);
  return {};
}

Status decompress_zstd(std::string_view packed, Unpacked& out) {
  std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context(ZSTD_createDCtx(), ZSTD_freeDCtx);
  if (context == nullptr) return no_memory("zstd");
  // A frame that tells its size is decoded in one step when there is room for all of it.
  auto told = ZSTD_getFrameContentSize(packed.data(), packed.size());
  if (told != ZSTD_CONTENTSIZE_UNKNOWN && told != ZSTD_CONTENTSIZE_ERROR) TRY_DO(out.make_room(told));
  ZSTD_inBuffer in{packed.data(), packed.size(), 0};
  size_t wanted = 1;  // 0 at the end of a frame
  while (in.pos < in.size || wanted != 0) {
    TRY_DO(out.make_some_room());
    ZSTD_outBuffer to{out.end(), out.room(), 0};
    const size_t before = in.pos;
    wanted = ZSTD_decompressStream(context.get(), &to, &in);
    if (ZSTD_isError(wanted)) return bad("zstd", ZSTD_getErrorName(wanted));
    if (to.pos == 0 && in.pos == before && wanted != 0) return bad("zstd", "cut short");
    out.grow(to.pos);
  }
  return {};
}

}  // namespace

Status Unpacked::make_room(size_t more) {
  if (more <= room()) return {};
  if (more > limit_ + 1 - size_) return too_large(limit_);
  size_t capacity = std::min(std::max(size_ + more, 2 * capacity_), limit_ + 1);
  char* moved = static_cast<char*>(std::realloc(data_.get(), capacity + kReadAheadBytes));
  if (moved == nullptr) return fail(Errc::kResourceExhausted, "not enough memory to unpack a record batch");
  (void)data_.release();
  data_.reset(moved);
  capacity_ = capacity;
  return {};
}

Status Unpacked::make_some_room() {
  if (room() > 0) return {};
  constexpr size_t kFirstBytes = 64 << 10;
  return make_room(std::clamp<size_t>(limit_ + 1 - size_, 1, kFirstBytes));
}

Status Unpacked::check_limit() const {
  if (size_ > limit_) return too_large(limit_);
  return {};
}

void Unpacked::finish() {
  if (data_ != nullptr) std::fill_n(end(), kReadAheadBytes, '\0');
}

Status compress(Compression compression, std::string_view body, std::string& out) {
  switch (compression) {
    case Compression::kNone: out.append(body); return {};
    case Compression::kGzip: return compress_gzip(body, out);
    case Compression::kSnappy: compress_snappy(body, out); return {};
    case Compression::kLz4: return compress_lz4(body, out);
    case Compression::kZstd: return compress_zstd(body, out);
  }
  return fail(Errc::kInvalidArgument, "there is no such compression");
}

Status decompress(Compression compression, std::string_view packed, Unpacked& out) {
  switch (compression) {
    case Compression::kNone: return fail(Errc::kInvalidArgument, "nothing is packed");
    case Compression::kGzip: TRY_DO(decompress_gzip(packed, out)); return out.check_limit();
    case Compression::kSnappy: TRY_DO(decompress_snappy(packed, out)); return out.check_limit();
    case Compression::kLz4: TRY_DO(decompress_lz4(packed, out)); return out.check_limit();
    case Compression::kZstd: TRY_DO(decompress_zstd(packed, out)); return out.check_limit();
  }
  return fail(Errc::kInvalidArgument, "there is no such compression");
}

}  // namespace millrace::codec::kafka_record
