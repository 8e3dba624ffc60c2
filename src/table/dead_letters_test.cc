#include "table/dead_letters.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

namespace millrace::table {
namespace {

DeadLetter letter(std::string query, int64_t offset, uint32_t ordinal = 0) {
  DeadLetter out;
  out.query = std::move(query);
  out.topic_id = *parse_uuid("0f3c5a77-8d21-4a9b-b1a5-00112233ffee");
  out.partition = 3;
  out.offset = offset;
  out.ordinal = ordinal;
  out.topic = "users_created";
  out.stage = "contract";
  out.code = "email_shape";
  out.message = "email is not like %_@_%";
  out.timestamp = instant_from_micros(-5);
  out.version = 77;
  out.value = std::string("{\0}", 3);
  return out;
}

TEST(DeadLetter, ComesBackFromItsBytes) {
  DeadLetter original = letter("a/b", 42, 7);
  EXPECT_EQ(decode_dead_letter(encode_dead_letter_key(original), encode_dead_letter_value(original)), original);
  original.key = "";
  original.value.reset();
  std::string key = encode_dead_letter_key(original);
  std::string value = encode_dead_letter_value(original);
  EXPECT_EQ(decode_dead_letter(key, value), original);
  for (size_t i = 0; i < value.size(); ++i) EXPECT_FALSE(decode_dead_letter(key, value.substr(0, i)));
  for (size_t i = 0; i < key.size(); ++i) EXPECT_FALSE(decode_dead_letter(key.substr(0, i), value));
  EXPECT_FALSE(decode_dead_letter(key + "x", value));
  EXPECT_FALSE(decode_dead_letter(key, value + "x"));
}

TEST(DeadLetter, IdsAreTextThatCanBeReadBack) {
  DeadLetter original = letter("a/b", 42, 7);
  EXPECT_EQ(dead_letter_id(original), "a/b/0f3c5a778d214a9bb1a500112233ffee/3/42/7");
  EXPECT_EQ(*parse_dead_letter_id(dead_letter_id(original)), static_cast<const DeadLetterKey&>(original));
  for (const char* bad :
       {"", "/", "a/b", "a/0f3c/3/42/7", "/0f3c5a778d214a9bb1a500112233ffee/3/42/7", "a/0f3c5a778d214a9bb1a500112233ffee/-3/42/7",
        "a/0f3c5a778d214a9bb1a500112233ffee/3/42/", "a/0f3c5a778d214a9bb1a500112233ffee/3/42/7x"}) {
    EXPECT_FALSE(parse_dead_letter_id(bad)) << bad;
  }
}

TEST(DeadLetter, AreKeptPerQueryInOrder) {
  store::Options options;
  options.path = testing::TempDir() + "dead_letters_test_" + std::to_string(getpid());
  std::filesystem::remove_all(options.path);
  auto store = *store::Store::open(options);
  store::Batch batch;
  for (const DeadLetter& each : {letter("b", 300), letter("b", 2, 1), letter("a", 9), letter("b", 2, 0)})
    ASSERT_TRUE(each.add_to(batch));
  EXPECT_FALSE(letter("b", -1).add_to(batch));
  ASSERT_TRUE(store->commit(std::move(batch), store::Durability::kLog));
  auto ids = [&](std::string_view query) {
    std::string out;
    DeadLetterScan scan(*store, query);
    while (auto next = *scan.next())
      out += next->query + std::to_string(next->offset) + "." + std::to_string(next->ordinal) + " ";
    return out;
  };
  EXPECT_EQ(ids(""), "a9.0 b2.0 b2.1 b300.0 ");
  EXPECT_EQ(ids("b"), "b2.0 b2.1 b300.0 ");
  EXPECT_EQ(ids("c"), "");
  EXPECT_EQ(*find_dead_letter(*store, letter("b", 2, 1)), letter("b", 2, 1));
  store::Batch erase;
  ASSERT_TRUE(letter("b", 2, 1).erase_from(erase));
  ASSERT_TRUE(store->commit(std::move(erase), store::Durability::kLog));
  EXPECT_EQ(*find_dead_letter(*store, letter("b", 2, 1)), std::nullopt);
  EXPECT_EQ(ids("b"), "b2.0 b300.0 ");
  store.reset();
  std::filesystem::remove_all(options.path);
}

}  // namespace
}  // namespace millrace::table
