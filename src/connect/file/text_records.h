#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::connect::file {

/// How many bytes the first record takes, its line end included; nullopt when the end is not among `bytes`. A record is a line;
/// one of CSV (RFC 4180) may have line ends between quotes.
std::optional<size_t> record_size(std::string_view bytes, bool csv);

/// `record` without its LF or CR LF.
std::string_view without_line_end(std::string_view record);

/// The fields of a CSV record without its line end; nullopt in the vector: an empty field without quotes. No vector: a quote that
/// does not belong there.
std::optional<std::vector<std::optional<std::string>>> csv_fields(std::string_view record);

/// The record as a JSON object of texts, empty fields null; nullopt when it has other fields than the header names.
std::optional<std::string> csv_to_json(const std::vector<std::string>& header, std::string_view record);

/// `*` and `?` stand for any characters but a leading dot.
bool matches_pattern(std::string_view pattern, std::string_view name);

}  // namespace millrace::connect::file
