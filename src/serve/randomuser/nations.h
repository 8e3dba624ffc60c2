#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace millrace::serve::randomuser {

/// A word and what is left of it in an address: "José" and "jose".
struct Name {
  std::string_view text;
  std::string ascii;
};

struct Place {
  std::string_view city;
  std::string_view state;
};

/// What people of one nationality are made of. In patterns `#` is a digit, `9`
/// one from 1 to 9, `?` a capital letter.
struct Nation {
  std::string_view code;
  std::string_view country;
  std::vector<Name> men;
  std::vector<Name> women;
  std::vector<Name> last;
  std::vector<std::string_view> streets;
  std::vector<Place> places;
  std::string_view postcode;  // without letter or blank: a JSON number, as in the real API
  std::string_view phone;
  std::string_view cell;
  std::string_view id_name;  // empty: this country has none, and `value` is null
  std::string_view id_value;
};

const std::vector<Nation>& nations();
/// Null when there is none of that code (two capital letters).
const Nation* find_nation(std::string_view code);

/// Lower-case ASCII of Latin and Cyrillic letters; anything else is dropped.
std::string fold_to_ascii(std::string_view text);

}  // namespace millrace::serve::randomuser
