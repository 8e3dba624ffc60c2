#include "connect/cassandra/retry.h"

#include <algorithm>
#include <array>

namespace millrace::connect::cassandra {
namespace {

constexpr Duration kPauseMin = std::chrono::milliseconds(20);
constexpr Duration kPauseMax = std::chrono::seconds(2);
/// Rows after rows that the node has forgotten its statement again: something drops statements as fast as they are prepared.
constexpr uint32_t kPreparesMax = 8;

/// When another try makes sense.
enum class Again {
  kNever,
  kAlways,        // nothing was done by the server
  kIfIdempotent,  // it may have been done
};

struct Rule {
  Failure failure;
  int32_t code;  // -1: not an answer
  std::string_view name;
  Errc errc;
  Again again;
  Action action;
  bool slow_down;
};

constexpr std::array<Rule, 20> kRules{{
    {Failure::kNotSent, -1, "no connection", Errc::kUnavailable, Again::kAlways, Action::kNextNode, false},
    {Failure::kConnectionLost, -1, "connection lost", Errc::kUnavailable, Again::kIfIdempotent, Action::kNextNode, false},
    {Failure::kNoAnswer, -1, "no answer in time", Errc::kUnavailable, Again::kIfIdempotent, Action::kNextNode, true},
    {Failure::kServerError, 0x0000, "server error", Errc::kUnavailable, Again::kIfIdempotent, Action::kNextNode, false},
    {Failure::kProtocolError, 0x000A, "protocol error", Errc::kInternal, Again::kNever, Action::kGiveUp, false},
    {Failure::kBadCredentials, 0x0100, "login refused", Errc::kPermissionDenied, Again::kNever, Action::kGiveUp, false},
    {Failure::kUnavailable, 0x1000, "too few replicas are alive", Errc::kUnavailable, Again::kAlways, Action::kNextNode, false},
    {Failure::kOverloaded, 0x1001, "overloaded", Errc::kUnavailable, Again::kAlways, Action::kNextNode, true},
    {Failure::kBootstrapping, 0x1002, "node is bootstrapping", Errc::kUnavailable, Again::kAlways, Action::kNextNode, false},
    {Failure::kTruncateError, 0x1003, "truncate failed", Errc::kUnavailable, Again::kIfIdempotent, Action::kNextNode, false},
    {Failure::kWriteTimeout, 0x1100, "write timeout", Errc::kUnavailable, Again::kIfIdempotent, Action::kSameNode, true},
    {Failure::kReadTimeout, 0x1200, "read timeout", Errc::kUnavailable, Again::kIfIdempotent, Action::kSameNode, true},
    {Failure::kReadFailure, 0x1300, "read failure", Errc::kUnavailable, Again::kIfIdempotent, Action::kNextNode, false},
    {Failure::kWriteFailure, 0x1500, "write failure", Errc::kUnavailable, Again::kIfIdempotent, Action::kNextNode, false},
    {Failure::kUnprepared, 0x2500, "statement is not prepared", Errc::kUnavailable, Again::kAlways, Action::kPrepare, false},
    {Failure::kSyntax, 0x2000, "syntax error", Errc::kInvalidArgument, Again::kNever, Action::kGiveUp, false},
    {Failure::kUnauthorized, 0x2100, "not permitted", Errc::kPermissionDenied, Again::kNever, Action::kGiveUp, false},
    {Failure::kInvalid, 0x2200, "invalid", Errc::kFailedPrecondition, Again::kNever, Action::kGiveUp, false},
    {Failure::kConfig, 0x2300, "refused settings", Errc::kFailedPrecondition, Again::kNever, Action::kGiveUp, false},
    {Failure::kAlreadyExists, 0x2400, "exists already", Errc::kAlreadyExists, Again::kNever, Action::kGiveUp, false},
}};

const Rule& rule_of(Failure failure) {
  return *std::find_if(kRules.begin(), kRules.end(), [&](const Rule& rule) { return rule.failure == failure; });
}

}  // namespace

Failure failure_from_code(int32_t code) {
  for (const Rule& rule : kRules) {
    if (rule.code == code && rule.code >= 0) return rule.failure;
  }
  return Failure::kServerError;
}

std::string_view failure_name(Failure failure) { return rule_of(failure).name; }
Errc errc_of(Failure failure) { return rule_of(failure).errc; }

Verdict after_failure(const Attempt& attempt) {
  const Rule& rule = rule_of(attempt.failure);
  Verdict verdict{rule.action, Duration(0), rule.slow_down};
  bool may = rule.again == Again::kAlways || (rule.again == Again::kIfIdempotent && attempt.idempotent);
  bool prepares_for_ever = rule.action == Action::kPrepare && attempt.tries > kPreparesMax;
  if (!may || prepares_for_ever || attempt.elapsed >= attempt.time_max) {
    verdict.action = Action::kGiveUp;
    return verdict;
  }
  if (rule.action == Action::kPrepare) return verdict;
  // The first try elsewhere costs nothing when one node is ill; after that all are given time.
  bool at_once =
      rule.action == Action::kNextNode && attempt.tries == 1 && !rule.slow_down && attempt.failure != Failure::kNotSent;
  if (!at_once) verdict.pause = std::min(kPauseMax, kPauseMin * (int64_t{1} << std::min<uint32_t>(attempt.tries, 10)));
  return verdict;
}

}  // namespace millrace::connect::cassandra
