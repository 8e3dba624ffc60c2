#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "base/time.h"

namespace millrace::connect::cassandra {

/// Why a request has no good answer.
enum class Failure {
  kNotSent,         // no connection to a node that could take it
  kConnectionLost,  // sent, and the connection went
  kNoAnswer,        // sent, and the time ran out
  kServerError,
  kProtocolError,
  kBadCredentials,
  kUnavailable,
  kOverloaded,
  kBootstrapping,
  kTruncateError,
  kWriteTimeout,
  kReadTimeout,
  kReadFailure,
  kWriteFailure,
  kUnprepared,
  kSyntax,
  kUnauthorized,
  kInvalid,
  kConfig,
  kAlreadyExists,
};

/// The failure behind an ERROR's code (native protocol v5, section 9); an unknown one is kServerError.
Failure failure_from_code(int32_t code);
/// `write timeout`, for messages.
std::string_view failure_name(Failure failure);
/// What the caller of a request is told when it is given up.
Errc errc_of(Failure failure);

struct Attempt {
  Failure failure = Failure::kNotSent;
  bool idempotent = false;
  uint32_t tries = 1;    // sent so often, this one too
  Duration elapsed{0};   // since the first try
  Duration time_max{0};  // then it is given up
};

enum class Action { kGiveUp, kSameNode, kNextNode, kPrepare };

struct Verdict {
  Action action = Action::kGiveUp;
  Duration pause{0};       // before the next try
  bool slow_down = false;  // the server has too much to do
};

/// What to do next. Pure.
Verdict after_failure(const Attempt& attempt);

}  // namespace millrace::connect::cassandra
