#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "base/log.h"
#include "connect/cassandra/fake_node.h"
#include "connect/cassandra/session.h"

namespace millrace::connect::cassandra {
namespace {

/// A key and a certificate of its own that names 127.0.0.1, or another host.
struct Identity {
  explicit Identity(const char* names) : key(EVP_EC_gen("P-256")), certificate(X509_new()) {
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_NAME* name = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("node"), -1, -1, 0);
    X509_set_issuer_name(certificate, name);
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, names);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
    X509_sign(certificate, key, EVP_sha256());
  }
  ~Identity() {
    X509_free(certificate);
    EVP_PKEY_free(key);
  }
  std::string pem() const {
    BIO* out = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(out, certificate);
    char* bytes = nullptr;
    long size = BIO_get_mem_data(out, &bytes);
    std::string text(bytes, static_cast<size_t>(size));
    BIO_free(out);
    return text;
  }
  EVP_PKEY* const key;
  X509* const certificate;
};

/// Speaks TLS in front of a port: what a node with client_encryption_options does.
class TlsDoor {
 public:
  TlsDoor(const Identity& identity, uint16_t behind) : behind_(behind), context_(SSL_CTX_new(TLS_server_method())) {
    SSL_CTX_use_certificate(context_, identity.certificate);
    SSL_CTX_use_PrivateKey(context_, identity.key);
    listener_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener_, 8), 0);
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] {
      while (true) {
        int outer = ::accept(listener_, nullptr, nullptr);
        if (outer < 0) return;
        pumps_.emplace_back([this, outer] { pump(outer); });
      }
    });
  }
  ~TlsDoor() {
    ::shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    for (std::thread& pump : pumps_) pump.join();
    ::close(listener_);
    SSL_CTX_free(context_);
  }
  uint16_t port() const { return port_; }

 private:
  static sockaddr_in loopback(uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
  }
  void pump(int outer) {
    SSL* ssl = SSL_new(context_);
    SSL_set_fd(ssl, outer);
    int inner = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address = loopback(behind_);
    int on = 1;
    setsockopt(inner, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(outer, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (SSL_accept(ssl) == 1 && ::connect(inner, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0)
      carry(ssl, outer, inner);
    SSL_free(ssl);
    ::close(inner);
    ::close(outer);
  }
  static void carry(SSL* ssl, int outer, int inner) {
    char buffer[16384];
    pollfd both[2] = {{outer, POLLIN, 0}, {inner, POLLIN, 0}};
    while (::poll(both, 2, -1) > 0) {
      if (both[0].revents != 0) {
        do {
          int got = SSL_read(ssl, buffer, sizeof buffer);
          if (got <= 0 || ::send(inner, buffer, static_cast<size_t>(got), MSG_NOSIGNAL) != got) return;
        } while (SSL_pending(ssl) > 0);
      }
      if (both[1].revents != 0) {
        ssize_t got = ::recv(inner, buffer, sizeof buffer, 0);
        if (got <= 0 || SSL_write(ssl, buffer, static_cast<int>(got)) != got) return;
      }
    }
  }

  const uint16_t behind_;
  SSL_CTX* const context_;
  int listener_ = -1;
  uint16_t port_ = 0;
  std::thread acceptor_;
  std::vector<std::thread> pumps_;
};

Result<std::unique_ptr<Session>> open(const TlsDoor& door, std::map<std::string, std::string> options) {
  set_log_level(LogLevel::kOff);
  options["tls"] = "on";
  options["connect_timeout"] = "1s";
  return Session::open(*read_settings("cassandra://127.0.0.1:" + std::to_string(door.port()), options), env::real_clock());
}

TEST(CassandraTls, WorksWithTheAuthorityThatIsTrusted) {
  FakeNode node;
  Identity identity("IP:127.0.0.1");
  TlsDoor door(identity, node.port());
  auto session = open(door, {{"tls_ca", identity.pem()}});
  ASSERT_TRUE(session) << session.error().message;
  node.set_script([&](const cql::Request&) -> FakeNode::Act {
    return {node.rows({{"v", cql::CqlTypeId::kText}}, {{std::string(300'000, 'x')}})};
  });
  for (int i = 0; i < 20; ++i) {
    auto reply = (*session)->query_system("SELECT v FROM big WHERE k = '" + std::string(100'000, 'y') + "'");
    ASSERT_TRUE(reply) << reply.error().message;
    EXPECT_EQ(reply->rows()->cells.size(), 300'004u);
  }
}

TEST(CassandraTls, RefusesAnotherAuthorityAndAnotherHost) {
  FakeNode node;
  Identity identity("IP:127.0.0.1"), elsewhere("DNS:example.org");
  TlsDoor door(identity, node.port()), wrong_name(elsewhere, node.port());
  auto untrusted = open(door, {{"tls_ca", elsewhere.pem()}});
  ASSERT_FALSE(untrusted);
  EXPECT_EQ(untrusted.error().code, Errc::kUnavailable);
  EXPECT_NE(untrusted.error().message.find("TLS handshake failed"), std::string::npos) << untrusted.error().message;
  auto unnamed = open(wrong_name, {{"tls_ca", elsewhere.pem()}});
  ASSERT_FALSE(unnamed);
  EXPECT_NE(unnamed.error().message.find("IP address mismatch"), std::string::npos) << unnamed.error().message;
  EXPECT_TRUE(open(wrong_name, {{"tls_ca", elsewhere.pem()}, {"tls_host", "off"}}));
  EXPECT_FALSE(open(door, {{"tls_ca", "no certificate"}}));
}

}  // namespace
}  // namespace millrace::connect::cassandra
