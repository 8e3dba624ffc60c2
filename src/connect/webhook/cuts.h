#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace millrace::connect::webhook {

/// Where the last requests of an epoch end: for each input partition the offset that it was to be committed at, several when the
/// epoch was tried several times. In the store's space `meta` under `webhook/<query>/cuts`, written before these requests are
/// sent.
using Cuts = std::map<int32_t, std::set<int64_t>>;

std::string cuts_key(std::string_view query);
/// Format 1: version byte, then for each partition its number and the count of its offsets as varints, and the offsets zigzag.
std::string encode_cuts(const Cuts& cuts);
/// nullopt when the bytes are not that.
std::optional<Cuts> decode_cuts(std::string_view bytes);

}  // namespace millrace::connect::webhook
