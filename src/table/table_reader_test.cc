#include "table/table_reader.h"

#include <gtest/gtest.h>

#include <string>

namespace millrace::table {
namespace {

using model::TypeId;

struct Key {
  uint8_t partition;
  int8_t number;
  std::string text;
};

std::shared_ptr<const Table> table_with(bool descending) {
  TableDef def;
  def.name = "app.keys";
  def.schema.fields = {{"partition", {TypeId::kUtinyint}}, {"number", {TypeId::kTinyint}}, {"text", {TypeId::kText}}};
  def.partition_key = {0};
  def.clustering = {{1, descending}, {2, descending}};
  return std::make_shared<const Table>(255, def);
}

/// One row for each combination of the ends of the types' ranges and of texts that need escapes.
std::vector<Key> every_key() {
  std::vector<Key> keys;
  for (int partition : {0, 1, 254, 255}) {
    for (int number : {-128, -1, 0, 126, 127}) {
      for (const std::string& text : {std::string(), std::string(1, '\0'), std::string("\0\1", 2), std::string("\0\xff", 2),
                                      std::string("\xff"), std::string("\xff\xff")}) {
        keys.push_back({static_cast<uint8_t>(partition), static_cast<int8_t>(number), text});
      }
    }
  }
  return keys;
}

class KeyRangeTest : public testing::TestWithParam<bool> {
 protected:
  KeyRangeTest() {
    model::BatchBuilder out(std::make_shared<const model::Schema>(table_->def.schema));
    for (const Key& key : keys_) {
      out.column(0).append(key.partition);
      out.column(1).append(key.number);
      out.column(2).append_text(key.text);
    }
    batch_ = std::move(out).finish();
    for (size_t row = 0; row < keys_.size(); ++row) bytes_.push_back(key_range(*table_, leading(3, row))->from);
  }
  /// One value of one row, as row 0 of a column.
  model::Column value(size_t column, size_t row) const {
    model::Column out = batch_.columns[column];
    out.data = static_cast<const char*>(out.data) + row * model::element_size(*out.type);
    return out;
  }
  std::vector<model::Column> leading(size_t columns, size_t row) const {
    std::vector<model::Column> out;
    for (size_t i = 0; i < columns; ++i) out.push_back(value(i, row));
    return out;
  }
  /// Whether `range` holds exactly the rows for which `expected(row)`.
  template <class Expected>
  void check(const KeyRange& range, Expected expected) const {
    for (size_t row = 0; row < keys_.size(); ++row) {
      const std::string& key = bytes_[row];
      bool inside = !range.empty && range.from <= key && (range.to.empty() || key < range.to);
      ASSERT_EQ(inside, expected(keys_[row])) << "row " << row;
    }
  }

  std::shared_ptr<const Table> table_ = table_with(GetParam());
  std::vector<Key> keys_ = every_key();
  model::ColumnBatch batch_;
  std::vector<std::string> bytes_;  // of each key
};

TEST_P(KeyRangeTest, PrefixesHoldTheirRowsOnly) {
  check(whole_table(*table_), [](const Key&) { return true; });
  for (size_t row = 0; row < keys_.size(); ++row) {
    const Key& at = keys_[row];
    check(*key_range(*table_, leading(1, row)), [&](const Key& key) { return key.partition == at.partition; });
    check(*key_range(*table_, leading(2, row)),
          [&](const Key& key) { return key.partition == at.partition && key.number == at.number; });
    check(*key_range(*table_, leading(3, row)),
          [&](const Key& key) { return key.partition == at.partition && key.number == at.number && key.text == at.text; });
  }
}

TEST_P(KeyRangeTest, BoundsHoldAtTheEndsOfTheirTypes) {
  for (size_t row = 0; row < keys_.size(); ++row) {
    const Key& at = keys_[row];
    for (bool inclusive : {false, true}) {
      KeyBound number{value(1, row), inclusive};
      auto above = [&](const Key& key) { return inclusive ? key.number >= at.number : key.number > at.number; };
      auto below = [&](const Key& key) { return inclusive ? key.number <= at.number : key.number < at.number; };
      auto same = [&](const Key& key) { return key.partition == at.partition; };
      check(*key_range(*table_, leading(1, row), number), [&](const Key& key) { return same(key) && above(key); });
      check(*key_range(*table_, leading(1, row), {}, number), [&](const Key& key) { return same(key) && below(key); });
      check(*key_range(*table_, leading(1, row), number, number),
            [&](const Key& key) { return same(key) && above(key) && below(key); });
      KeyBound partition{value(0, row), inclusive};
      check(*key_range(*table_, {}, partition),
            [&](const Key& key) { return inclusive ? key.partition >= at.partition : key.partition > at.partition; });
    }
  }
}

TEST_P(KeyRangeTest, TextBoundsFollowTheBytesOfTheText) {
  for (size_t row = 0; row < keys_.size(); ++row) {
    const Key& at = keys_[row];
    auto same = [&](const Key& key) { return key.partition == at.partition && key.number == at.number; };
    for (bool inclusive : {false, true}) {
      KeyBound text{value(2, row), inclusive};
      check(*key_range(*table_, leading(2, row), text),
            [&](const Key& key) { return same(key) && (inclusive ? key.text >= at.text : key.text > at.text); });
      check(*key_range(*table_, leading(2, row), {}, text),
            [&](const Key& key) { return same(key) && (inclusive ? key.text <= at.text : key.text < at.text); });
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Directions, KeyRangeTest, testing::Bool(),
                         [](const auto& info) { return info.param ? "Descending" : "Ascending"; });

}  // namespace
}  // namespace millrace::table
