#include "table/key_order.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <string>

namespace millrace::table {
namespace {

void check(const std::vector<std::string>& keys) {
  std::vector<uint32_t> expected(keys.size());
  std::iota(expected.begin(), expected.end(), 0u);
  std::sort(expected.begin(), expected.end(),
            [&](uint32_t a, uint32_t b) { return std::tie(keys[a], a) < std::tie(keys[b], b); });
  EXPECT_EQ(KeyOrder({keys.begin(), keys.end()}).sort(), expected);
}

std::vector<std::string> random_keys(std::mt19937& random, size_t count, const std::string& prefix, size_t size_max,
                                     size_t alphabet) {
  std::vector<std::string> keys;
  for (size_t i = 0; i < count; ++i) {
    std::string key = prefix;
    for (size_t n = random() % (size_max + 1); n > 0; --n) key += static_cast<char>(random() % alphabet * (255 / alphabet));
    keys.push_back(std::move(key));
  }
  return keys;
}

TEST(KeyOrder, SortsWhateverTheKeysShare) {
  std::mt19937 random(3);
  check({});
  check({"one"});
  check({"same", "same", "same"});
  check({"", "a", ""});
  for (size_t count : {100u, 10000u}) {
    check(random_keys(random, count, "", 20, 256));
    check(random_keys(random, count, "a long prefix that all share", 20, 256));
    check(random_keys(random, count, "", 12, 2));
    check(random_keys(random, count, "p", 1, 3));
  }
  std::vector<std::string> numbers;
  for (int i = 20000; i > 0; --i)
    numbers.push_back({0, 0, 0, 0, 0, static_cast<char>(i >> 8), static_cast<char>(i), 'x', 'y', 'z'});
  check(numbers);
  numbers.push_back("z far away");
  check(numbers);
}

}  // namespace
}  // namespace millrace::table
