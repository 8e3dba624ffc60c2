#include "connect/cassandra/connection.h"

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/check.h"
#include "codec/cql/request.h"
#include "codec/cql/response.h"
#include "codec/cql/segment.h"

namespace millrace::connect::cassandra {
namespace {

constexpr size_t kReadBytes = 256 << 10;
constexpr size_t kStreamAt = 2;  // in the header

Error error_of(const cql::Envelope& envelope, const Endpoint& node) {
  auto response = cql::decode_response(envelope);
  if (!response) return response.error();
  const auto* error = std::get_if<cql::ErrorResponse>(&*response);
  if (error == nullptr)
    return {Errc::kUnavailable,
            fmt::format("{} answered the handshake with {}", to_text(node), cql::opcode_name(envelope.opcode)), ""};
  Errc code = error->code == cql::ErrorCode::kBadCredentials ? Errc::kPermissionDenied : Errc::kUnavailable;
  return {code, fmt::format("{}: {}", to_text(node), error->message),
          code == Errc::kPermissionDenied ? "look at the options user and password" : ""};
}

}  // namespace

Result<std::unique_ptr<Connection>> Connection::open(const Settings& settings, const TlsContext* tls, cql::Version version,
                                                     const Endpoint& address, const std::string& host, Duration now) {
  TRY(auto socket, Socket::connect(address, tls, host));
  return std::unique_ptr<Connection>(new Connection(settings, version, address, std::move(socket), now));
}

Connection::Connection(const Settings& settings, cql::Version version, Endpoint address, std::unique_ptr<Socket> socket,
                       Duration now)
    : settings_(settings),
      version_(version),
      address_(std::move(address)),
      opened_at_(now),
      socket_(std::move(socket)),
      // Twice the window: ids of requests that were given up stay reserved.
      slots_(std::min<size_t>(2 * settings.in_flight_max + 64, 32768)),
      heard_(now) {
  for (size_t i = slots_.size(); i > 0; --i) free_.push_back(static_cast<int16_t>(i - 1));
}

int16_t Connection::reserve(Duration now) {
  int16_t stream = free_.back();
  free_.pop_back();
  slots_[static_cast<size_t>(stream)] = {nullptr, now, true};
  return stream;
}

void Connection::send(std::unique_ptr<Request> request, Duration now) {
  CHECK(ready() && !free_.empty(), "a request for a connection that cannot take it");
  int16_t stream = reserve(now);
  size_t at = out_.size();
  out_ += request->bytes;
  store_be(out_.data() + at + kStreamAt, stream);
  if (!segments_ && settings_.lz4) cql::compress_envelope(out_, at);
  request->sent = now;
  slots_[static_cast<size_t>(stream)].request = std::move(request);
}

Status Connection::flush() {
  if (!out_.empty()) {
    if (segments_) {
      cql::append_segments(wire_, out_, settings_.lz4 ? cql::Compression::kLz4 : cql::Compression::kNone);
    } else {
      wire_ += out_;
    }
    out_.clear();
  }
  while (wire_at_ < wire_.size()) {
    TRY(size_t written, socket_->write(std::string_view(wire_).substr(wire_at_)));
    wire_at_ += written;
    if (written == 0) {
      wants_write_ = true;
      return {};
    }
  }
  wire_.clear();
  wire_at_ = 0;
  wants_write_ = false;
  return {};
}

Status Connection::connected() {
  TRY(Socket::Progress progress, socket_->advance());
  wants_write_ = progress == Socket::Progress::kWantsWrite;
  if (progress != Socket::Progress::kDone) return {};
  state_ = State::kStarting;
  cql::StartupRequest startup;
  startup.options = {{"CQL_VERSION", "3.0.0"}, {"DRIVER_NAME", "Millrace"}, {"THROW_ON_OVERLOAD", "1"}};
  if (settings_.lz4) startup.options.emplace_back("COMPRESSION", "lz4");
  // READY may come compressed already.
  if (settings_.lz4 && version_ != cql::Version::kV5) reader_.use_body_compression();
  cql::encode(out_, version_, 0, startup);
  return flush();
}

Status Connection::writable() { return state_ == State::kConnecting ? connected() : flush(); }

Status Connection::receive(Listener& listener, Duration now) {
  if (state_ == State::kConnecting) {
    TRY_DO(connected());
    if (state_ == State::kConnecting) return {};
  }
  thread_local std::string buffer(kReadBytes, '\0');
  while (true) {
    TRY(size_t size, socket_->read(buffer.data(), buffer.size()));
    if (size == 0) return {};
    heard_ = now;
    reader_.feed(std::string_view(buffer).substr(0, size));
    while (true) {
      TRY(auto envelope, reader_.next());
      if (!envelope) break;
      TRY_DO(take(listener, *envelope));
    }
    if (size < buffer.size()) return {};
  }
}

Status Connection::take(Listener& listener, cql::Envelope& envelope) {
  if (!envelope.response) return fail(Errc::kCorruption, fmt::format("{} sent a request", to_text(address_)));
  if (state_ != State::kReady) return shake_hands(listener, envelope);
  TRY_DO(cql::read_prefix(envelope));
  if (envelope.stream == cql::kEventStream) {
    listener.on_event(envelope);
    return {};
  }
  auto stream = static_cast<size_t>(envelope.stream);
  if (envelope.stream < 0 || stream >= slots_.size() || !slots_[stream].used)
    return fail(Errc::kCorruption,
                fmt::format("{} answered on stream {}, which nobody asked on", to_text(address_), envelope.stream));
  std::unique_ptr<Request> request = std::move(slots_[stream].request);
  slots_[stream].used = false;
  free_.push_back(envelope.stream);
  if (request != nullptr) {
    listener.on_answer(*this, std::move(request), envelope);
  } else if (envelope.stream == heartbeat_) {
    heartbeat_ = -1;
  } else {
    --orphans_;
  }
  return {};
}

Status Connection::shake_hands(Listener& listener, const cql::Envelope& envelope) {
  cql::Envelope message = envelope;
  if (envelope.version() && *envelope.version() == version_) TRY_DO(cql::read_prefix(message));
  switch (message.opcode) {
    case cql::Opcode::kReady:
    case cql::Opcode::kAuthSuccess:
      if (state_ == State::kStarting) use_segments();
      become_ready(listener);
      return {};
    case cql::Opcode::kAuthenticate: return log_in();
    case cql::Opcode::kError: break;
    default: return fail(error_of(message, address_));
  }
  // The answer to a version that the server does not speak comes in the version that it does.
  auto response = message.version() ? cql::decode_response(message) : Result<cql::Response>(fail(Errc::kCorruption, ""));
  const auto* error = response ? std::get_if<cql::ErrorResponse>(&*response) : nullptr;
  version_refused_ = state_ == State::kStarting && (error == nullptr || error->code == cql::ErrorCode::kProtocol);
  if (error == nullptr)
    return fail(Errc::kUnavailable, fmt::format("{} speaks another version of the protocol", to_text(address_)));
  return fail(error_of(message, address_));
}

Status Connection::log_in() {
  if (settings_.user.empty())
    return fail(Errc::kPermissionDenied, fmt::format("{} wants a login", to_text(address_)), "set the options user and password");
  use_segments();
  state_ = State::kLoggingIn;
  std::string token = cql::plain_token(settings_.user, settings_.password);
  cql::encode(out_, version_, 0, cql::AuthResponseRequest{token});
  return flush();
}

void Connection::use_segments() {
  if (version_ != cql::Version::kV5) return;
  reader_.use_segments(settings_.lz4 ? cql::Compression::kLz4 : cql::Compression::kNone);
  segments_ = true;
}

void Connection::become_ready(Listener& listener) {
  state_ = State::kReady;
  listener.on_ready(*this);
}

Status Connection::take_overdue(Duration now, Duration limit, std::vector<std::unique_ptr<Request>>& out) {
  if (state_ != State::kReady) {
    if (now - opened_at_ < settings_.connect_timeout) return {};
    return fail(Errc::kUnavailable, fmt::format("{} does not answer", to_text(address_)));
  }
  for (Slot& slot : slots_) {
    if (slot.request == nullptr || now - slot.sent < limit) continue;
    out.push_back(std::move(slot.request));
    ++orphans_;
  }
  if (orphans_ * 4 > slots_.size())
    return fail(Errc::kUnavailable, fmt::format("{} leaves {} requests unanswered", to_text(address_), orphans_));
  if (heartbeat_ >= 0 && now - heartbeat_at_ > limit && now - heard_ > limit)
    return fail(Errc::kUnavailable, fmt::format("{} is silent", to_text(address_)));
  if (heartbeat_ < 0 && now - heard_ > kIdleMax && !free_.empty()) {
    heartbeat_at_ = now;
    heartbeat_ = reserve(now);
    cql::encode(out_, version_, heartbeat_, cql::OptionsRequest{});
    return flush();
  }
  return {};
}

std::vector<std::unique_ptr<Request>> Connection::take_waiting() {
  std::vector<std::unique_ptr<Request>> all;
  for (Slot& slot : slots_) {
    if (slot.request != nullptr) all.push_back(std::move(slot.request));
  }
  for (auto& [id, requests] : unprepared) {
    for (auto& request : requests) all.push_back(std::move(request));
  }
  unprepared.clear();
  return all;
}

}  // namespace millrace::connect::cassandra
