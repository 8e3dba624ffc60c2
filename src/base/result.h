#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace millrace {

/// The canonical error codes. Each door owns one total switch from these to its own codes.
enum class Errc {
  kInvalidArgument,     // the caller's input is wrong whatever the state
  kNotFound,            // the named thing does not exist
  kAlreadyExists,       // the named thing exists, and should not
  kFailedPrecondition,  // right input, wrong state: mend the state first
  kOutOfRange,          // offset or position outside of what is kept
  kPermissionDenied,    // refused by a rule
  kResourceExhausted,   // a limit: memory, descriptors, queue, size of an input
  kDiskFull,            // no room on the disk: passes when somebody frees some
  kDeadlineExceeded,    // a time limit
  kCancelled,           // stopped on request
  kUnavailable,         // the other side does not answer; a later try may succeed
  kUnimplemented,       // not in this version
  kCorruption,          // bytes on disk or wire are not what was written
  kIo,                  // the operating system refused
  kFenced,              // somebody newer owns it
  kDataLoss,            // data that should be there is gone
  kInternal,            // a bug
};

std::string_view errc_name(Errc code);

/// What went wrong, where, and what to do about it. `message` is one sentence that names the place (file:line, or
/// topic/partition/offset); `hint` is the remedy and may be empty.
struct Error {
  Errc code = Errc::kInternal;
  std::string message;
  std::string hint;
};

/// A value or an Error. Exceptions stay inside the room that owns a throwing library.
template <class T = void>
class [[nodiscard]] Result : public tl::expected<T, Error> {
 public:
  using tl::expected<T, Error>::expected;
};

using Status = Result<void>;

/// Builds the failing side of any Result: `return fail(Errc::kNotFound, "topic t does not exist");`
inline tl::unexpected<Error> fail(Errc code, std::string message, std::string hint = {}) {
  return tl::unexpected<Error>(Error{code, std::move(message), std::move(hint)});
}
inline tl::unexpected<Error> fail(Error error) { return tl::unexpected<Error>(std::move(error)); }

/// The same error with `where` put before its message, for a caller who knows more of the place.
inline Error at(std::string_view where, Error error) {
  error.message = std::string(where) + ": " + error.message;
  return error;
}

}  // namespace millrace

#define MILLRACE_JOIN_(a, b) a##b
#define MILLRACE_JOIN(a, b) MILLRACE_JOIN_(a, b)

/// `TRY(auto x, f());` declares x with f's value, or returns f's error.
#define TRY(declaration, expression) TRY_(MILLRACE_JOIN(try_, __LINE__), declaration, expression)
#define TRY_(name, declaration, expression)                                       \
  auto name = (expression);                                                       \
  if (!name) return ::tl::unexpected<::millrace::Error>(std::move(name.error())); \
  declaration = std::move(*name)

/// `TRY_DO(f());` returns f's error, or goes on.
#define TRY_DO(expression)                                                              \
  do {                                                                                  \
    auto try_do = (expression);                                                         \
    if (!try_do) return ::tl::unexpected<::millrace::Error>(std::move(try_do.error())); \
  } while (false)
