#pragma once

#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::project {

/// A place in a file; line and column count from 1, the column in bytes. Line 0: the file as a whole.
struct Location {
  std::string file;
  int line = 0;
  int column = 0;

  friend auto operator<=>(const Location&, const Location&) = default;
};

/// `users.yaml:12:5`
std::string to_string(const Location& at);

enum class Severity { kError, kWarning };
std::string_view severity_name(Severity severity);

/// What is wrong in a pipeline file, where, and what to do about it. No field ever holds a secret.
struct Fault {
  std::string file;
  int line = 0;
  int column = 0;
  Severity severity = Severity::kError;
  std::string code;     // one of fault_codes(): stable, kebab-case
  std::string message;  // one sentence without the place
  std::string hint;     // the remedy

  Location at() const { return {file, line, column}; }
  friend auto operator<=>(const Fault&, const Fault&) = default;
};

struct FaultCode {
  std::string_view code;
  Severity severity;
  std::string_view what;
};

/// Every code that this room or a caller of `FaultList::add` may use, sorted by name.
std::span<const FaultCode> fault_codes();

/// Collects faults. Threading: one thread.
class FaultList {
 public:
  static constexpr size_t kMax = 1000;  // more are dropped: nobody reads on

  bool full() const { return faults_.size() >= kMax; }
  /// The severity is the code's. An unknown code is a bug and ends the process. Long messages are cut.
  void add(const Location& at, std::string_view code, std::string message, std::string hint = {});
  /// From now on no message shows this text; `***` stands for it.
  void hide(std::string secret);
  bool has_errors() const;
  /// Sorted by place, equal ones once. The list is spent.
  std::vector<Fault> take() &&;

 private:
  std::string showable(std::string text) const;

  std::vector<Fault> faults_;
  std::set<std::string> secrets_;
};

/// `file:line:column: error: message [code]`, and the hint on a line of its own.
std::string to_string(const Fault& fault);

/// The name among `known` that was probably meant by `name`; empty when none is near.
std::string_view nearest(std::string_view name, std::span<const std::string_view> known);
/// `did you mean 'x'?`, or `known: a, b, c` when none is near and they are few, or empty.
std::string suggestion(std::string_view name, std::span<const std::string_view> known);

}  // namespace millrace::project
