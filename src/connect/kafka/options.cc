#include "connect/kafka/options.h"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <numeric>
#include <optional>
#include <vector>

namespace millrace::connect::kafka {

namespace {

using Of = OptionDoc::Of;
constexpr OptionDoc kKnown[] = {
    {"group.id", Of::kConsumer, false, "several processes share the partitions; the query's name is appended"},
    {"group.instance.id", Of::kConsumer, false, "a name of this process that stays: restarts move no partitions"},
    {"session.timeout.ms", Of::kConsumer, false, "a member that is silent for so long loses its partitions (8000)"},
    {"heartbeat.interval.ms", Of::kConsumer, false, "how often a member says that it lives"},
    {"max.poll.interval.ms", Of::kConsumer, false, "a member that takes no records for so long loses its partitions (600000)"},
    {"isolation.level", Of::kConsumer, false, "read_committed (the default) or read_uncommitted"},
    {"fetch.min.bytes", Of::kConsumer, false, "the broker waits for so much before it answers"},
    {"fetch.wait.max.ms", Of::kConsumer, false, "but not longer than this"},
    {"fetch.max.bytes", Of::kConsumer, false, "most bytes of one answer"},
    {"fetch.message.max.bytes", Of::kConsumer, false, "most bytes of one partition in an answer"},
    {"max.partition.fetch.bytes", Of::kConsumer, false, "the same as fetch.message.max.bytes"},
    {"fetch.error.backoff.ms", Of::kConsumer, false, "pause after an answer with an error"},
    {"fetch.queue.backoff.ms", Of::kConsumer, false, "pause while the local queue is full"},
    {"queued.min.messages", Of::kConsumer, false, "records of a partition that are fetched ahead"},
    {"queued.max.messages.kbytes", Of::kConsumer, false, "most KiB that are fetched ahead"},
    {"check.crcs", Of::kConsumer, false, "check the CRC of every batch"},
    {"linger.ms", Of::kProducer, false, "a batch waits so long for more records"},
    {"queue.buffering.max.ms", Of::kProducer, false, "the same as linger.ms"},
    {"queue.buffering.max.messages", Of::kProducer, false, "most records that wait to be sent"},
    {"queue.buffering.max.kbytes", Of::kProducer, false, "most KiB that wait to be sent"},
    {"batch.size", Of::kProducer, false, "most bytes of a batch"},
    {"batch.num.messages", Of::kProducer, false, "most records of a batch"},
    {"compression.type", Of::kProducer, false, "none, gzip, snappy, lz4, zstd"},
    {"compression.codec", Of::kProducer, false, "the same as compression.type"},
    {"compression.level", Of::kProducer, false, "of the codec"},
    {"acks", Of::kProducer, false, "only all"},
    {"transaction.timeout.ms", Of::kProducer, false, "the broker rolls back a transaction that is open for so long"},
    {"message.timeout.ms", Of::kProducer, false, "a record that is not acknowledged in this time has failed"},
    {"delivery.timeout.ms", Of::kProducer, false, "the same as message.timeout.ms"},
    {"max.in.flight.requests.per.connection", Of::kProducer, false, "at most 5"},
    {"client.id", Of::kBoth, false, "the name in the broker's logs and quotas"},
    {"client.rack", Of::kBoth, false, "read from a replica in this rack"},
    {"message.max.bytes", Of::kBoth, false, "most bytes of a record that is sent"},
    {"receive.message.max.bytes", Of::kBoth, false, "most bytes of a broker's answer"},
    {"request.timeout.ms", Of::kProducer, false, "how long a broker may take to acknowledge"},
    {"retry.backoff.ms", Of::kBoth, false, "first pause before a request is sent again"},
    {"retry.backoff.max.ms", Of::kBoth, false, "longest pause before a request is sent again"},
    {"reconnect.backoff.ms", Of::kBoth, false, "first pause before a new connection"},
    {"reconnect.backoff.max.ms", Of::kBoth, false, "longest pause before a new connection"},
    {"connections.max.idle.ms", Of::kBoth, false, "close a connection that is idle for so long"},
    {"metadata.max.age.ms", Of::kBoth, false, "what is known of the cluster is asked for again after this time"},
    {"topic.metadata.refresh.interval.ms", Of::kBoth, false, "what is known of topics is asked for again after this time"},
    {"socket.timeout.ms", Of::kBoth, false, "time of a request"},
    {"socket.connection.setup.timeout.ms", Of::kBoth, false, "time of connecting and logging in"},
    {"socket.send.buffer.bytes", Of::kBoth, false, "the system's send buffer"},
    {"socket.receive.buffer.bytes", Of::kBoth, false, "the system's receive buffer"},
    {"socket.keepalive.enable", Of::kBoth, false, "TCP keep-alive"},
    {"socket.nagle.disable", Of::kBoth, false, "TCP_NODELAY"},
    {"socket.max.fails", Of::kBoth, false, "disconnect after so many timed out requests"},
    {"broker.address.ttl", Of::kBoth, false, "how long resolved addresses are kept"},
    {"broker.address.family", Of::kBoth, false, "any, v4, v6"},
    {"client.dns.lookup", Of::kBoth, false, "use_all_dns_ips or resolve_canonical_bootstrap_servers_only"},
    {"security.protocol", Of::kBoth, false, "plaintext, ssl, sasl_plaintext, sasl_ssl"},
    {"sasl.mechanism", Of::kBoth, false, "PLAIN, SCRAM-SHA-256, SCRAM-SHA-512"},
    {"sasl.mechanisms", Of::kBoth, false, "the same as sasl.mechanism"},
    {"sasl.username", Of::kBoth, false, "who logs in"},
    {"sasl.password", Of::kBoth, true, "its password"},
    {"ssl.ca.pem", Of::kBoth, false, "certificates of the authorities to trust, as PEM text"},
    {"ssl.certificate.pem", Of::kBoth, false, "this client's certificate, as PEM text"},
    {"ssl.key.pem", Of::kBoth, true, "this client's private key, as PEM text"},
    {"ssl.key.password", Of::kBoth, true, "what the private key is encrypted with"},
    {"enable.ssl.certificate.verification", Of::kBoth, false, "whether the broker must show a trusted certificate"},
    {"ssl.endpoint.identification.algorithm", Of::kBoth, false, "https: the certificate names the broker's host; none"},
    {"ssl.cipher.suites", Of::kBoth, false, "of TLS 1.2 and before"},
    {"ssl.curves.list", Of::kBoth, false, "curves of the key exchange"},
    {"ssl.sigalgs.list", Of::kBoth, false, "signature algorithms"},
};

/// Options that exist and are refused, with the reason. A name that ends in `*` stands for all that begin so, and one that begins
/// with `*` for all that end so.
struct Refused {
  std::string_view name;
  std::string_view reason;
};
constexpr Refused kRefused[] = {
    {"bootstrap.servers", "the brokers stand in the URL: kafka://host:port,host:port"},
    {"metadata.broker.list", "the brokers stand in the URL: kafka://host:port,host:port"},
    {"enable.auto.commit", "positions are committed with the results that belong to them"},
    {"auto.commit.*", "positions are committed with the results that belong to them"},
    {"enable.auto.offset.store", "positions are committed with the results that belong to them"},
    {"auto.offset.reset", "a position that is gone stops the query instead of skipping records"},
    {"enable.partition.eof", "the end of a partition must be known"},
    {"partition.assignment.strategy", "it is always cooperative-sticky"},
    {"group.protocol*", "it is always classic"},
    {"group.remote.assignor", "partitions are assigned by cooperative-sticky"},
    {"transactional.id", "it follows from the names of pipeline and query"},
    {"enable.idempotence", "it is always on"},
    {"enable.gapless.guarantee", "transactions give that already"},
    {"request.required.acks", "a record that is written must be acknowledged by all replicas in sync"},
    {"partitioner", "records with a key go where Kafka's Java clients put them (murmur2)"},
    {"allow.auto.create.topics", "topics are declared in the pipeline file"},
    {"debug", "its lines would carry records and secrets into the log"},
    {"log*", "the log is Millrace's"},
    {"statistics.interval.ms", "Millrace has metrics of its own"},
    {"plugin.library.paths", "it loads foreign code into the server"},
    {"ssl.engine.*", "it loads foreign code into the server"},
    {"ssl.providers", "it loads foreign code into the server"},
    {"ssl_engine_callback_data", "it loads foreign code into the server"},
    {"interceptor*", "it loads foreign code into the server"},
    {"*_cb", "it loads foreign code into the server"},
    {"test.mock.*", "it is for tests of the client"},
    {"sasl.kerberos.*", "it runs commands on the server's machine; PLAIN and SCRAM are there"},
    {"*.url", "it makes the server open a URL; PLAIN and SCRAM are there"},
    {"sasl.oauthbearer.*", "it fetches tokens from a URL, or reads files; PLAIN and SCRAM are there"},
    {"enable.sasl.oauthbearer*", "it is insecure; PLAIN and SCRAM are there"},
    {"https.*", "it belongs to fetching tokens from a URL; PLAIN and SCRAM are there"},
    {"ssl.keystore*", "it reads a file of the server's machine; give the PEM text in ssl.certificate.pem and ssl.key.pem"},
    {"*.location", "it reads a file of the server's machine; give the text in the option that ends in .pem"},
};

bool matches(std::string_view pattern, std::string_view name) {
  if (pattern.ends_with('*')) return name.starts_with(pattern.substr(0, pattern.size() - 1));
  if (pattern.starts_with('*')) return name.ends_with(pattern.substr(1));
  return name == pattern;
}

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

std::string nearest(std::string_view name) {
  const OptionDoc* best = &kKnown[0];
  size_t best_distance = SIZE_MAX;
  for (const OptionDoc& option : kKnown) {
    size_t distance = edit_distance(name, option.name);
    if (distance < best_distance) best = &option, best_distance = distance;
  }
  return best_distance * 3 <= name.size() ? std::string(best->name) : "";
}

Status check_host(std::string_view broker) {
  auto wrong = [](std::string message) {
    return fail(Errc::kInvalidArgument, std::move(message), "kafka://host:port,host:port");
  };
  std::string_view host = broker, port;
  if (broker.starts_with('[')) {
    size_t close = broker.find(']');
    if (close == broker.npos) return wrong("kafka: an address in the URL lacks its ]");
    host = broker.substr(1, close - 1);
    port = broker.substr(close + 1);
  } else if (size_t colon = broker.find(':'); colon != broker.npos) {
    host = broker.substr(0, colon);
    port = broker.substr(colon);
  }
  if (host.empty()) return wrong("kafka: the URL names no host");
  if (host.find_first_of("/?#% \t\r\n") != host.npos) return wrong("kafka: the URL has more than hosts and ports");
  if (port.empty()) return {};
  int number = 0;
  auto [end, fault] = std::from_chars(port.data() + 1, port.data() + port.size(), number);
  if (port[0] != ':' || fault != std::errc() || end != port.data() + port.size() || number < 1 || number > 65535) {
    return wrong(fmt::format("kafka: the port of {} in the URL is not a number from 1 to 65535", host));
  }
  return {};
}

Status check_value(const OptionDoc& option, const std::string& value) {
  if (option.name == "acks" && value != "all" && value != "-1") {
    return fail(Errc::kInvalidArgument, fmt::format("kafka option acks is {}", value), "only all keeps what was acknowledged");
  }
  std::unique_ptr<rd_kafka_conf_t, decltype(&rd_kafka_conf_destroy)> conf(rd_kafka_conf_new(), rd_kafka_conf_destroy);
  char text[512];
  if (rd_kafka_conf_set(conf.get(), std::string(option.name).c_str(), value.c_str(), text, sizeof text) == RD_KAFKA_CONF_OK) {
    return {};
  }
  if (option.secret) return fail(Errc::kInvalidArgument, fmt::format("kafka option {} has a wrong value", option.name));
  return fail(Errc::kInvalidArgument, fmt::format("kafka option {}: {}", option.name, text), std::string(option.about));
}

Status check_mechanism(const std::map<std::string, std::string>& options) {
  for (const char* name : {"sasl.mechanism", "sasl.mechanisms"}) {
    auto found = options.find(name);
    if (found == options.end()) continue;
    const std::string& value = found->second;
    if (value != "PLAIN" && value != "SCRAM-SHA-256" && value != "SCRAM-SHA-512") {
      return fail(Errc::kInvalidArgument, fmt::format("kafka option {} is {}", name, value),
                  "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512");
    }
  }
  return {};
}

}  // namespace

std::span<const OptionDoc> known_options() { return kKnown; }

Result<std::string> bootstrap_servers(std::string_view url) {
  constexpr std::string_view kScheme = "kafka://";
  if (!url.starts_with(kScheme)) {
    return fail(Errc::kInvalidArgument, "kafka: the URL does not begin with kafka://", "kafka://host:port,host:port");
  }
  std::string_view hosts = url.substr(kScheme.size());
  if (hosts.ends_with('/')) hosts.remove_suffix(1);
  if (hosts.find('@') != hosts.npos) {
    return fail(Errc::kInvalidArgument, "kafka: the URL has a login in it", "set the options sasl.username and sasl.password");
  }
  std::string servers(hosts);
  for (bool more = true; more;) {
    size_t comma = hosts.find(',');
    TRY_DO(check_host(hosts.substr(0, comma)));
    more = comma != hosts.npos;
    if (more) hosts.remove_prefix(comma + 1);
  }
  return servers;
}

Status check_options(const std::string& url, const std::map<std::string, std::string>& options) {
  TRY_DO(bootstrap_servers(url));
  for (const auto& [name, value] : options) {
    const auto* known = std::ranges::find(kKnown, std::string_view(name), &OptionDoc::name);
    if (known != std::end(kKnown)) {
      TRY_DO(check_value(*known, value));
      continue;
    }
    for (const Refused& refused : kRefused) {
      if (matches(refused.name, name)) {
        return fail(Errc::kInvalidArgument, fmt::format("kafka option {} cannot be set", name), std::string(refused.reason));
      }
    }
    std::string near = nearest(name);
    return fail(Errc::kInvalidArgument, fmt::format("kafka has no option {}", name),
                near.empty() ? "" : fmt::format("did you mean {}?", near));
  }
  return check_mechanism(options);
}

}  // namespace millrace::connect::kafka
