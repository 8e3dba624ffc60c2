#include "app/backup_manifest.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "codec/kafka_record/record_batch.h"

namespace millrace::app {
namespace {

BackupManifest sample() {
  BackupManifest manifest;
  manifest.version = "1.2.3";
  manifest.taken_at = instant_from_micros(1'790'000'000'123'456);
  Uuid id;
  id.bytes.fill(7);
  manifest.topics = {{"orders", id, {{model::Offset(3), model::Offset(10)}, {model::Offset(0), model::Offset(0)}}}};
  manifest.queries = {{"copy \"it\"", "orders", {model::Offset(9), model::Offset(0)}}};
  manifest.files = {
      {"log/orders-0/00000000000000000003.log", 700, 0x0000abcd}, {"meta.db", 4096, 0xffffffff}, {"store/CURRENT", 16, 0}};
  return manifest;
}

/// The text with a checksum that fits, so that what it says is looked at.
std::string sealed(const std::string& line) { return fmt::format("{}\n\"{:08x}\"\n", line, codec::kafka_record::crc32c(line)); }

std::string with_file(const std::string& name) {
  return sealed(fmt::format(R"({{"format":1,"version":"1","taken_at":"2026-01-01T00:00:00Z","topics":[],"queries":[],)"
                            R"("files":[{{"name":"{}","bytes":1,"crc32c":"00000000"}}]}})",
                            name));
}

TEST(BackupManifest, WhatIsEncodedIsDecoded) {
  auto again = decode_manifest(encode_manifest(sample()));
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(*again, sample());
  EXPECT_EQ(again->bytes(), 700u + 4096 + 16);
}

TEST(BackupManifest, EveryFlippedBitIsFound) {
  const std::string text = encode_manifest(sample());
  for (size_t at = 0; at < text.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = text;
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << bit));
      EXPECT_FALSE(decode_manifest(damaged)) << "bit " << bit << " of byte " << at;
    }
  }
}

TEST(BackupManifest, EveryPrefixIsRefused) {
  const std::string text = encode_manifest(sample());
  for (size_t size = 0; size < text.size(); ++size) EXPECT_FALSE(decode_manifest(text.substr(0, size))) << size;
}

TEST(BackupManifest, NamesStayInTheDataDirectory) {
  EXPECT_TRUE(decode_manifest(with_file("store/000001.sst")));
  EXPECT_TRUE(decode_manifest(with_file("dags/a/b/c/1.log")));
  for (const char* name : {"", "/etc/passwd", "store/../../x", "store//x", "store/./x", "store/", "store", "../store/x", "seal",
                           "LOCK", "token", "backup.manifest", "log/a\\u0000b"}) {
    auto decoded = decode_manifest(with_file(name));
    ASSERT_FALSE(decoded) << name;
    EXPECT_EQ(decoded.error().code, Errc::kCorruption);
  }
}

TEST(BackupManifest, NoFileStandsTwice) {
  BackupManifest manifest = sample();
  manifest.files.push_back(manifest.files.back());
  EXPECT_FALSE(decode_manifest(encode_manifest(manifest)));
}

TEST(BackupManifest, ANewerFormatIsNamed) {
  auto decoded = decode_manifest(sealed(R"({"format":2})"));
  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.error().code, Errc::kFailedPrecondition);
  EXPECT_NE(decoded.error().message.find("format 2"), std::string::npos);
}

}  // namespace
}  // namespace millrace::app
