#include "sql/splices.h"

#include <algorithm>

namespace millrace::sql {

void Splices::replace(size_t begin, size_t end, std::string with) {
  auto at = std::upper_bound(splices_.begin(), splices_.end(), begin,
                             [](size_t value, const Splice& splice) { return value < splice.begin; });
  splices_.insert(at, {begin, end, std::move(with)});
}

std::string Splices::apply(std::string_view text) const {
  std::string out;
  size_t at = 0;
  for (const Splice& splice : splices_) {
    out += text.substr(at, splice.begin - at);
    out += splice.with;
    at = splice.end;
  }
  return out += text.substr(at);
}

PositionMap Splices::way_back() const {
  return [splices = splices_](size_t position) {
    size_t old_at = 0, new_at = 0;
    for (const Splice& splice : splices) {
      size_t kept = splice.begin - old_at;
      if (position < new_at + kept) break;
      if (position < new_at + kept + splice.with.size()) return splice.begin;
      new_at += kept + splice.with.size();
      old_at = splice.end;
    }
    return old_at + (position - new_at);
  };
}

}  // namespace millrace::sql
