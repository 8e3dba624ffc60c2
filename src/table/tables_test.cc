#include "table/tables.h"

#include <gtest/gtest.h>

#include "table/tables_bed.h"

namespace millrace::table {
namespace {

using model::Type;
using model::TypeId;

TableDef named(std::string name) {
  TableDef def;
  def.name = std::move(name);
  def.schema.fields = {{"id", {TypeId::kUuid}}, {"note", {TypeId::kText}}};
  def.partition_key = {0};
  return def;
}

Type list_of(Type element, int levels) {
  for (int i = 0; i < levels; ++i) element = Type{TypeId::kList, 0, 0, {{"element", element}}};
  return element;
}

class TablesTest : public TablesBed {
 protected:
  Tables::TablePtr create(const TableDef& def) {
    auto created = tables_->create(def);
    EXPECT_TRUE(created) << created.error().message;
    return created ? *created : nullptr;
  }
  void put_entry(std::string_view name, std::string_view bytes) {
    store::Batch batch;
    batch.put(store::Space::kMeta, "table/" + std::string(name), bytes);
    ASSERT_TRUE(store_->commit(std::move(batch), store::Durability::kLog));
  }
};

TEST_F(TablesTest, EveryNameIsFoundAfterReopening) {
  std::vector<std::string> names = {"a.b", "app.Users", "warehouse.a_name_that_does_not_fit_into_a_short_string"};
  std::vector<uint32_t> ids;
  for (const std::string& name : names) ids.push_back(create(named(name))->id);
  open();
  ASSERT_EQ(tables_->list().size(), names.size());
  for (size_t i = 0; i < names.size(); ++i) {
    auto table = tables_->find(names[i]);
    ASSERT_NE(table, nullptr) << names[i];
    EXPECT_EQ(table->id, ids[i]);
    EXPECT_EQ(table->def, named(names[i]));
    EXPECT_EQ(tables_->list()[i], table);
  }
  EXPECT_NE(tables_->find("APP.users"), nullptr);
  EXPECT_EQ(tables_->find("app.nobody"), nullptr);
  EXPECT_EQ(tables_->find(""), nullptr);
}

TEST_F(TablesTest, AllOfADefinitionComesBack) {
  TableDef def = named("app.full");
  def.schema.fields.push_back({"at", {TypeId::kTimestampTz}});
  def.schema.fields.push_back({"price", {TypeId::kDecimal, 38, 38}});
  def.schema.fields.push_back({"deep", list_of({TypeId::kText}, 64)});
  def.clustering = {{2, true}, {3, false}};
  def.ttl = Duration(1);
  def.delete_when = "note = 'it''s gone'";
  auto made = create(def);
  open();
  auto found = tables_->find("app.full");
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->def, def);
  EXPECT_EQ(found->key_columns, made->key_columns);
  EXPECT_EQ(found->value_columns, (std::vector<size_t>{1, 4}));
}

TEST_F(TablesTest, ADefinitionThatCouldNotBeReadBackIsRefused) {
  auto refuse = [&](Type type) {
    TableDef def = named("app.bad");
    def.schema.fields[1].type = std::move(type);
    auto created = tables_->create(def);
    EXPECT_EQ(created ? Errc::kInternal : created.error().code, Errc::kInvalidArgument)
        << static_cast<int>(def.schema.fields[1].type.id);
  };
  refuse(list_of({TypeId::kText}, 65));
  refuse({TypeId::kStruct});
  refuse({TypeId::kList});
  refuse({TypeId::kDecimal, 39, 0});
  refuse({TypeId::kDecimal, 0, 0});
  refuse({TypeId::kDecimal, 4, 5});
  refuse(list_of({TypeId::kInterval}, 2));
  open();
  EXPECT_TRUE(tables_->list().empty());
}

TEST_F(TablesTest, IdsAreNeverReused) {
  EXPECT_EQ(create(named("a.one"))->id, 1u);
  EXPECT_EQ(create(named("a.two"))->id, 2u);
  ASSERT_TRUE(tables_->drop("a.two"));
  ASSERT_TRUE(tables_->drop("a.one"));
  open();
  EXPECT_EQ(create(named("a.two"))->id, 3u);
  EXPECT_FALSE(tables_->create(named("A.TWO")));
  EXPECT_FALSE(tables_->create(named("nameless")));
  EXPECT_EQ(create(named("a.four"))->id, 4u) << "a refused table takes no id";
}

TEST_F(TablesTest, DeclaringTwiceChangesNothing) {
  auto first = *tables_->declare(named("a.b"));
  EXPECT_EQ(*tables_->declare(named("a.b")), first);
  TableDef with_ttl = named("a.b");
  with_ttl.ttl = Duration(7);
  auto second = *tables_->declare(with_ttl);
  EXPECT_EQ(second->id, first->id);
  EXPECT_EQ(first->def.ttl, std::nullopt) << "a table that was handed out stays as it is";
  EXPECT_EQ((*tables_->declare(named("a.b")))->def.ttl, std::nullopt);
}

TEST_F(TablesTest, WhatIsNotThereCannotBeDropped) {
  EXPECT_EQ(tables_->drop("a.b").error().code, Errc::kNotFound);
  EXPECT_EQ(tables_->truncate("a.b").error().code, Errc::kNotFound);
  EXPECT_EQ(tables_->evolve(named("a.b")).error().code, Errc::kNotFound);
}

TEST_F(TablesTest, EntriesOfANewerFormatAreNotCorruption) {
  put_entry("a.b", "\x02 whatever comes next");
  auto opened = Tables::open(*store_);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Errc::kFailedPrecondition) << opened.error().message;
  EXPECT_NE(opened.error().message.find("a.b"), std::string::npos);
}

TEST_F(TablesTest, CutAndMisplacedEntriesAreCorruption) {
  std::string entry = encode_table(Table(1, named("a.b")));
  create(named("a.b"));
  for (size_t size = 0; size < entry.size(); ++size) {
    put_entry("a.b", std::string_view(entry).substr(0, size));
    EXPECT_EQ(Tables::open(*store_).error().code, Errc::kCorruption) << size;
  }
  put_entry("a.b", entry + "x");
  EXPECT_EQ(Tables::open(*store_).error().code, Errc::kCorruption);
  put_entry("a.b", encode_table(Table(2, named("a.b"))));
  EXPECT_EQ(Tables::open(*store_).error().code, Errc::kCorruption) << "an id that was not given out yet";
  put_entry("a.b", entry);
  EXPECT_TRUE(Tables::open(*store_));
  put_entry("a.c", entry);
  EXPECT_EQ(Tables::open(*store_).error().code, Errc::kCorruption) << "an entry under another name";
}

}  // namespace
}  // namespace millrace::table
