#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "env/fault.h"
#include "log/partition_bed.h"

namespace millrace::log {
namespace {

using model::Offset;
using model::Record;
using Call = env::FaultFileSystem::Call;
using Failure = env::FaultFileSystem::Failure;

std::vector<Record> texts(std::initializer_list<const char*> values) {
  std::vector<Record> out;
  for (const char* value : values) out.push_back(text_record(value));
  return out;
}

TEST(Partition, GivesConsecutiveOffsetsAndReadsThemBack) {
  PartitionBed bed;
  PartitionLog& p = bed.open();
  auto first = p.append(texts({"a", "b"}));
  ASSERT_TRUE(first);
  EXPECT_EQ(first->first_offset, Offset(0));
  EXPECT_EQ(first->count, 2);
  EXPECT_EQ(p.append(texts({"c"}))->first_offset, Offset(2));
  EXPECT_EQ(p.end_offset(), Offset(3));
  EXPECT_EQ(bed.texts(), (std::vector<std::string>{"a", "b", "c"}));

  auto run = p.read(Offset(1), 1 << 20, 1);
  ASSERT_TRUE(run);
  ASSERT_EQ(run->records.size(), 1u);
  EXPECT_EQ(*run->records[0].value, "b");
  EXPECT_EQ(run->next, Offset(2));
  EXPECT_EQ(run->records[0].timestamp_ms, 1'700'000'000'000);
}

TEST(Partition, KeepsNullApartFromEmpty) {
  PartitionBed bed;
  PartitionLog& p = bed.open();
  Record null_value;
  null_value.key = "";
  Record full = text_record("");
  full.headers = {{"h", "v"}, {"n", std::nullopt}};
  ASSERT_TRUE(p.append(std::vector<Record>{null_value, full}));
  auto run = p.read(Offset(0), 100, 10);
  ASSERT_TRUE(run);
  ASSERT_EQ(run->records.size(), 2u);
  EXPECT_EQ(run->records[0].key, "");
  EXPECT_FALSE(run->records[0].value);
  EXPECT_FALSE(run->records[1].key);
  EXPECT_EQ(run->records[1].value, "");
  auto headers = codec::kafka_record::decode_headers(run->records[1].raw_headers);
  ASSERT_TRUE(headers);
  EXPECT_EQ((*headers)[0].value, "v");
  EXPECT_FALSE((*headers)[1].value);
}

TEST(Partition, RefusesWhatItCannotStore) {
  PartitionBed bed;
  bed.options.batch_bytes_max = 200;
  PartitionLog& p = bed.open();
  EXPECT_EQ(p.append({}).error().code, Errc::kInvalidArgument);
  EXPECT_EQ(p.append(std::vector{text_record(std::string(300, 'x'))}).error().code, Errc::kInvalidArgument);
  EXPECT_EQ(p.log_end_offset(), Offset(0));
}

TEST(Partition, ReadNamesWhatIsKept) {
  PartitionBed bed;
  PartitionLog& p = bed.open();
  ASSERT_TRUE(p.append(texts({"a"})));
  auto run = p.read(Offset(2), 100, 10);
  ASSERT_FALSE(run);
  EXPECT_EQ(run.error().code, Errc::kOutOfRange);
  EXPECT_NE(run.error().message.find("offsets 0 to 1"), std::string::npos) << run.error().message;
  EXPECT_TRUE(p.read(Offset(1), 100, 10)->records.empty());
}

TEST(Partition, ReadsBatchesLargerThanTheBytesAskedFor) {
  PartitionBed bed;
  PartitionLog& p = bed.open();
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(p.append(std::vector{text_record(std::string(5000, static_cast<char>('a' + i)))}));
  EXPECT_EQ(bed.texts(1).size(), 20u);
  EXPECT_EQ(bed.texts(7000).size(), 20u);
}

TEST(Partition, ValuesAreFollowedByReadableBytes) {
  PartitionBed bed;
  PartitionLog& p = bed.open();
  ASSERT_TRUE(p.append(texts({"last"})));
  auto run = p.read(Offset(0), 1 << 20, 10);
  ASSERT_TRUE(run);
  const std::string_view value = *run->records[0].value;
  int sum = 0;
  for (size_t i = 0; i < 64; ++i) sum += value.data()[value.size() + i];
  EXPECT_GE(sum, -1'000'000);
}

TEST(Partition, RollsSegmentsAndReadsAcross) {
  PartitionBed bed;
  bed.options.segment_bytes_max = 1000;
  PartitionLog& p = bed.open();
  std::vector<std::string> expected;
  for (int i = 0; i < 100; ++i) {
    expected.push_back("record " + std::to_string(i));
    ASSERT_TRUE(p.append(std::vector{text_record(expected.back())}));
  }
  EXPECT_EQ(bed.texts(), expected);
  auto names = bed.files.list(bed.place.dir);
  EXPECT_GT(names->size(), 10u);
  bed.open();
  EXPECT_EQ(bed.texts(), expected);
}

TEST(Partition, AReadyBatchIsCheckedAndPlaced) {
  PartitionBed bed;
  PartitionLog& p = bed.open();
  ASSERT_TRUE(p.append(texts({"a"})));
  auto batch = codec::kafka_record::encode_batch(texts({"b", "c"}), {.base_offset = Offset(77)});
  ASSERT_TRUE(batch);
  auto ticket = p.append_batch_async(*batch);
  ASSERT_TRUE(ticket);
  EXPECT_EQ(PartitionLog::wait(*ticket)->first_offset, Offset(1));
  std::string damaged = *batch;
  damaged.back() = static_cast<char>(damaged.back() ^ 1);
  EXPECT_EQ(p.append_batch_async(damaged).error().code, Errc::kCorruption);
  EXPECT_EQ(p.append_batch_async(*batch + "x").error().code, Errc::kCorruption);
  EXPECT_FALSE(p.append_batch_async("short"));
  EXPECT_EQ(bed.texts(), (std::vector<std::string>{"a", "b", "c"}));
}

TEST(Partition, AFullDiskRefusesThatAppendOnly) {
  for (Failure failure : {Failure::kNoSpace, Failure::kShort, Failure::kIo}) {
    PartitionBed bed;
    PartitionLog& p = bed.open();
    ASSERT_TRUE(p.append(texts({"a"})));
    bed.files.fail_call(Call::kWrite, 1, failure);
    auto refused = p.append(texts({"a long record that is cut in the middle"}));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, failure == Failure::kNoSpace ? Errc::kDiskFull : Errc::kIo);
    EXPECT_EQ(p.append(texts({"b"}))->first_offset, Offset(1));
    bed.open();
    EXPECT_EQ(bed.texts(), (std::vector<std::string>{"a", "b"}));
  }
}

TEST(Partition, BytesOfAFailedWriteAreGoneBeforeTheNextOne) {
  PartitionBed bed;
  PartitionLog& p = bed.open();
  bed.files.fail_call(Call::kWrite, 1, Failure::kShort);
  bed.files.fail_call(Call::kTruncate, 1, Failure::kIo);
  EXPECT_FALSE(p.append(std::vector{text_record(std::string(4000, 'x'))}));
  ASSERT_TRUE(p.append(texts({"b"})));
  bed.open();
  EXPECT_EQ(bed.texts(), (std::vector<std::string>{"b"}));
}

TEST(Partition, AFailedSyncIsNeverAcknowledgedNorRetried) {
  PartitionBed bed;
  PartitionLog& p = bed.open();
  ASSERT_TRUE(p.append(texts({"a"})));
  bed.files.fail_call(Call::kSync, 1, Failure::kIo);
  EXPECT_FALSE(p.append(texts({"b"})));
  ASSERT_EQ(bed.sync_failures.size(), 1u);
  EXPECT_NE(bed.sync_failures[0].find("t-0"), std::string::npos) << bed.sync_failures[0];
  EXPECT_FALSE(p.append(texts({"c"})));
  EXPECT_FALSE(p.flush());
  EXPECT_EQ(bed.sync_failures.size(), 1u);
  EXPECT_EQ(bed.texts(), (std::vector<std::string>{"a"}));
}

TEST(PartitionDeathTest, AFailedSyncEndsTheProcess) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        PartitionBed bed;
        bed.options.on_sync_failure = nullptr;
        PartitionLog& p = bed.open();
        bed.files.fail_call(Call::kSync, 1, Failure::kIo);
        (void)p.append(texts({"a"}));
      },
      testing::ExitedWithCode(70), "");
}

TEST(Partition, SeveralTicketsAreWaitedForAtOnce) {
  PartitionBed bed;
  PartitionLog& p = bed.open();
  std::vector<Ticket> tickets;
  for (int i = 0; i < 10; ++i) tickets.push_back(*p.append_async(texts({"x"})));
  ASSERT_TRUE(PartitionLog::wait_all(tickets));
  EXPECT_EQ(p.flushed_offset(), Offset(10));
}

TEST(Partition, WeakerModesAckAndShowWhatIsWritten) {
  for (SyncMode mode : {SyncMode::kInterval, SyncMode::kNever}) {
    PartitionBed bed;
    bed.settings.sync = mode;
    bed.settings.sync_interval_ms = 1'000'000;
    PartitionLog& p = bed.open();
    ASSERT_TRUE(p.append(texts({"a"})));
    EXPECT_EQ(p.end_offset(), Offset(1));
    EXPECT_EQ(p.flushed_offset(), Offset(0));
    EXPECT_EQ(bed.texts(), (std::vector<std::string>{"a"}));
    ASSERT_TRUE(p.flush());
    EXPECT_EQ(p.flushed_offset(), Offset(1));
  }
}

TEST(Partition, OffsetsThatWereLostAreSkippedAndCounted) {
  PartitionBed bed;
  PartitionLog& p = bed.open();
  ASSERT_TRUE(p.append(texts({"a"})));
  EXPECT_EQ(*p.advance_to(Offset(1)), 0);
  EXPECT_EQ(*p.advance_to(Offset(5)), 4);
  EXPECT_EQ(p.append(texts({"b"}))->first_offset, Offset(5));
  EXPECT_EQ(*p.advance_to(Offset(10'000'000'000)), 9'999'999'994);
  EXPECT_EQ(p.append(texts({"c"}))->first_offset, Offset(10'000'000'000));
  bed.open();
  EXPECT_EQ(bed.texts(), (std::vector<std::string>{"a", "b", "c"}));
  auto run = bed.partition->read(Offset(3), 1 << 20, 1);
  ASSERT_TRUE(run);
  EXPECT_EQ(run->records.at(0).offset, Offset(5));
}

TEST(Partition, OnlyTheOwnerWritesAndShows) {
  PartitionBed bed;
  bed.settings.owner = "q";
  PartitionLog& p = bed.open();
  EXPECT_EQ(p.append(texts({"a"})).error().code, Errc::kPermissionDenied);
  EXPECT_EQ(p.append(texts({"a"}), "other").error().code, Errc::kPermissionDenied);
  ASSERT_TRUE(p.append(texts({"a", "b"}), "q"));
  EXPECT_EQ(p.end_offset(), Offset(0));
  EXPECT_TRUE(bed.texts().empty());
  EXPECT_EQ(p.set_visible_end(Offset(3)).error().code, Errc::kFailedPrecondition);
  ASSERT_TRUE(p.set_visible_end(Offset(2)));
  EXPECT_EQ(bed.texts().size(), 2u);
  ASSERT_TRUE(p.append(texts({"uncommitted"}), "q"));

  bed.committed_end = Offset(2);
  EXPECT_EQ(bed.open().log_end_offset(), Offset(2));
  EXPECT_EQ(bed.texts(), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(bed.partition->append(texts({"again"}), "q")->first_offset, Offset(2));
  bed.committed_end = Offset(9);
  EXPECT_EQ(bed.try_open().error().code, Errc::kDataLoss);
}

TEST(Partition, CutsBackOverSegments) {
  PartitionBed bed;
  bed.options.segment_bytes_max = 300;
  PartitionLog& p = bed.open();
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(p.append(texts({"x", "y"})));
  EXPECT_EQ(p.cut_to(Offset(7)).error().code, Errc::kFailedPrecondition);
  for (int64_t end : {58, 40, 20, 6, 0}) {
    ASSERT_TRUE(p.cut_to(Offset(end)));
    EXPECT_EQ(p.log_end_offset(), Offset(end));
    EXPECT_EQ(bed.texts().size(), static_cast<size_t>(end));
  }
  ASSERT_TRUE(p.append(texts({"new"})));
  bed.open();
  EXPECT_EQ(bed.texts(), (std::vector<std::string>{"new"}));
}

TEST(Partition, FindsOffsetsByTime) {
  PartitionBed bed;
  bed.options.segment_bytes_max = 2000;
  bed.options.index_interval_bytes = 200;
  PartitionLog& p = bed.open();
  for (int i = 0; i < 100; ++i)
    ASSERT_TRUE(p.append(std::vector{text_record("x", 1000 + i * 10), text_record("y", 1005 + i * 10)}));
  EXPECT_EQ(*p.offset_for_time(0), Offset(0));
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(*p.offset_for_time(1000 + i * 10), Offset(2 * i));
    EXPECT_EQ(*p.offset_for_time(1001 + i * 10), Offset(2 * i + 1));
  }
  EXPECT_EQ(*p.offset_for_time(5000), Offset(200));
}

TEST(Partition, WaitersAreWokenByVisibleData) {
  PartitionBed bed;
  PartitionLog& p = bed.open();
  Waiter waiter;
  p.attach(waiter);
  uint64_t seen = waiter.signals();
  EXPECT_FALSE(waiter.wait(seen, Duration(0)));
  std::thread writer([&] { ASSERT_TRUE(p.append(texts({"a"}))); });
  EXPECT_TRUE(waiter.wait(seen, std::chrono::minutes(10)));
  EXPECT_EQ(p.end_offset(), Offset(1));
  writer.join();
  p.detach(waiter);
}

TEST(Partition, ManyAppendersGetDistinctOffsetsAndFewSyncs) {
  PartitionBed bed;
  bed.options.segment_bytes_max = 20'000;
  PartitionLog& p = bed.open();
  constexpr int kThreads = 64;
  constexpr int kAppends = 30;
  std::vector<std::vector<std::pair<int64_t, std::string>>> acked(kThreads);
  std::vector<std::thread> threads;
  std::atomic<bool> done = false;
  std::thread reader([&] {
    Offset at(0);
    while (!done || at < p.end_offset()) {
      auto run = p.read(at, 4000, 100);
      ASSERT_TRUE(run) << run.error().message;
      for (const auto& record : run->records) ASSERT_LT(record.offset, p.end_offset());
      at = run->next;
    }
    EXPECT_EQ(at, Offset(kThreads * kAppends));
  });
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kAppends; ++i) {
        std::string text = std::to_string(t) + "/" + std::to_string(i);
        auto appended = p.append(std::vector{text_record(text)});
        ASSERT_TRUE(appended);
        ASSERT_GT(p.end_offset(), appended->first_offset);
        acked[static_cast<size_t>(t)].emplace_back(appended->first_offset.value, text);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  done = true;
  reader.join();
  bed.open();
  std::vector<std::string> all = bed.texts();
  ASSERT_EQ(all.size(), static_cast<size_t>(kThreads * kAppends));
  for (const auto& of_one : acked) {
    for (const auto& [offset, text] : of_one) EXPECT_EQ(all[static_cast<size_t>(offset)], text);
  }
}

}  // namespace
}  // namespace millrace::log
