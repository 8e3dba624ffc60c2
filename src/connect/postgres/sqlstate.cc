#include "connect/postgres/sqlstate.h"

namespace millrace::connect::postgres {

Errc code_of_sqlstate(std::string_view sqlstate) {
  std::string_view group = sqlstate.substr(0, 2);
  if (sqlstate == "42501" || group == "28") return Errc::kPermissionDenied;
  if (sqlstate == "3D000") return Errc::kNotFound;
  if (sqlstate == "53100") return Errc::kDiskFull;
  // Going down, starting up, too many connections; a standby; a lock, a deadlock or a time limit of the server.
  if (group == "08" || group == "57" || group == "53" || group == "40" || sqlstate == "25006" || sqlstate == "55P03" ||
      sqlstate == "25P03" || sqlstate == "58000")
    return Errc::kUnavailable;
  if (group == "58") return Errc::kIo;
  if (group == "XX") return sqlstate == "XX000" ? Errc::kInternal : Errc::kCorruption;
  if (is_data_fault(sqlstate)) return Errc::kInvalidArgument;
  return Errc::kFailedPrecondition;
}

bool is_data_fault(std::string_view sqlstate) {
  std::string_view group = sqlstate.substr(0, 2);
  // 21: a command cannot change a row twice; 44: the check of a view; 54: a value too large for an index; P0: RAISE of a trigger.
  return group == "22" || group == "23" || group == "21" || group == "44" || group == "54" || group == "P0";
}

bool is_conflict(std::string_view sqlstate) { return sqlstate == "40001" || sqlstate == "40P01" || sqlstate == "55P03"; }

}  // namespace millrace::connect::postgres
