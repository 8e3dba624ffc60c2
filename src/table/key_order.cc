#include "table/key_order.h"

#include <algorithm>
#include <cstring>

#include "base/bytes.h"

namespace millrace::table {
namespace {

constexpr int kBucketBits = 12;
constexpr size_t kScatterMin = 4096;  // below, one sort fits the cache anyway

uint64_t head_of(std::string_view key, size_t from) {
  if (key.size() >= from + 8) return load_be<uint64_t>(key.data() + from);
  char bytes[8] = {};
  if (key.size() > from) std::memcpy(bytes, key.data() + from, key.size() - from);
  return load_be<uint64_t>(bytes);
}

}  // namespace

size_t KeyOrder::shared_prefix() const {
  std::string_view first = keys_.front();
  size_t shared = first.size();
  for (std::string_view key : keys_) {
    shared = std::min(shared, key.size());
    if (std::memcmp(key.data(), first.data(), shared) == 0) continue;
    shared = static_cast<size_t>(std::mismatch(first.begin(), first.begin() + static_cast<ptrdiff_t>(shared), key.begin()).first -
                                 first.begin());
  }
  return shared;
}

std::vector<KeyOrder::Item> KeyOrder::items() const {
  size_t from = shared_prefix();
  std::vector<Item> items;
  items.reserve(keys_.size());
  for (uint32_t i = 0; i < keys_.size(); ++i) items.push_back({head_of(keys_[i], from), i});
  return items;
}

std::vector<uint32_t> KeyOrder::scatter(std::vector<Item>& items) const {
  // The range of the heads is spread over the buckets, so that small numbers do not all fall into the first.
  auto [low, high] =
      std::minmax_element(items.begin(), items.end(), [](const Item& a, const Item& b) { return a.head < b.head; });
  uint64_t base = low->head;
  uint64_t range = high->head - base;
  int width = range == 0 ? 0 : 64 - __builtin_clzll(range);
  int shift = std::max(0, width - kBucketBits);
  std::vector<uint32_t> begins((size_t{1} << kBucketBits) + 1);
  for (const Item& item : items) ++begins[((item.head - base) >> shift) + 1];
  for (size_t i = 1; i < begins.size(); ++i) begins[i] += begins[i - 1];
  std::vector<uint32_t> next(begins.begin(), begins.end() - 1);
  std::vector<Item> out(items.size());
  for (const Item& item : items) out[next[(item.head - base) >> shift]++] = item;
  items = std::move(out);
  return begins;
}

bool KeyOrder::less(const Item& a, const Item& b) const {
  if (a.head != b.head) return a.head < b.head;
  int order = keys_[a.index].compare(keys_[b.index]);
  return order != 0 ? order < 0 : a.index < b.index;
}

std::vector<uint32_t> KeyOrder::sort() {
  if (keys_.empty()) return {};
  std::vector<Item> items = this->items();
  auto by_key = [this](const Item& a, const Item& b) { return less(a, b); };
  if (items.size() < kScatterMin) {
    std::sort(items.begin(), items.end(), by_key);
  } else {
    std::vector<uint32_t> begins = scatter(items);
    for (size_t i = 0; i + 1 < begins.size(); ++i) std::sort(items.begin() + begins[i], items.begin() + begins[i + 1], by_key);
  }
  std::vector<uint32_t> order;
  order.reserve(items.size());
  for (const Item& item : items) order.push_back(item.index);
  return order;
}

}  // namespace millrace::table
