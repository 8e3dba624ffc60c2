#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "connect/cassandra/settings.h"

typedef struct ssl_st SSL;
typedef struct ssl_ctx_st SSL_CTX;

namespace millrace::connect::cassandra {

/// How TLS is spoken; one for all connections of a session.
class TlsContext {
 public:
  /// Null when the settings say no TLS. kInvalidArgument when tls_ca is no certificate.
  static Result<std::unique_ptr<TlsContext>> create(const Settings& settings);
  ~TlsContext();
  SSL_CTX* get() const { return context_; }
  bool checks_host() const { return checks_host_; }

 private:
  TlsContext(SSL_CTX* context, bool checks_host) : context_(context), checks_host_(checks_host) {}
  SSL_CTX* const context_;
  const bool checks_host_;
};

/// The numeric addresses of a host, in the system's order. May wait for the name service. kUnavailable when there is none.
Result<std::vector<Endpoint>> resolve(const Endpoint& endpoint);

/// A TCP connection that never waits, plain or TLS. Threading: one thread. Errors: kUnavailable.
class Socket {
 public:
  /// Begins to connect to a numeric address; `host` is what the certificate must name.
  static Result<std::unique_ptr<Socket>> connect(const Endpoint& address, const TlsContext* tls, const std::string& host);
  ~Socket();
  int descriptor() const { return descriptor_; }

  enum class Progress { kDone, kWantsRead, kWantsWrite };
  /// Goes on with connecting and the TLS handshake.
  Result<Progress> advance();
  /// Bytes read or written; 0 when that would wait.
  Result<size_t> read(char* out, size_t size);
  Result<size_t> write(std::string_view bytes);

 private:
  Socket(int descriptor, SSL* ssl) : descriptor_(descriptor), ssl_(ssl) {}
  Result<size_t> tls_result(int result, const char* what);

  const int descriptor_;
  SSL* const ssl_;
  bool connected_ = false;
};

}  // namespace millrace::connect::cassandra
