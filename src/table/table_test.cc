#include "table/table.h"

#include <gtest/gtest.h>

#include "table/table_reader.h"
#include "table/table_writer.h"
#include "table/tables_bed.h"

namespace millrace::table {
namespace {

using model::TypeId;

constexpr int64_t kNow = 1'000'000'000'000'000;

TableDef events() {
  TableDef def;
  def.name = "app.events";
  def.schema.fields = {{"country", {TypeId::kText}},
                       {"at", {TypeId::kTimestampTz}},
                       {"id", {TypeId::kInteger}},
                       {"note", {TypeId::kText}},
                       {"n", {TypeId::kBigint}}};
  def.partition_key = {0};
  def.clustering = {{1, true}, {2, false}};
  return def;
}

class TableTest : public TablesBed {
 protected:
  void create(const TableDef& def) {
    auto created = tables_->create(def);
    ASSERT_TRUE(created) << created.error().message;
    table_ = *created;
  }

  struct Event {
    std::optional<std::string> country;
    int64_t at = 0;
    int32_t id = 0;
    std::string note;
    uint64_t version = 1;
    bool erased = false;
    int64_t timestamp = kNow;
  };
  static model::ColumnBatch batch_of(const std::vector<Event>& events) {
    model::BatchBuilder out(std::make_shared<const model::Schema>(table::events().schema));
    for (const Event& event : events) {
      if (event.country) {
        out.column(0).append_text(*event.country);
      } else {
        out.column(0).append_null();
      }
      out.column(1).append(event.at);
      out.column(2).append(event.id);
      out.column(3).append_text(event.note);
      out.column(4).append_null();
    }
    return std::move(out).finish();
  }
  static TableWriter::Report add(TableWriter& writer, const std::vector<Event>& events) {
    std::vector<uint64_t> versions;
    std::vector<int64_t> timestamps;
    std::vector<uint8_t> erased;
    for (const Event& event : events) {
      versions.push_back(event.version);
      timestamps.push_back(event.timestamp);
      erased.push_back(event.erased);
    }
    auto report = writer.add(batch_of(events), {versions, timestamps, erased}, instant_from_micros(kNow));
    EXPECT_TRUE(report) << report.error().message;
    return *report;
  }
  void commit(TableWriter& writer) {
    store::Batch batch;
    writer.add_to(batch);
    ASSERT_TRUE(store_->commit(std::move(batch), store::Durability::kLog));
  }
  void write(const std::vector<Event>& events) {
    TableWriter writer(table_);
    add(writer, events);
    commit(writer);
  }

  /// `country/at/id=note` of each row of the range.
  std::string rows(const KeyRange& range, int64_t now = kNow) {
    TableScan scan(*store_, table_, range, {0, 1, 2, 3}, instant_from_micros(now));
    std::string out;
    while (true) {
      auto batch = scan.next();
      if (!batch) return "error: " + batch.error().message;
      if (batch->rows == 0) return out;
      for (size_t row = 0; row < batch->rows; ++row) {
        out += std::string(batch->columns[0].text(row)) + "/" + std::to_string(batch->columns[1].at<int64_t>(row)) + "/" +
               std::to_string(batch->columns[2].at<int32_t>(row)) + "=" + std::string(batch->columns[3].text(row)) + " ";
      }
    }
  }
  std::string rows() { return rows(whole_table(*table_)); }

  /// Key columns of one event.
  static std::vector<model::Column> key_of(const model::ColumnBatch& batch, size_t columns = 3) {
    return {batch.columns.begin(), batch.columns.begin() + static_cast<ptrdiff_t>(columns)};
  }

  Tables::TablePtr table_;
};

TEST_F(TableTest, RowsComeInKeyOrder) {
  create(events());
  write({{"se", 5, 1, "a"}, {"no", 5, 2, "b"}, {"no", 7, 1, "c"}, {"no", 5, 1, "d"}, {"n", 9, 1, "e"}});
  EXPECT_EQ(rows(), "n/9/1=e no/7/1=c no/5/1=d no/5/2=b se/5/1=a ");
}

TEST_F(TableTest, RangesNarrowByPrefixAndBounds) {
  create(events());
  write({{"no", 3, 1, "a"}, {"no", 5, 1, "b"}, {"no", 5, 2, "c"}, {"no", 7, 1, "d"}, {"no2", 5, 1, "e"}});
  auto five = batch_of({{"no", 5, 1, ""}});
  auto range = [&](size_t equal, std::optional<KeyBound> low, std::optional<KeyBound> high) {
    return rows(*key_range(*table_, key_of(five, equal), low, high));
  };
  model::Column at = five.columns[1];
  model::Column id = five.columns[2];
  EXPECT_EQ(range(1, {}, {}), "no/7/1=d no/5/1=b no/5/2=c no/3/1=a ");
  EXPECT_EQ(range(1, KeyBound{at, true}, {}), "no/7/1=d no/5/1=b no/5/2=c ");
  EXPECT_EQ(range(1, KeyBound{at, false}, {}), "no/7/1=d ");
  EXPECT_EQ(range(1, {}, KeyBound{at, true}), "no/5/1=b no/5/2=c no/3/1=a ");
  EXPECT_EQ(range(1, {}, KeyBound{at, false}), "no/3/1=a ");
  EXPECT_EQ(range(1, KeyBound{at, true}, KeyBound{at, true}), "no/5/1=b no/5/2=c ");
  EXPECT_EQ(range(1, KeyBound{at, false}, KeyBound{at, true}), "");
  EXPECT_EQ(range(2, KeyBound{id, false}, {}), "no/5/2=c ");
  EXPECT_EQ(range(3, {}, {}), "no/5/1=b ");
  EXPECT_EQ(key_range(*table_, key_of(five, 3), KeyBound{at}, {}).error().code, Errc::kInvalidArgument);
  EXPECT_EQ(key_range(*table_, std::vector<model::Column>{at}).error().code, Errc::kInvalidArgument);
  auto null = batch_of({{std::nullopt, 5, 1, ""}});
  EXPECT_TRUE(key_range(*table_, key_of(null, 1))->empty);
}

TEST_F(TableTest, GetsOneRow) {
  create(events());
  write({{"no", 3, 1, "a"}, {"no", 5, 1, "b"}});
  auto get = [&](const Event& event, std::vector<size_t> columns) {
    auto batch = batch_of({event});
    auto row = get_row(*store_, *table_, key_of(batch), columns, instant_from_micros(kNow));
    EXPECT_TRUE(row);
    return *row;
  };
  auto found = get({"no", 5, 1, ""}, {3, 0, 4});
  ASSERT_EQ(found.rows, 1u);
  EXPECT_EQ(found.columns[0].text(0), "b");
  EXPECT_EQ(found.columns[1].text(0), "no");
  EXPECT_TRUE(found.columns[2].is_null(0));
  EXPECT_EQ(get({"no", 6, 1, ""}, {3}).rows, 0u);
  EXPECT_EQ(get({"no", 5, 1, ""}, {}).rows, 1u);
  EXPECT_EQ(get({std::nullopt, 5, 1, ""}, {3}).rows, 0u);
}

TEST_F(TableTest, TheHighestVersionOfAKeyWinsThenTheLast) {
  create(events());
  write({{"no", 1, 1, "old", 5},
         {"no", 1, 1, "new", 9},
         {"no", 1, 1, "late", 7},
         {"no", 2, 1, "first", 3},
         {"no", 2, 1, "second", 3}});
  EXPECT_EQ(rows(), "no/2/1=second no/1/1=new ");
}

TEST_F(TableTest, NullKeysAreFaults) {
  create(events());
  TableWriter writer(table_);
  auto report =
      add(writer, {{"no", 1, 1, "a"}, {std::nullopt, 1, 1, "b"}, {std::string(40'000, 'x'), 1, 1, "c"}, {"no", 2, 1, "d"}});
  ASSERT_EQ(report.faults.size(), 2u);
  EXPECT_EQ(report.faults[0].row, 1u);
  EXPECT_NE(report.faults[0].message.find("country is NULL"), std::string::npos);
  EXPECT_EQ(report.faults[1].row, 2u);
  EXPECT_EQ(writer.rows(), 2u);
  commit(writer);
  EXPECT_EQ(rows(), "no/2/1=d no/1/1=a ");
}

TEST_F(TableTest, TombstonesHideRowsUntilANewerWrite) {
  create(events());
  write({{"no", 1, 1, "a", 1}, {"no", 2, 1, "b", 1}});
  write({{"no", 1, 1, "", 2, true}});
  EXPECT_EQ(rows(), "no/2/1=b ");
  EXPECT_EQ(*count_rows(*store_, *table_, whole_table(*table_), instant_from_micros(kNow)), 1u);
  write({{"no", 1, 1, "again", 3}});
  EXPECT_EQ(rows(), "no/2/1=b no/1/1=again ");
}

TEST_F(TableTest, RowsExpire) {
  TableDef def = events();
  def.ttl = Duration(100);
  create(def);
  TableWriter writer(table_);
  auto report = add(writer, {{"no", 1, 1, "fresh", 1, false, kNow},
                             {"no", 2, 1, "older", 1, false, kNow - 50},
                             {"no", 3, 1, "expired", 1, false, kNow - 100},
                             {"no", 4, 1, "for ever", 1, false, INT64_MAX}});
  EXPECT_EQ(report.expired, std::vector<uint32_t>{2});
  commit(writer);
  EXPECT_EQ(rows(), "no/4/1=for ever no/2/1=older no/1/1=fresh ");
  EXPECT_EQ(rows(whole_table(*table_), kNow + 50), "no/4/1=for ever no/1/1=fresh ");
  EXPECT_EQ(rows(whole_table(*table_), kNow + 1000), "no/4/1=for ever ");
}

TEST_F(TableTest, RowsExpireBeyond2038And2106) {
  constexpr int64_t kYear = int64_t{365} * 86'400 * 1'000'000;
  // Seconds in 32 bits end in 2038 with a sign, and in 2106 without one.
  for (int64_t last_second : {int64_t{INT32_MAX}, int64_t{UINT32_MAX}}) {
    TableDef def = events();
    def.name = "events.of_" + std::to_string(last_second);
    def.ttl = Duration(kYear);
    create(def);
    int64_t written = last_second * 1'000'000 - kYear / 2;
    write({{"no", 1, 1, "kept", 1, false, written}});
    EXPECT_EQ(rows(whole_table(*table_), written + kYear - 1), "no/1/1=kept ");
    EXPECT_EQ(rows(whole_table(*table_), written + kYear), "");
  }
}

TEST_F(TableTest, OlderRowsAreSuperseded) {
  create(events());
  write({{"no", 1, 1, "stored", 10}, {"no", 2, 1, "stored", 10}, {"no", 3, 1, "", 10, true}});
  TableWriter writer(table_);
  add(writer, {{"no", 1, 1, "older", 9}, {"no", 2, 1, "same", 10}});
  add(writer, {{"no", 3, 1, "older than its delete", 9}, {"no", 4, 1, "absent", 1}});
  EXPECT_EQ(*writer.drop_superseded(*store_), (std::vector<uint32_t>{0, 2}));
  EXPECT_EQ(writer.rows(), 2u);
  commit(writer);
  EXPECT_EQ(rows(), "no/4/1=absent no/2/1=same no/1/1=stored ");
}

TEST_F(TableTest, LargeEpochsAreIngestedAndScannedInBatches) {
  create(events());
  std::vector<Event> many;
  for (int i = 0; i < 30'000; ++i)
    many.push_back({"c" + std::to_string(i * 7919 % 100), i, i, "a note of more than twelve bytes"});
  write(many);
  EXPECT_EQ(*count_rows(*store_, *table_, whole_table(*table_), instant_from_micros(kNow)), 30'000u);
  TableScan scan(*store_, table_, whole_table(*table_), {}, instant_from_micros(kNow));
  size_t counted = 0;
  while (size_t batch = scan.next()->rows) {
    EXPECT_LE(batch, kScanRowsMax);
    counted += batch;
  }
  EXPECT_EQ(counted, 30'000u);
}

TEST_F(TableTest, SourcesMapColumns) {
  create(events());
  TableWriter writer(table_);
  auto batch = batch_of({{"no", 1, 1, "text"}});
  std::swap(batch.columns[0], batch.columns[3]);
  ASSERT_TRUE(writer.set_source({3, 1, 2, 0, TableWriter::kNoColumn}));
  uint64_t version = 1;
  ASSERT_TRUE(writer.add(batch, {{&version, 1}, {}, {}}, Instant()));
  commit(writer);
  EXPECT_EQ(rows(), "no/1/1=text ");
  EXPECT_FALSE(writer.set_source({1}));
  ASSERT_TRUE(writer.set_source({TableWriter::kNoColumn, 1, 2, 0, 4}));
  EXPECT_EQ(writer.add(batch, {{&version, 1}, {}, {}}, Instant()).error().code, Errc::kInvalidArgument);
  ASSERT_TRUE(writer.set_source({1, 1, 2, 0, 4}));
  EXPECT_EQ(writer.add(batch, {{&version, 1}, {}, {}}, Instant()).error().code, Errc::kInvalidArgument);
}

TEST_F(TableTest, DefinitionsAreChecked) {
  auto refuse = [&](auto change) {
    TableDef def = events();
    change(def);
    auto created = tables_->create(def);
    EXPECT_EQ(created ? Errc::kInternal : created.error().code, Errc::kInvalidArgument);
  };
  refuse([](TableDef& def) { def.name = "events"; });
  refuse([](TableDef& def) { def.name = "a.b.c"; });
  refuse([](TableDef& def) { def.partition_key.clear(); });
  refuse([](TableDef& def) { def.partition_key = {9}; });
  refuse([](TableDef& def) { def.clustering = {{0, false}}; });
  refuse([](TableDef& def) { def.schema.fields[3].name = "ID"; });
  refuse([](TableDef& def) { def.schema.fields[0].type = {TypeId::kList, 0, 0, {{"element", {TypeId::kText}}}}; });
  refuse([](TableDef& def) { def.schema.fields[3].type = {TypeId::kInterval}; });
  refuse([](TableDef& def) { def.ttl = Duration(0); });
}

TEST_F(TableTest, TablesEvolveByAppendedColumns) {
  create(events());
  write({{"no", 1, 1, "before"}});
  TableDef wider = events();
  wider.schema.fields.push_back({"added", {TypeId::kInteger}});
  wider.ttl = Duration(std::chrono::hours(24));
  auto evolved = tables_->evolve(wider);
  ASSERT_TRUE(evolved) << evolved.error().message;
  EXPECT_EQ((*evolved)->id, table_->id);
  open();
  table_ = tables_->find("APP.events");
  ASSERT_NE(table_, nullptr);
  EXPECT_EQ(table_->def, wider);
  write({{"no", 2, 1, "after, from a query without the column"}});
  TableScan scan(*store_, table_, whole_table(*table_), {3, 5}, instant_from_micros(kNow));
  auto batch = scan.next();
  ASSERT_EQ(batch->rows, 2u);
  EXPECT_EQ(batch->columns[0].text(1), "before");
  EXPECT_TRUE(batch->columns[1].is_null(0));
  EXPECT_TRUE(batch->columns[1].is_null(1));

  auto refuse = [&](auto change) {
    TableDef def = wider;
    change(def);
    auto refused = tables_->declare(def);
    EXPECT_EQ(refused ? Errc::kInternal : refused.error().code, Errc::kFailedPrecondition);
  };
  refuse([](TableDef& def) { def.schema.fields.pop_back(); });
  refuse([](TableDef& def) { def.schema.fields[4].type = {TypeId::kText}; });
  refuse([](TableDef& def) { std::swap(def.schema.fields[3], def.schema.fields[4]); });
  refuse([](TableDef& def) { def.clustering[0].descending = false; });
  refuse([](TableDef& def) { def.partition_key = {3}; });
  TableDef other = wider;
  other.name = "app.other";
  EXPECT_EQ(tables_->evolve(other).error().code, Errc::kNotFound);
  EXPECT_EQ(tables_->create(wider).error().code, Errc::kAlreadyExists);
}

TEST_F(TableTest, DropAndTruncateRemoveRowsAndIdsAreNotReused) {
  create(events());
  uint32_t first_id = table_->id;
  write({{"no", 1, 1, "a"}});
  ASSERT_TRUE(tables_->truncate("app.events"));
  EXPECT_EQ(rows(), "");
  write({{"no", 1, 1, "b"}});
  EXPECT_EQ(rows(), "no/1/1=b ");
  ASSERT_TRUE(tables_->drop("app.EVENTS"));
  EXPECT_EQ(rows(), "");
  EXPECT_EQ(tables_->find("app.events"), nullptr);
  EXPECT_EQ(tables_->drop("app.events").error().code, Errc::kNotFound);
  open();
  EXPECT_TRUE(tables_->list().empty());
  create(events());
  EXPECT_GT(table_->id, first_id);
  EXPECT_EQ(tables_->list().size(), 1u);
}

TEST_F(TableTest, UnreadableRowsAndEntriesAreCorruption) {
  create(events());
  store::Batch batch;
  auto key = batch_of({{"no", 1, 1, ""}});
  batch.put(store::Space::kRows, key_range(*table_, key_of(key))->from, "rubbish");
  ASSERT_TRUE(store_->commit(std::move(batch), store::Durability::kLog));
  EXPECT_EQ(rows().substr(0, 24), "error: table app.events:");
  EXPECT_FALSE(count_rows(*store_, *table_, whole_table(*table_), Instant()));
  store::Batch entry;
  entry.put(store::Space::kMeta, "table/app.bad", "\1rubbish");
  ASSERT_TRUE(store_->commit(std::move(entry), store::Durability::kLog));
  EXPECT_EQ(Tables::open(*store_).error().code, Errc::kCorruption);
}

}  // namespace
}  // namespace millrace::table
