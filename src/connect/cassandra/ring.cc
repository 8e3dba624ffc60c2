#include "connect/cassandra/ring.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "model/schema.h"

namespace millrace::connect::cassandra {
namespace {

constexpr int32_t kReplicasMax = 1000;

int32_t replicas_in(std::string_view text) {
  int32_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  bool whole = error == std::errc() && (end == text.data() + text.size() || *end == '/');  // `3/1`: one of them transient
  return whole && value > 0 && value <= kReplicasMax ? value : 0;
}

/// What a datacenter still needs while the ring is walked.
struct DcNeed {
  size_t replicas = 0;
  size_t rack_repeats = 0;
  std::set<std::string_view> racks;
};

std::map<std::string_view, DcNeed> needs(std::span<const RingNode> nodes, const Replication& replication) {
  std::map<std::string_view, std::set<std::string_view>> racks;
  std::map<std::string_view, size_t> sizes;
  for (const RingNode& node : nodes) {
    racks[node.dc].insert(node.rack);
    ++sizes[node.dc];
  }
  std::map<std::string_view, DcNeed> needs;
  for (const auto& [dc, factor] : replication.per_dc) {
    size_t wanted = static_cast<size_t>(factor);
    size_t rack_count = racks[dc].size();
    needs[dc] = {std::min(wanted, sizes[dc]), wanted > rack_count ? wanted - rack_count : 0, {}};
  }
  return needs;
}

}  // namespace

Result<Replication> parse_replication(std::string_view text) {
  Replication replication{Replication::Strategy::kNetworkTopology, 0, {}};
  auto wrong = [] {
    return fail(Errc::kInvalidArgument, "a number of replicas was expected, or one for each datacenter",
                "write 3, or dc1:3,dc2:2");
  };
  if (int32_t factor = text.find_first_of(":/") == std::string_view::npos ? replicas_in(text) : 0) {
    replication.per_dc[""] = factor;
    return replication;
  }
  for (size_t begin = 0; begin <= text.size();) {
    size_t comma = std::min(text.find(',', begin), text.size());
    std::string_view part = text.substr(begin, comma - begin);
    size_t colon = part.rfind(':');
    int32_t factor = colon == std::string_view::npos ? 0 : replicas_in(part.substr(colon + 1));
    if (factor == 0 || colon == 0) return wrong();
    std::string dc(part.substr(0, colon));
    if (!replication.per_dc.emplace(dc, factor).second) return wrong();
    begin = comma + 1;
  }
  return replication;
}

Replication replication_from(const std::map<std::string, std::string>& column) {
  Replication replication;
  auto name = column.find("class");
  if (name == column.end()) return replication;
  if (name->second.ends_with("NetworkTopologyStrategy")) {
    replication.strategy = Replication::Strategy::kNetworkTopology;
    for (const auto& [dc, factor] : column) {
      if (dc != "class" && replicas_in(factor) > 0) replication.per_dc[dc] = replicas_in(factor);
    }
  } else if (name->second.ends_with("SimpleStrategy")) {
    auto factor = column.find("replication_factor");
    replication.factor = factor == column.end() ? 0 : replicas_in(factor->second);
    if (replication.factor > 0) replication.strategy = Replication::Strategy::kSimple;
  }
  return replication;
}

std::string to_cql(const Replication& replication, std::string_view local_dc) {
  std::string out = "{'class': 'NetworkTopologyStrategy'";
  for (const auto& [dc, factor] : replication.per_dc)
    out += fmt::format(", {}: {}", model::quote_literal(dc.empty() ? local_dc : dc), factor);
  return out + "}";
}

Ring::Ring(std::span<const RingNode> nodes, const Replication& replication) {
  if (replication.strategy == Replication::Strategy::kOther) return;
  for (uint32_t i = 0; i < nodes.size(); ++i) {
    for (int64_t token : nodes[i].tokens) points_.push_back({token, i});
  }
  std::sort(points_.begin(), points_.end(),
            [](const Point& a, const Point& b) { return std::pair(a.token, a.node) < std::pair(b.token, b.node); });
  for (size_t i = 0; i < points_.size(); ++i) replicas_.push_back(walk(nodes, replication, i));
}

std::vector<uint32_t> Ring::walk(std::span<const RingNode> nodes, const Replication& replication, size_t from) const {
  bool simple = replication.strategy == Replication::Strategy::kSimple;
  size_t wanted = static_cast<size_t>(replication.factor);
  auto need_of = needs(nodes, replication);
  if (!simple) {
    for (const auto& [dc, need] : need_of) wanted += need.replicas;
  }
  std::vector<uint32_t> found;
  for (size_t step = 0; step < points_.size() && found.size() < wanted; ++step) {
    uint32_t i = points_[(from + step) % points_.size()].node;
    if (std::find(found.begin(), found.end(), i) != found.end()) continue;
    if (!simple) {
      auto need = need_of.find(nodes[i].dc);
      if (need == need_of.end() || need->second.replicas == 0) continue;
      if (!need->second.racks.insert(nodes[i].rack).second) {
        if (need->second.rack_repeats == 0) continue;
        --need->second.rack_repeats;
      }
      --need->second.replicas;
    }
    found.push_back(i);
  }
  return found;
}

std::span<const uint32_t> Ring::replicas(int64_t token) const {
  if (points_.empty()) return {};
  auto point = std::lower_bound(points_.begin(), points_.end(), token, [](const Point& p, int64_t t) { return p.token < t; });
  size_t i = point == points_.end() ? 0 : static_cast<size_t>(point - points_.begin());
  return replicas_[i];
}

}  // namespace millrace::connect::cassandra
