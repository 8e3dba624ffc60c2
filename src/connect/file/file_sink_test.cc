#include "connect/file/file_sink.h"

#include "connect/file/sink_bed.h"

namespace millrace::connect::file {
namespace {

using Call = env::FaultFileSystem::Call;
using Failure = env::FaultFileSystem::Failure;
using Names = std::vector<std::string>;
using namespace std::chrono_literals;

TEST(FileSink, AppendsTheRowsOfCommittedEpochs) {
  SinkBed bed;
  ASSERT_TRUE(bed.try_open());
  EXPECT_TRUE(bed.names().empty());
  ASSERT_TRUE(bed.epoch(0, 2));
  ASSERT_TRUE(bed.epoch(2, 3));
  EXPECT_EQ(bed.names(), Names{"people-000001.jsonl.part"});
  EXPECT_EQ(bed.everything(), SinkBed::lines(0, 3));
  ASSERT_TRUE(bed.try_open());
  ASSERT_TRUE(bed.epoch(3, 4));
  EXPECT_EQ(bed.everything(), SinkBed::lines(0, 4));
  EXPECT_EQ(bed.sink->traits().durability, store::Durability::kSync);
}

TEST(FileSink, AnAbandonedEpochLeavesNothing) {
  SinkBed bed;
  ASSERT_TRUE(bed.try_open());
  ASSERT_TRUE(bed.stage(90, 95));
  bed.sink->abandon();
  ASSERT_TRUE(bed.epoch(0, 2));
  ASSERT_TRUE(bed.stage(95, 99));
  store::Batch lost;
  ASSERT_TRUE(bed.sink->commit({}, lost));
  bed.sink->abandon();
  ASSERT_TRUE(bed.epoch(2, 3));
  EXPECT_EQ(bed.everything(), SinkBed::lines(0, 3));
}

TEST(FileSink, AnEpochThatACrashCutOffLeavesNothing) {
  SinkBed bed;
  ASSERT_TRUE(bed.try_open());
  ASSERT_TRUE(bed.epoch(0, 2));
  ASSERT_TRUE(bed.stage(90, 95));
  store::Batch lost;
  ASSERT_TRUE(bed.sink->commit({}, lost));
  EXPECT_NE(bed.everything(), SinkBed::lines(0, 2));
  ASSERT_TRUE(bed.try_open());
  EXPECT_EQ(bed.everything(), SinkBed::lines(0, 2));
}

TEST(FileSink, ALargeFileIsCompleted) {
  SinkBed bed;
  bed.spec.rotate_bytes = 20;
  ASSERT_TRUE(bed.try_open());
  ASSERT_TRUE(bed.epoch(0, 1));
  ASSERT_TRUE(bed.epoch(1, 3));
  EXPECT_EQ(bed.names(), Names{"people-000001.jsonl"});
  ASSERT_TRUE(bed.epoch(3, 4));
  EXPECT_EQ(bed.names(), (Names{"people-000001.jsonl", "people-000002.jsonl.part"}));
  EXPECT_EQ(bed.content("people-000001.jsonl"), SinkBed::lines(0, 3));
}

TEST(FileSink, AnOldFileIsCompletedAlsoWithoutNewRows) {
  SinkBed bed;
  bed.spec.rotate_every = 60s;
  ASSERT_TRUE(bed.try_open());
  ASSERT_TRUE(bed.commit());
  EXPECT_TRUE(bed.names().empty());
  ASSERT_TRUE(bed.epoch(0, 1));
  bed.clock.advance(59s);
  ASSERT_TRUE(bed.commit());
  EXPECT_EQ(bed.names(), Names{"people-000001.jsonl.part"});
  ASSERT_TRUE(bed.try_open());
  bed.clock.advance(1s);
  ASSERT_TRUE(bed.commit());
  EXPECT_EQ(bed.names(), Names{"people-000001.jsonl"});
  bed.clock.advance(60s);
  ASSERT_TRUE(bed.commit());
  EXPECT_EQ(bed.names(), Names{"people-000001.jsonl"});
}

TEST(FileSink, FinishCompletesTheFileAndDropsWhatIsNotCommitted) {
  SinkBed bed;
  ASSERT_TRUE(bed.try_open());
  ASSERT_TRUE(bed.sink->finish());
  EXPECT_TRUE(bed.names().empty());
  ASSERT_TRUE(bed.epoch(0, 2));
  ASSERT_TRUE(bed.stage(2, 4));
  ASSERT_TRUE(bed.sink->finish());
  EXPECT_EQ(bed.names(), Names{"people-000001.jsonl"});
  EXPECT_EQ(bed.everything(), SinkBed::lines(0, 2));
  ASSERT_TRUE(bed.try_open());
  ASSERT_TRUE(bed.epoch(2, 3));
  EXPECT_EQ(bed.names(), (Names{"people-000001.jsonl", "people-000002.jsonl.part"}));
}

TEST(FileSink, CsvHasAHeaderInEachFile) {
  SinkBed bed;
  bed.spec.format = Format::kCsv;
  bed.spec.rotate_bytes = 1;
  ASSERT_TRUE(bed.try_open());
  ASSERT_TRUE(bed.epoch(0, 2));
  ASSERT_TRUE(bed.epoch(2, 3));
  EXPECT_EQ(bed.content("people-000001.csv"), "n\r\n0\r\n1\r\n");
  EXPECT_EQ(bed.content("people-000002.csv"), "n\r\n2\r\n");
}

TEST(FileSink, OtherColumnsOrAnotherFormatBeginANewFile) {
  SinkBed bed;
  bed.spec.format = Format::kCsv;
  ASSERT_TRUE(bed.try_open());
  ASSERT_TRUE(bed.epoch(0, 1));
  bed.spec.format = Format::kJson;
  ASSERT_TRUE(bed.try_open());
  ASSERT_TRUE(bed.epoch(1, 2));
  EXPECT_EQ(bed.names(), (Names{"people-000001.csv", "people-000002.jsonl.part"}));
  bed.spec.output = schema_of({{"m", {.id = model::TypeId::kText}}});
  ASSERT_TRUE(bed.try_open());
  EXPECT_EQ(bed.names(), (Names{"people-000001.csv", "people-000002.jsonl"}));
}

TEST(FileSink, ParquetIsMadeWhenTheFileIsComplete) {
  SinkBed bed;
  bed.spec.format = Format::kParquet;
  bed.spec.rotate_bytes = 20;
  ASSERT_TRUE(bed.try_open());
  ASSERT_TRUE(bed.epoch(0, 2));
  EXPECT_EQ(bed.names(), Names{"people-000001.jsonl.part"});
  ASSERT_TRUE(bed.epoch(2, 3));
  EXPECT_EQ(bed.names(), Names{"people-000001.parquet"});
  EXPECT_EQ(bed.content("people-000001.parquet"), "PARQUET\n" + SinkBed::lines(0, 3));
}

TEST(FileSink, RowsThatParquetCannotHoldAreFaults) {
  SinkBed bed;
  bed.spec.format = Format::kParquet;
  bed.spec.output = schema_of({{"h", {.id = model::TypeId::kHugeint}}, {"t", {.id = model::TypeId::kText}}});
  ASSERT_TRUE(bed.try_open());
  std::string nines(38, '9');
  auto rows = rows_of(bed.spec.output, {"{\"h\":\"" + nines + "\"}", "{\"h\":\"-1" + std::string(38, '0') + "\"}",
                                        "{\"t\":\"" + std::string(17 << 20, 'x') + "\"}"});
  auto report = bed.sink->stage(rows, std::vector<port::RowOrigin>(3), false);
  ASSERT_TRUE(report);
  ASSERT_EQ(report->faults.size(), 2u);
  EXPECT_EQ(report->faults[0].row, 1u);
  EXPECT_EQ(report->faults[1].row, 2u);
  ASSERT_TRUE(bed.commit());
  EXPECT_EQ(bed.everything(), "{\"h\":\"" + nines + "\",\"t\":null}\n");
}

TEST(FileSink, ADataDirectoryThatIsNewGoesOnBehindTheOldFiles) {
  SinkBed bed;
  ASSERT_TRUE(bed.files.create_directories("/out"));
  for (const char* name : {"people-000007.jsonl", "people-000008.csv.part", "people-9.csv", "other-000099.jsonl"})
    ASSERT_TRUE(bed.files.open(std::string("/out/") + name, env::OpenMode::kWrite));
  ASSERT_TRUE(bed.try_open());
  ASSERT_TRUE(bed.epoch(0, 1));
  EXPECT_EQ(bed.content("people-000009.jsonl.part"), SinkBed::lines(0, 1));
  EXPECT_EQ(bed.names().size(), 5u);
}

TEST(FileSink, AFileThatSomebodyMovedAwayIsLetGo) {
  SinkBed bed;
  ASSERT_TRUE(bed.try_open());
  ASSERT_TRUE(bed.epoch(0, 1));
  ASSERT_TRUE(bed.files.rename("/out/people-000001.jsonl.part", "/mine"));
  ASSERT_TRUE(bed.try_open());
  ASSERT_TRUE(bed.epoch(1, 2));
  EXPECT_EQ(bed.names(), Names{"people-000002.jsonl.part"});
}

TEST(FileSink, AFileThatSomebodyCutIsRefused) {
  SinkBed bed;
  ASSERT_TRUE(bed.try_open());
  ASSERT_TRUE(bed.epoch(0, 2));
  ASSERT_TRUE((*bed.files.open("/out/people-000001.jsonl.part", env::OpenMode::kWrite))->truncate(3));
  Status opened = bed.try_open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Errc::kDataLoss);
  EXPECT_NE(opened.error().message.find("has 3 bytes, but 16 are committed"), std::string::npos) << opened.error().message;
}

TEST(FileSink, AFullDiskIsTriedAgain) {
  SinkBed bed;
  ASSERT_TRUE(bed.try_open());
  ASSERT_TRUE(bed.epoch(0, 1));
  bed.files.set_free_bytes(4);
  ASSERT_TRUE(bed.stage(1, 3));
  EXPECT_EQ(bed.commit().error().code, Errc::kDiskFull);
  bed.sink->abandon();
  bed.files.set_free_bytes(1000);
  ASSERT_TRUE(bed.epoch(1, 3));
  EXPECT_EQ(bed.everything(), SinkBed::lines(0, 3));
}

TEST(FileSink, AfterAFailedSyncNothingIsCommitted) {
  SinkBed bed;
  ASSERT_TRUE(bed.try_open());
  ASSERT_TRUE(bed.epoch(0, 1));
  bed.files.fail_call(Call::kSync, 1, Failure::kIo);
  ASSERT_TRUE(bed.stage(1, 2));
  EXPECT_EQ(bed.commit().error().code, Errc::kIo);
  bed.sink->abandon();
  EXPECT_FALSE(bed.epoch(1, 2));
  bed.files.lose_power(7);
  ASSERT_TRUE(bed.try_open());
  ASSERT_TRUE(bed.epoch(1, 2));
  EXPECT_EQ(bed.everything(), SinkBed::lines(0, 2));
}

TEST(FileSink, ANameThatCouldNotBeGivenIsGivenByTheNextCall) {
  for (Format format : {Format::kJson, Format::kParquet}) {
    SinkBed bed;
    bed.spec.format = format;
    bed.spec.rotate_bytes = 1;
    ASSERT_TRUE(bed.try_open());
    ASSERT_TRUE(env::set_faults("file_sink.before_rename=eio"));
    ASSERT_TRUE(bed.epoch(0, 1));
    EXPECT_EQ(bed.stage(1, 2).error().code, Errc::kIo);
    bed.sink->abandon();
    ASSERT_TRUE(env::set_faults("file_sink.before_remove=eio"));
    if (format == Format::kParquet) EXPECT_EQ(bed.stage(1, 2).error().code, Errc::kIo);
    ASSERT_TRUE(env::set_faults(""));
    ASSERT_TRUE(bed.try_open());
    ASSERT_TRUE(bed.epoch(1, 2));
    std::string ending(extension(format));
    EXPECT_EQ(bed.names(), (Names{"people-000001" + ending, "people-000002" + ending}));
    EXPECT_EQ(bed.everything(), SinkBed::lines(0, 2));
  }
}

/// Failures that the last life did not reach can come now.
std::string everything_after_power_loss(SinkBed& bed, uint64_t seed, bool finish = false) {
  constexpr int kFailuresMax = 20;
  for (int i = 0; i < kFailuresMax; ++i, bed.files.lose_power(seed)) {
    if (!bed.try_open() || (finish && !bed.sink->finish())) continue;
    if (auto all = bed.try_everything()) return *all;
  }
  return "nothing that can be opened";
}

/// Power goes at a call that the seed picks, in each of several lives; the files hold the rows of committed epochs, no more and
/// no less.
void lose_power(uint64_t seed, Format format) {
  SCOPED_TRACE(seed);
  SinkBed bed;
  bed.spec.format = format;
  bed.spec.rotate_bytes = 60;
  env::SeededRandom random(seed);
  int rows = 0;
  for (int life = 0; life < 4; ++life) {
    ASSERT_EQ(everything_after_power_loss(bed, seed), SinkBed::lines(0, rows));
    constexpr Call kCalls[] = {Call::kWrite, Call::kSync, Call::kSyncDirectory, Call::kOpen, Call::kRename, Call::kRemove};
    bed.files.fail_call(kCalls[random.next() % 6], 1 + random.next() % 8, Failure::kPowerLoss);
    for (int epoch = 0; epoch < 20; ++epoch) {
      int more = static_cast<int>(random.next() % 5);
      int before = bed.commits;
      bool abandoned = random.next() % 4 == 0;
      bool went_well = abandoned ? bed.stage(900, 900 + more).has_value() : bed.epoch(rows, rows + more).has_value();
      if (bed.commits > before) rows += more;
      if (!went_well) break;
      if (abandoned) bed.sink->abandon();
    }
    bed.files.lose_power(random.next());
  }
  EXPECT_EQ(everything_after_power_loss(bed, seed, true), SinkBed::lines(0, rows));
  for (const std::string& name : bed.names()) EXPECT_TRUE(name.ends_with(extension(format))) << name;
}

TEST(FileSink, NoPowerLossMakesOrTakesRows) {
  for (uint64_t seed = 1; seed <= 25 && !testing::Test::HasFailure(); ++seed) lose_power(seed, Format::kJson);
}

TEST(FileSink, NoPowerLossMakesOrTakesRowsOfParquet) {
  for (uint64_t seed = 1; seed <= 25 && !testing::Test::HasFailure(); ++seed) lose_power(seed, Format::kParquet);
}

}  // namespace
}  // namespace millrace::connect::file
