#include "connect/cassandra/topology.h"

#include <algorithm>
#include <charconv>

namespace millrace::connect::cassandra {
namespace {

RingNode place_of(const RowView& row) {
  RingNode place{row.text("data_center"), row.text("rack"), {}};
  for (const std::string& text : row.texts("tokens")) {
    int64_t token = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), token);
    if (error == std::errc() && end == text.data() + text.size()) place.tokens.push_back(token);
  }
  return place;
}

/// A node that listens on every address tells 0.0.0.0.
bool is_any(const std::string& address) { return address.empty() || address == "0.0.0.0" || address == "::"; }

}  // namespace

Status read_local(const cql::RowsResult& rows, const Endpoint& asked, ClusterInfo& to) {
  TRY_DO(for_each_row(rows, [&](const RowView& row) {
    to.partitioner = row.text("partitioner");
    to.nodes.push_back({row.uuid("host_id"), asked, place_of(row)});
  }));
  if (to.nodes.size() != 1) return fail(Errc::kCorruption, "system.local has not exactly one row");
  return {};
}

Status read_peers(const cql::RowsResult& rows, uint16_t port, ClusterInfo& to) {
  return for_each_row(rows, [&](const RowView& row) {
    std::string address = row.address("native_address");
    if (is_any(address)) address = row.address("rpc_address");
    if (is_any(address)) address = row.address("peer");
    Uuid id = row.uuid("host_id");
    bool known = std::any_of(to.nodes.begin(), to.nodes.end(), [&](const NodeInfo& node) { return node.host_id == id; });
    if (address.empty() || id.is_nil() || known || row.bytes("data_center").empty()) return;
    auto listens = static_cast<uint16_t>(row.integer("native_port", port));
    to.nodes.push_back({id, {address, listens}, place_of(row)});
  });
}

Status read_keyspaces(const cql::RowsResult& rows, ClusterInfo& to) {
  return for_each_row(
      rows, [&](const RowView& row) { to.keyspaces[row.text("keyspace_name")] = replication_from(row.text_map("replication")); });
}

std::string_view RowView::bytes(std::string_view column) const {
  for (size_t i = 0; i < metadata_.columns.size() && i < row_.size(); ++i) {
    if (metadata_.columns[i].name == column) return row_[i].bytes;
  }
  return {};
}

Uuid RowView::uuid(std::string_view column) const {
  cql::Reader in(bytes(column));
  return in.left() == 16 ? in.uuid() : Uuid{};
}

int32_t RowView::integer(std::string_view column, int32_t otherwise) const {
  cql::Reader in(bytes(column));
  return in.left() == 4 ? in.i32() : otherwise;
}

std::string RowView::address(std::string_view column) const {
  std::string_view raw = bytes(column);
  if (raw.size() != 4 && raw.size() != 16) return {};
  cql::InetAddress address;
  address.size = static_cast<uint8_t>(raw.size());
  std::copy(raw.begin(), raw.end(), address.bytes.begin());
  return cql::format_inet(address);
}

std::vector<std::string> RowView::texts(std::string_view column) const {
  cql::Reader in(bytes(column));
  std::vector<std::string> list;
  for (size_t n = in.empty() ? 0 : in.count(4); n > 0 && in.ok(); --n) list.emplace_back(in.bytes().value_or(""));
  return list;
}

std::map<std::string, std::string> RowView::text_map(std::string_view column) const {
  cql::Reader in(bytes(column));
  std::map<std::string, std::string> map;
  for (size_t n = in.empty() ? 0 : in.count(8); n > 0 && in.ok(); --n) {
    std::string key(in.bytes().value_or(""));
    map[key] = in.bytes().value_or("");
  }
  return map;
}

}  // namespace millrace::connect::cassandra
