#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "codec/cql/segment.h"
#include "connect/cassandra/fake_node.h"

namespace millrace::connect::cassandra {

struct FakeNode::Link : std::enable_shared_from_this<FakeNode::Link> {
  explicit Link(int fd) : descriptor(fd) {}
  ~Link() { ::close(descriptor); }
  const int descriptor;
  cql::FrameReader reader;
  cql::Version version = cql::Version::kV5;
  cql::Compression compression = cql::Compression::kNone;
  bool compressed = false;
  bool segments = false;
  bool framing_starts = false;  // behind the message in hand
  Mutex mutex;                  // of writing
};

FakeNode::FakeNode(Options options) : options_(std::move(options)) {
  peers_ = options_.peers;
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(::listen(listener_, 16), 0);
  getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { accept_all(); });
}

FakeNode::~FakeNode() {
  stopped_ = true;
  ::shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  drop_all(true);
  std::vector<std::thread> threads;
  {
    MutexLock lock(mutex_);
    threads = std::move(threads_);
  }
  for (std::thread& thread : threads) thread.join();
  ::close(listener_);
}

void FakeNode::set_script(Script script) {
  MutexLock lock(mutex_);
  script_ = std::move(script);
}

void FakeNode::set_peers(std::vector<Peer> peers) {
  MutexLock lock(mutex_);
  peers_ = std::move(peers);
}

void FakeNode::drop_all(bool refuse) {
  MutexLock lock(mutex_);
  refuse_ = refuse;
  for (auto& link : links_) ::shutdown(link->descriptor, SHUT_RDWR);
  links_.clear();
}

void FakeNode::release() {
  std::vector<Held> held;
  {
    MutexLock lock(mutex_);
    held = std::move(held_);
    held_.clear();
  }
  for (Held& one : held) send(*one.link, one.stream, one.response);
}

size_t FakeNode::held() {
  MutexLock lock(mutex_);
  return held_.size();
}

void FakeNode::accept_all() {
  while (!stopped_) {
    int descriptor = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (descriptor < 0) continue;
    int on = 1;
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    MutexLock lock(mutex_);
    if (refuse_ || stopped_) {
      ::close(descriptor);
      continue;
    }
    ++connections_;
    auto link = std::make_shared<Link>(descriptor);
    links_.push_back(link);
    threads_.emplace_back([this, link] { serve(link); });
  }
}

void FakeNode::serve(std::shared_ptr<Link> link) {
  char buffer[65536];
  while (true) {
    ssize_t got = ::recv(link->descriptor, buffer, sizeof buffer, 0);
    if (got <= 0) return;
    link->reader.feed({buffer, static_cast<size_t>(got)});
    while (true) {
      auto envelope = link->reader.next();
      if (!envelope) return;
      if (!*envelope) break;
      if (!answer(*link, **envelope)) {
        ::shutdown(link->descriptor, SHUT_RDWR);
        return;
      }
    }
  }
}

void FakeNode::send(Link& link, int16_t stream, const cql::Response& response) {
  MutexLock lock(link.mutex);
  std::string out, wire;
  cql::encode(out, link.version, stream, response);
  if (link.segments) {
    cql::append_segments(wire, out, link.compression);
  } else {
    if (link.compressed) cql::compress_envelope(out, 0);
    wire = out;
  }
  for (size_t at = 0; at < wire.size();) {
    ssize_t put = ::send(link.descriptor, wire.data() + at, wire.size() - at, MSG_NOSIGNAL);
    if (put <= 0) return;
    at += static_cast<size_t>(put);
  }
}

bool FakeNode::answer(Link& link, const cql::Envelope& envelope) {
  if (envelope.version_byte > options_.version_max) {
    link.version = static_cast<cql::Version>(options_.version_max);
    cql::ErrorResponse error{.code = cql::ErrorCode::kProtocol};
    error.message = "Invalid or unsupported protocol version (5); the lowest supported version is 3 and the greatest is 4";
    send(link, envelope.stream, error);
    return false;
  }
  link.version = static_cast<cql::Version>(envelope.version_byte);
  auto request = cql::decode_request(envelope);
  EXPECT_TRUE(request) << (request ? "" : request.error().message);
  if (!request) return false;
  std::optional<Act> act = answer_system(link, *request);
  if (!act) {
    Script script;
    {
      MutexLock lock(mutex_);
      script = script_;
    }
    act = script ? script(*request) : Act{cql::VoidResult{}};
  }
  if (act->drop) return false;
  if (act->hold) {
    MutexLock lock(mutex_);
    held_.push_back({link.shared_from_this(), envelope.stream, act->response.value_or(cql::VoidResult{})});
    return true;
  }
  if (act->response) send(link, envelope.stream, *act->response);
  if (link.framing_starts) {
    link.framing_starts = false;
    if (link.version == cql::Version::kV5) {
      link.segments = true;
      link.reader.use_segments(link.compression);
    } else if (link.compression == cql::Compression::kLz4) {
      link.compressed = true;
      link.reader.use_body_compression();
    }
  }
  return true;
}

std::optional<FakeNode::Act> FakeNode::answer_system(Link& link, const cql::Request& request) {
  if (const auto* startup = std::get_if<cql::StartupRequest>(&request)) {
    ++startups_[static_cast<uint8_t>(link.version)];
    if (startup->find("COMPRESSION")) link.compression = cql::Compression::kLz4;
    link.framing_starts = true;
    if (options_.user.empty()) return Act{cql::ReadyResponse{}};
    return Act{cql::AuthenticateResponse{"org.apache.cassandra.auth.PasswordAuthenticator"}};
  }
  if (const auto* login = std::get_if<cql::AuthResponseRequest>(&request)) {
    if (login->token == cql::plain_token(options_.user, options_.password)) return Act{cql::AuthSuccessResponse{}};
    cql::ErrorResponse error{.code = cql::ErrorCode::kBadCredentials};
    error.message = "Provided username and/or password are incorrect";
    return Act{error};
  }
  if (std::holds_alternative<cql::RegisterRequest>(request)) return Act{cql::ReadyResponse{}};
  if (std::holds_alternative<cql::OptionsRequest>(request)) return Act{cql::SupportedResponse{}};
  const auto* query = std::get_if<cql::QueryRequest>(&request);
  return query == nullptr ? std::nullopt : answer_query(query->query);
}

std::optional<FakeNode::Act> FakeNode::answer_query(std::string_view text) {
  auto speaks_of = [&](std::string_view table) { return text.find(table) != std::string_view::npos; };
  std::vector<Peer> peers;
  {
    MutexLock lock(mutex_);
    peers = peers_;
  }
  if (speaks_of("system.local")) return Act{peer_rows({options_.self}, true, true)};
  if (speaks_of("system.peers") && peer_drops-- > 0) return Act{.drop = true};
  if (speaks_of("system.peers_v2")) {
    if (options_.has_peers_v2) return Act{peer_rows(peers, false, true)};
    cql::ErrorResponse error{.code = cql::ErrorCode::kInvalid};
    error.message = "unconfigured table peers_v2";
    return Act{error};
  }
  if (speaks_of("system.peers")) return Act{peer_rows(peers, false, false)};
  if (!speaks_of("FROM system_schema.keyspaces") || speaks_of("WHERE")) return std::nullopt;
  std::string replication;
  cql::put_int(replication, 2);
  for (std::string_view part : {"class", "org.apache.cassandra.locator.SimpleStrategy", "replication_factor", "1"})
    cql::put_bytes(replication, part);
  return Act{rows({{"keyspace_name"}, {"replication", cql::CqlTypeId::kBlob}}, {{"ks", replication}})};
}

cql::Response FakeNode::peer_rows(std::vector<Peer> peers, bool local, bool v2) {
  std::vector<Row> list;
  for (const Peer& peer : peers) {
    std::string tokens, address(4, '\0'), port;
    cql::put_int(tokens, static_cast<int32_t>(peer.tokens.size()));
    for (int64_t token : peer.tokens) cql::put_bytes(tokens, std::to_string(token));
    inet_pton(AF_INET, peer.address.c_str(), address.data());
    append_be(port, static_cast<int32_t>(peer.port));
    list.push_back({uuid(peer.id), peer.dc, peer.rack, tokens, uuid(9)});
    if (local) {
      list.back().insert(list.back().end(), {"org.apache.cassandra.dht.Murmur3Partitioner"});
    } else if (v2) {
      list.back().insert(list.back().end(), {address, port});
    } else {
      list.back().push_back(address);
    }
  }
  using enum cql::CqlTypeId;
  std::vector<Column> columns = {{"host_id", kUuid}, {"data_center"}, {"rack"}, {"tokens", kBlob}, {"schema_version", kUuid}};
  if (local) columns.insert(columns.end(), {{"partitioner"}});
  if (!local && v2) columns.insert(columns.end(), {{"native_address", kInet}, {"native_port", kInt}});
  if (!local && !v2) columns.push_back({"rpc_address", kInet});
  return rows(columns, list);
}

cql::Response FakeNode::rows(const std::vector<Column>& columns, const std::vector<Row>& rows) {
  cql::RowsResult result;
  for (const Column& column : columns) {
    cql::CqlType type;
    type.id = column.type;
    result.metadata.columns.push_back({"system", "fake", column.name, type});
  }
  result.metadata.column_count = columns.size();
  result.row_count = rows.size();
  auto cells = std::make_unique<std::string>();
  for (const Row& row : rows) {
    for (const std::string& cell : row) cql::put_bytes(*cells, cell);
  }
  result.cells = *cells;
  MutexLock lock(mutex_);
  cells_.push_back(std::move(cells));
  return result;
}

}  // namespace millrace::connect::cassandra
