#pragma once

#include <string_view>

namespace millrace {

/// The facade of the log: one line on stderr a call, `time level room: message`. Values go to the end as key=value. Never log
/// secrets.
enum class LogLevel { kDebug, kInfo, kWarn, kError, kOff };

void set_log_level(LogLevel level);
/// `room` is the folder that speaks: "log", "dag", "http".
void log_line(LogLevel level, std::string_view room, std::string_view message);

inline void log_debug(std::string_view room, std::string_view message) { log_line(LogLevel::kDebug, room, message); }
inline void log_info(std::string_view room, std::string_view message) { log_line(LogLevel::kInfo, room, message); }
inline void log_warn(std::string_view room, std::string_view message) { log_line(LogLevel::kWarn, room, message); }
inline void log_error(std::string_view room, std::string_view message) { log_line(LogLevel::kError, room, message); }

}  // namespace millrace
