#include "connect/file/store.h"

#include "connect/file/sink_bed.h"

namespace millrace::connect::file {
namespace {

using Options = std::map<std::string, std::string>;

TEST(FileStore, ChecksUrlAndOptions) {
  EXPECT_TRUE(check_options("file:/out", {}));
  EXPECT_TRUE(check_options("file:///out", {{"format", "csv"}, {"rotate_bytes", "1MiB"}, {"rotate_every", "5m"}}));
  EXPECT_TRUE(check_options("stdout:", {{"format", "json"}}));
  const std::pair<std::string, Options> bad[] = {
      {"file:", {}},
      {"file://host/out", {}},
      {"http://x", {}},
      {"stdout:", {{"format", "csv"}}},
      {"stdout:", {{"rotate_bytes", "1"}}},
      {"file:/out", {{"format", "avro"}}},
      {"file:/out", {{"rotate_bytes", "many"}}},
      {"file:/out", {{"rotate_bytes", "0"}}},
      {"file:/out", {{"rotate_every", "soon"}}},
  };
  for (const auto& [url, options] : bad) EXPECT_EQ(check_options(url, options).error().code, Errc::kInvalidArgument) << url;
  Status unknown = check_options("file:/out", {{"fromat", "json"}});
  EXPECT_EQ(unknown.error().message, "there is no option 'fromat' for files");
  EXPECT_EQ(unknown.error().hint, "known: format, rotate_bytes, rotate_every");
}

TEST(FileStore, WritesInsideItsDirectoryOnly) {
  SinkBed bed;
  env::Env env{bed.files, bed.clock, bed.random};
  auto store = *FileStore::open({.url = "file:/out/"}, *bed.store, env, {});
  for (const char* name : {"", "a/b", "..", "a..b", ".hidden", "a\\b", "a\nb"})
    EXPECT_EQ(store->sink(name, "q", bed.spec.output).error().code, Errc::kInvalidArgument) << name;
  auto sink = store->sink("people", "q", bed.spec.output);
  ASSERT_TRUE(sink) << sink.error().message;
  EXPECT_TRUE(store->sink("people", "q", bed.spec.output));
  auto second = store->sink("people", "other", bed.spec.output);
  EXPECT_EQ(second.error().code, Errc::kFailedPrecondition);
  EXPECT_EQ(second.error().message, "/out/people is written by query q already");
}

TEST(FileState, IsReadAsItWasWritten) {
  FileState state{.number = 7, .length = 1 << 30, .complete = true, .format = Format::kParquet, .begun_micros = -5};
  state.schema.fields = {{"a b", {.id = model::TypeId::kText}}};
  std::string bytes = encode_file_state(state);
  EXPECT_EQ(decode_file_state(bytes), state);
  for (size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(decode_file_state(bytes.substr(0, size))) << size;
  EXPECT_FALSE(decode_file_state(bytes + "x"));
  EXPECT_EQ(file_state_key("q", "people"), "file/q/people");
  EXPECT_EQ(number_in("people-000012.csv.part", "people"), 12u);
  EXPECT_EQ(number_in("people-1000000.csv", "people"), 1000000u);
  for (const char* name :
       {"people-12.csv", "people.csv", "people-000012", "people2-000012.csv", "people-99999999999999999999.csv"})
    EXPECT_FALSE(number_in(name, "people")) << name;
}

}  // namespace
}  // namespace millrace::connect::file
