#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace millrace::table {

/// Sorts row numbers by key without moving rows: items of 16 bytes hold the 8 bytes that follow the prefix which all keys share.
class KeyOrder {
 public:
  explicit KeyOrder(std::vector<std::string_view> keys) : keys_(std::move(keys)) {}
  /// Indexes of the keys in ascending order; equal keys in order of their index.
  std::vector<uint32_t> sort();

 private:
  struct Item {
    uint64_t head;
    uint32_t index;
  };
  size_t shared_prefix() const;
  std::vector<Item> items() const;
  /// Brings the items into buckets by their top bits; returns where each bucket begins.
  std::vector<uint32_t> scatter(std::vector<Item>& items) const;
  bool less(const Item& a, const Item& b) const;

  std::vector<std::string_view> keys_;
};

}  // namespace millrace::table
