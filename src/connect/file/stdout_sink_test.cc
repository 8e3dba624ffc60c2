#include "connect/file/stdout_sink.h"

#include <unistd.h>

#include <csignal>

#include "connect/file/sink_bed.h"

namespace millrace::connect::file {
namespace {

struct StdoutSinkTest : testing::Test {
  void SetUp() override {
    std::signal(SIGPIPE, SIG_IGN);
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    reader_ = ends[0];
    out_ = ::fdopen(ends[1], "w");
  }
  void TearDown() override {
    std::fclose(out_);
    if (reader_ >= 0) ::close(reader_);
  }
  Status stage(const std::vector<std::string>& objects) {
    auto report = sink().stage(rows_of(schema_, objects), std::vector<port::RowOrigin>(objects.size()), false);
    return report ? Status() : fail(report.error());
  }
  StdoutSink& sink() {
    if (!sink_) sink_ = std::make_unique<StdoutSink>(out_);
    return *sink_;
  }
  std::string read() {
    std::string text(1000, '\0');
    text.resize(static_cast<size_t>(std::max<ssize_t>(::read(reader_, text.data(), text.size()), 0)));
    return text;
  }

  std::shared_ptr<const model::Schema> schema_ = schema_of({{"n", {.id = model::TypeId::kBigint}}});
  int reader_ = -1;
  std::FILE* out_ = nullptr;
  std::unique_ptr<StdoutSink> sink_;
  store::Batch batch_;
};

TEST_F(StdoutSinkTest, WritesLinesAtTheCommit) {
  ASSERT_TRUE(stage({"{\"n\":9}"}));
  sink().abandon();
  ASSERT_TRUE(stage({"{\"n\":1}", "{}"}));
  ASSERT_TRUE(sink().commit({}, batch_));
  EXPECT_EQ(read(), "{\"n\":1}\n{\"n\":null}\n");
  EXPECT_EQ(sink().traits().kind, port::SinkKind::kAtLeastOnce);
  EXPECT_TRUE(batch_.empty());
}

TEST_F(StdoutSinkTest, SaysWhenNobodyReads) {
  ::close(std::exchange(reader_, -1));
  ASSERT_TRUE(stage({"{}"}));
  EXPECT_EQ(sink().commit({}, batch_).error().code, Errc::kFailedPrecondition);
}

}  // namespace
}  // namespace millrace::connect::file
