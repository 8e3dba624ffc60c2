#include "base/result.h"

namespace millrace {

std::string_view errc_name(Errc code) {
  switch (code) {
    case Errc::kInvalidArgument: return "invalid_argument";
    case Errc::kNotFound: return "not_found";
    case Errc::kAlreadyExists: return "already_exists";
    case Errc::kFailedPrecondition: return "failed_precondition";
    case Errc::kOutOfRange: return "out_of_range";
    case Errc::kPermissionDenied: return "permission_denied";
    case Errc::kResourceExhausted: return "resource_exhausted";
    case Errc::kDiskFull: return "disk_full";
    case Errc::kDeadlineExceeded: return "deadline_exceeded";
    case Errc::kCancelled: return "cancelled";
    case Errc::kUnavailable: return "unavailable";
    case Errc::kUnimplemented: return "unimplemented";
    case Errc::kCorruption: return "corruption";
    case Errc::kIo: return "io";
    case Errc::kFenced: return "fenced";
    case Errc::kDataLoss: return "data_loss";
    case Errc::kInternal: return "internal";
  }
  return "unknown";
}

}  // namespace millrace
