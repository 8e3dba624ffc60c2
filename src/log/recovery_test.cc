#include <gtest/gtest.h>

#include "env/fault.h"
#include "log/partition_bed.h"
#include "log/verify.h"

namespace millrace::log {
namespace {

using model::Offset;
using model::Record;
using Call = env::FaultFileSystem::Call;
using Failure = env::FaultFileSystem::Failure;

void append(PartitionLog& p, int from, int to) {
  for (int i = from; i < to; ++i) ASSERT_TRUE(p.append(std::vector{text_record("record " + std::to_string(i))}));
}

/// Sets back what `partition.state` says to what it was when the log had `offset`, as power loss can.
void forget_flushed(PartitionBed& bed, Offset offset) {
  auto state = PartitionState::open(bed.files, bed.place.dir + "/partition.state", false);
  ASSERT_TRUE(state);
  ASSERT_TRUE((*state)->set_flushed(offset));
}

TEST(Recovery, CutsATornTailAtEveryByteOfTheLastBatch) {
  PartitionBed bed;
  append(bed.open(), 0, 3);
  bed.stop();
  std::string whole = bed.content(bed.segment(0));
  size_t before = whole.size() / 3 * 2;
  ASSERT_EQ(whole.size() % 3, 0u);
  for (size_t size = before; size < whole.size(); ++size) {
    forget_flushed(bed, Offset(2));
    bed.overwrite(bed.segment(0), whole.substr(0, size));
    PartitionLog& p = bed.open();
    EXPECT_EQ(p.log_end_offset(), Offset(2)) << size;
    EXPECT_EQ(bed.texts(), (std::vector<std::string>{"record 0", "record 1"}));
    EXPECT_EQ(bed.content(bed.segment(0)).size(), before);
    append(p, 9, 10);
    EXPECT_EQ(bed.texts().back(), "record 9");
    bed.stop();
  }
}

TEST(Recovery, CutsATailOfZeros) {
  PartitionBed bed;
  append(bed.open(), 0, 3);
  bed.stop();
  bed.overwrite(bed.segment(0), bed.content(bed.segment(0)) + std::string(1000, '\0'));
  bed.open();
  EXPECT_EQ(bed.texts().size(), 3u);
}

TEST(Recovery, ADamagedBatchAmongDurableOnesIsRefusedAndNotCut) {
  PartitionBed bed;
  append(bed.open(), 0, 5);
  bed.stop();
  std::string whole = bed.content(bed.segment(0));
  size_t batch = whole.size() / 5;
  for (size_t at = 0; at < whole.size(); at += 3) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    size_t in_batch = at % batch;
    if (in_batch >= 12 && in_batch < 16) continue;  // the leader epoch, which nothing covers
    bed.overwrite(bed.segment(0), damaged);
    auto opened = bed.try_open();
    ASSERT_FALSE(opened) << at;
    EXPECT_EQ(opened.error().code, Errc::kCorruption);
    EXPECT_NE(opened.error().message.find(bed.segment(0)), std::string::npos);
    EXPECT_NE(opened.error().message.find("position " + std::to_string(at / batch * batch)), std::string::npos)
        << opened.error().message;
    EXPECT_EQ(bed.content(bed.segment(0)), damaged);

    auto report = verify(bed.files, "/log");
    ASSERT_TRUE(report);
    ASSERT_FALSE(report->damage.empty()) << at;
    EXPECT_EQ(report->damage[0].file, bed.segment(0));
    EXPECT_EQ(report->damage[0].position, at / batch * batch);
  }
}

TEST(Recovery, AShortFileIsRefusedWhenTheRestWasDurable) {
  PartitionBed bed;
  append(bed.open(), 0, 5);
  bed.stop();
  std::string whole = bed.content(bed.segment(0));
  bed.overwrite(bed.segment(0), whole.substr(0, whole.size() / 5 * 4));
  EXPECT_EQ(bed.try_open().error().code, Errc::kCorruption);
}

TEST(Recovery, AnIndexIsOnlyACache) {
  PartitionBed bed;
  bed.options.segment_bytes_max = 500;
  bed.options.index_interval_bytes = 100;
  append(bed.open(), 0, 30);
  std::vector<std::string> expected = bed.texts();
  bed.stop();
  auto names = bed.files.list(bed.place.dir);
  ASSERT_TRUE(names);
  int damaged = 0;
  for (const std::string& name : *names) {
    if (!name.ends_with(".index")) continue;
    std::string path = bed.place.dir + "/" + name;
    std::string bytes = bed.content(path);
    switch (damaged++ % 3) {
      case 0: bed.overwrite(path, ""); break;
      case 1: bed.overwrite(path, bytes.substr(0, bytes.size() - 1)); break;
      default: ASSERT_TRUE(bed.files.remove(path));
    }
  }
  ASSERT_GE(damaged, 3);
  auto report = verify(bed.files, "/log");
  EXPECT_FALSE(report->damage.empty());
  bed.open();
  EXPECT_EQ(bed.texts(), expected);
  bed.open();
  EXPECT_EQ(bed.texts(), expected);
  EXPECT_TRUE(verify(bed.files, "/log")->damage.empty());
}

TEST(Recovery, AMissingSegmentIsRefused) {
  PartitionBed bed;
  bed.options.segment_bytes_max = 300;
  append(bed.open(), 0, 30);
  bed.stop();
  auto names = bed.files.list(bed.place.dir);
  std::vector<std::string> logs;
  for (const std::string& name : *names) {
    if (name.ends_with(".log")) logs.push_back(name);
  }
  ASSERT_GT(logs.size(), 4u);
  ASSERT_TRUE(bed.files.remove(bed.place.dir + "/" + logs[2]));
  EXPECT_EQ(bed.try_open().error().code, Errc::kCorruption);
  EXPECT_FALSE(verify(bed.files, "/log")->damage.empty());
}

TEST(Recovery, AnotherTopicsDirectoryIsRefused) {
  PartitionBed bed;
  append(bed.open(), 0, 1);
  bed.stop();
  bed.place.topic_id = env::make_uuid(bed.random);
  EXPECT_EQ(bed.try_open().error().code, Errc::kCorruption);
}

TEST(Recovery, ReadOnlyLeavesATornTailInPlace) {
  PartitionBed bed;
  append(bed.open(), 0, 3);
  bed.stop();
  std::string torn = bed.content(bed.segment(0)) + "torn";
  bed.overwrite(bed.segment(0), torn);
  bed.options.read_only = true;
  bed.open();
  EXPECT_EQ(bed.texts().size(), 3u);
  EXPECT_EQ(bed.content(bed.segment(0)), torn);
}

TEST(Recovery, ACrashInARollLeavesAnEmptySegmentThatGoes) {
  PartitionBed bed;
  append(bed.open(), 0, 3);
  bed.stop();
  bed.overwrite(bed.segment(3), "");
  PartitionLog& p = bed.open();
  append(p, 3, 4);
  EXPECT_EQ(bed.texts().size(), 4u);
  EXPECT_FALSE(*bed.files.exists(bed.segment(3)));
}

TEST(Recovery, AFailedRollRefusesThatAppendOnly) {
  PartitionBed bed;
  bed.options.segment_bytes_max = 200;
  PartitionLog& p = bed.open();
  append(p, 0, 2);
  ASSERT_TRUE(env::set_faults("log.roll=enospc,after=0"));
  EXPECT_EQ(p.append(std::vector{text_record(std::string(150, 'x'))}).error().code, Errc::kDiskFull);
  ASSERT_TRUE(env::set_faults(""));
  append(p, 2, 10);
  bed.open();
  EXPECT_EQ(bed.texts().size(), 10u);
}

TEST(Recovery, AFaultWhileRecoveringIsReportedAndHarmless) {
  PartitionBed bed;
  append(bed.open(), 0, 2);
  ASSERT_TRUE(env::set_faults("log.recovery=eio"));
  EXPECT_EQ(bed.try_open().error().code, Errc::kIo);
  ASSERT_TRUE(env::set_faults(""));
  bed.open();
  EXPECT_EQ(bed.texts().size(), 2u);
}

TEST(Recovery, FlippedBitsAreFoundByReadAfterACleanClose) {
  PartitionBed bed;
  PartitionLog& p = bed.open();
  append(p, 0, 4);
  std::string whole = bed.content(bed.segment(0));
  whole[whole.size() / 2 + 30] = static_cast<char>(whole[whole.size() / 2 + 30] ^ 1);
  bed.overwrite(bed.segment(0), whole);
  auto run = p.read(Offset(0), 1 << 20, 100);
  ASSERT_FALSE(run);
  EXPECT_EQ(run.error().code, Errc::kCorruption);
  EXPECT_NE(run.error().message.find("position"), std::string::npos);
}

/// A planned power loss that the last life did not reach can come in this open.
PartitionLog& open_after_power_loss(PartitionBed& bed, uint64_t seed) {
  if (bed.try_open()) return *bed.partition;
  bed.lose_power(seed);
  return bed.open();
}

/// Appends of 1-3 records until power goes at a call that the seed picks; then what was acknowledged is there, and of the rest
/// whole appends.
void power_loss(uint64_t seed, SyncMode mode) {
  SCOPED_TRACE(seed);
  PartitionBed bed;
  bed.settings.sync = mode;
  bed.options.segment_bytes_max = 700;
  bed.options.index_interval_bytes = 100;
  env::SeededRandom random(seed);
  std::vector<std::string> sent;  // each record ever handed to append, in offset order
  std::vector<size_t> ends;       // sizes of `sent` after each whole append
  size_t durable = 0;
  for (int life = 0; life < 4; ++life) {
    open_after_power_loss(bed, seed);
    std::vector<std::string> found = bed.texts();
    ASSERT_GE(found.size(), durable);
    ASSERT_LE(found.size(), sent.size());
    ASSERT_TRUE(std::equal(found.begin(), found.end(), sent.begin()));
    ASSERT_TRUE(found.empty() || std::find(ends.begin(), ends.end(), found.size()) != ends.end()) << "half an append";
    EXPECT_TRUE(verify(bed.files, "/log")->damage.empty());
    sent.resize(found.size());
    while (!ends.empty() && ends.back() > found.size()) ends.pop_back();
    durable = found.size();

    constexpr Call kCalls[] = {Call::kWrite, Call::kSync, Call::kSyncDirectory, Call::kOpen, Call::kTruncate};
    bed.files.fail_call(kCalls[random.next() % 5], 1 + random.next() % 25, Failure::kPowerLoss);
    for (int i = 0; i < 40; ++i) {
      std::vector<Record> records;
      std::vector<Ticket> tickets;
      for (uint64_t n = 1 + random.next() % 3; n > 0; --n) {
        sent.push_back(std::to_string(life) + "." + std::to_string(i) + std::string(random.next() % 600, '-'));
        records.push_back(text_record(sent.back()));
      }
      ends.push_back(sent.size());
      auto ticket = bed.partition->append_async(records);
      if (!ticket) break;
      bool waits = random.next() % 3 == 0;
      if (waits && !PartitionLog::wait(*ticket)) break;
      if (waits && mode == SyncMode::kAlways) durable = sent.size();
    }
    bed.lose_power(random.next());
  }
}

TEST(PowerLoss, AckedIsNeverLostAndNothingIsHalf) {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    power_loss(seed, SyncMode::kAlways);
    if (HasFatalFailure()) return;
  }
}

TEST(PowerLoss, WeakModesLoseATailAtMost) {
  for (uint64_t seed = 1000; seed < 1150; ++seed) {
    power_loss(seed, SyncMode::kNever);
    if (HasFatalFailure()) return;
  }
}

/// Power goes at the n-th call of each kind while a log with a torn tail is opened.
TEST(PowerLoss, InRecovery) {
  for (Call call : {Call::kOpen, Call::kWrite, Call::kSync, Call::kTruncate, Call::kRemove, Call::kSyncDirectory}) {
    for (uint64_t n = 1; n < 12; ++n) {
      PartitionBed bed;
      bed.options.segment_bytes_max = 300;
      append(bed.open(), 0, 12);
      ASSERT_TRUE(bed.partition->append_async(std::vector{text_record("not acked")}));
      bed.lose_power(n);
      bed.files.fail_call(call, n, Failure::kPowerLoss);
      if (bed.try_open()) continue;  // it has fewer calls of this kind
      bed.lose_power(n + 1);
      bed.open();
      std::vector<std::string> found = bed.texts();
      ASSERT_GE(found.size(), 12u);
      for (int i = 0; i < 12; ++i) EXPECT_EQ(found[static_cast<size_t>(i)], "record " + std::to_string(i));
    }
  }
}

TEST(PowerLoss, InACut) {
  for (Call call : {Call::kOpen, Call::kWrite, Call::kSync, Call::kTruncate, Call::kRemove, Call::kSyncDirectory}) {
    for (uint64_t n = 1; n < 12; ++n) {
      PartitionBed bed;
      bed.settings.owner = "q";
      bed.options.segment_bytes_max = 300;
      PartitionLog& p = bed.open();
      for (int i = 0; i < 12; ++i) ASSERT_TRUE(p.append(std::vector{text_record("record " + std::to_string(i))}, "q"));
      bed.stop();
      bed.committed_end = Offset(5);
      bed.files.fail_call(call, n, Failure::kPowerLoss);
      if (bed.try_open()) continue;  // it has fewer calls of this kind
      bed.lose_power(n);
      PartitionLog& again = bed.open();
      EXPECT_EQ(again.end_offset(), Offset(5));
      EXPECT_EQ(again.log_end_offset(), Offset(5));
      ASSERT_TRUE(again.append(std::vector{text_record("new")}, "q"));
      ASSERT_TRUE(again.set_visible_end(Offset(6)));
      EXPECT_EQ(bed.texts().back(), "new");
    }
  }
}

}  // namespace
}  // namespace millrace::log
