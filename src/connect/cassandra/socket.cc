#include "connect/cassandra/socket.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace millrace::connect::cassandra {
namespace {

struct AddressList {
  addrinfo* first = nullptr;
  ~AddressList() {
    if (first != nullptr) freeaddrinfo(first);
  }
};

Status look_up(const Endpoint& endpoint, int flags, AddressList& list) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  int failed = getaddrinfo(endpoint.host.c_str(), std::to_string(endpoint.port).c_str(), &hints, &list.first);
  if (failed == 0) return {};
  return fail(Errc::kUnavailable, fmt::format("the name {} cannot be resolved: {}", endpoint.host, gai_strerror(failed)));
}

std::string tls_reason() {
  unsigned long code = ERR_get_error();
  ERR_clear_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  return reason == nullptr ? "the connection was closed" : reason;
}

/// Every certificate of a PEM text becomes trusted.
Status trust(SSL_CTX* context, const std::string& pem) {
  std::unique_ptr<BIO, decltype(&BIO_free)> bytes(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free);
  size_t count = 0;
  while (true) {
    std::unique_ptr<X509, decltype(&X509_free)> certificate(PEM_read_bio_X509(bytes.get(), nullptr, nullptr, nullptr),
                                                            &X509_free);
    if (certificate == nullptr) break;
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context), certificate.get());
    ++count;
  }
  ERR_clear_error();
  if (count > 0) return {};
  return fail(Errc::kInvalidArgument, "Cassandra option tls_ca holds no certificate", "give PEM text: ${file:/path/ca.pem}");
}

Error system_error(const char* what, int error) {
  return {Errc::kUnavailable, fmt::format("{}: {}", what, std::strerror(error)), ""};
}

}  // namespace

Result<std::unique_ptr<TlsContext>> TlsContext::create(const Settings& settings) {
  if (!settings.tls) return nullptr;
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  if (context == nullptr) return fail(Errc::kInternal, "TLS cannot be set up: " + tls_reason());
  std::unique_ptr<TlsContext> tls(new TlsContext(context, settings.tls_host));
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  if (settings.tls_ca.empty()) {
    SSL_CTX_set_default_verify_paths(context);
  } else {
    TRY_DO(trust(context, settings.tls_ca));
  }
  return tls;
}

TlsContext::~TlsContext() { SSL_CTX_free(context_); }

Result<std::vector<Endpoint>> resolve(const Endpoint& endpoint) {
  AddressList list;
  TRY_DO(look_up(endpoint, 0, list));
  std::vector<Endpoint> found;
  for (addrinfo* at = list.first; at != nullptr; at = at->ai_next) {
    char host[NI_MAXHOST];
    if (getnameinfo(at->ai_addr, at->ai_addrlen, host, sizeof host, nullptr, 0, NI_NUMERICHOST) != 0) continue;
    found.push_back({host, endpoint.port});
  }
  return found;
}

Result<std::unique_ptr<Socket>> Socket::connect(const Endpoint& address, const TlsContext* tls, const std::string& host) {
  AddressList list;
  TRY_DO(look_up(address, AI_NUMERICHOST, list));
  int descriptor = ::socket(list.first->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return fail(system_error("no socket", errno));
  SSL* ssl = nullptr;
  if (tls != nullptr) {
    ssl = SSL_new(tls->get());
    SSL_set_fd(ssl, descriptor);
    SSL_set_connect_state(ssl);
    in_addr v4;
    bool is_name = inet_pton(AF_INET, host.c_str(), &v4) != 1 && host.find(':') == std::string::npos;
    if (is_name) SSL_set_tlsext_host_name(ssl, host.c_str());
    if (tls->checks_host() && is_name) SSL_set1_host(ssl, host.c_str());
    if (tls->checks_host() && !is_name) X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str());
  }
  std::unique_ptr<Socket> socket(new Socket(descriptor, ssl));
  int on = 1;
  setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(descriptor, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  if (::connect(descriptor, list.first->ai_addr, list.first->ai_addrlen) != 0 && errno != EINPROGRESS)
    return fail(system_error("cannot connect", errno));
  return socket;
}

Socket::~Socket() {
  if (ssl_ != nullptr) SSL_free(ssl_);
  ::close(descriptor_);
}

Result<Socket::Progress> Socket::advance() {
  if (!connected_) {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(descriptor_, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return fail(system_error("cannot connect", error));
    sockaddr_storage peer;
    socklen_t peer_size = sizeof peer;
    if (getpeername(descriptor_, reinterpret_cast<sockaddr*>(&peer), &peer_size) != 0) return Progress::kWantsWrite;
    connected_ = true;
  }
  if (ssl_ == nullptr) return Progress::kDone;
  int done = SSL_do_handshake(ssl_);
  if (done == 1) return Progress::kDone;
  switch (SSL_get_error(ssl_, done)) {
    case SSL_ERROR_WANT_READ: return Progress::kWantsRead;
    case SSL_ERROR_WANT_WRITE: return Progress::kWantsWrite;
    default: break;
  }
  long verified = SSL_get_verify_result(ssl_);
  std::string reason = verified != X509_V_OK ? X509_verify_cert_error_string(verified) : tls_reason();
  ERR_clear_error();
  return fail(Errc::kUnavailable, "TLS handshake failed: " + reason,
              verified != X509_V_OK
                  ? "tls_ca must name the authority of the nodes' certificates; tls_host: off if they name no host"
                  : "");
}

Result<size_t> Socket::tls_result(int result, const char* what) {
  if (result > 0) return static_cast<size_t>(result);
  int kind = SSL_get_error(ssl_, result);
  if (kind == SSL_ERROR_WANT_READ || kind == SSL_ERROR_WANT_WRITE) return 0;
  return fail(Errc::kUnavailable, fmt::format("{}: {}", what, tls_reason()));
}

Result<size_t> Socket::read(char* out, size_t size) {
  if (ssl_ != nullptr) return tls_result(SSL_read(ssl_, out, static_cast<int>(size)), "reading failed");
  while (true) {
    ssize_t got = ::recv(descriptor_, out, size, 0);
    if (got > 0) return static_cast<size_t>(got);
    if (got == 0) return fail(Errc::kUnavailable, "the node closed the connection");
    if (errno == EAGAIN || errno == EWOULDBLOCK) return 0;
    if (errno != EINTR) return fail(system_error("reading failed", errno));
  }
}

Result<size_t> Socket::write(std::string_view bytes) {
  if (ssl_ != nullptr)
    return tls_result(SSL_write(ssl_, bytes.data(), static_cast<int>(std::min<size_t>(bytes.size(), 1 << 30))), "writing failed");
  while (true) {
    ssize_t put = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (put >= 0) return static_cast<size_t>(put);
    if (errno == EAGAIN || errno == EWOULDBLOCK) return 0;
    if (errno != EINTR) return fail(system_error("writing failed", errno));
  }
}

}  // namespace millrace::connect::cassandra
