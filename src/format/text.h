#pragma once

#include <string_view>

#include "base/result.h"
#include "model/column_builder.h"

namespace millrace::format {

/// Reads `text` as one value of the column's type and appends it; texts are copied. The rules are those of DuckDB 1.4's CAST,
/// less its extras (no `1.5` or `1e3` or `0x10` for an integer: those are refused, not rounded):
///   boolean      true false t f yes no y n 1 0, in either case
///   integers     an optional sign and decimal digits, range checked
///   decimal      `12.5`, `.5`, `-1.25e3`; more fraction digits than the scale are rounded, half away from zero
///   float double as from_chars, `nan`, `inf`, `infinity`; too large is an error, too small is 0
///   uuid         32 hexadecimal digits, with hyphens and in braces or not
///   date         2026-01-31; a time of day behind it is checked and dropped; `infinity`
///   time         08:00, 08:00:01.5; `24:00:00` is the end of the day
///   timestamp    date, `T` or a space, time; a zone is checked and dropped, as CAST does; fraction digits beyond six are cut
///   timestamptz  the same, the zone is applied; no zone means UTC
///   blob         ASCII, any other byte as `\xAA`
///   text         as it is; must be UTF-8
///   list struct  JSON text, by the rules of json_columns.h
/// White space around a number, date, time or uuid is ignored.
/// Errors: kInvalidArgument says what was expected and shows the text, shortened; the column is as it was. An interval cannot be
/// read.
Status append_text_as(model::ColumnBuilder& column, std::string_view text);

}  // namespace millrace::format
