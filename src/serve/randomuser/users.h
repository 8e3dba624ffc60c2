#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"

namespace millrace::serve::randomuser {

enum Field : uint16_t {
  kGender = 1 << 0,
  kName = 1 << 1,
  kLocation = 1 << 2,
  kEmail = 1 << 3,
  kLogin = 1 << 4,
  kDob = 1 << 5,
  kRegistered = 1 << 6,
  kPhone = 1 << 7,
  kCell = 1 << 8,
  kId = 1 << 9,
  kPicture = 1 << 10,
  kNat = 1 << 11,
  kAllFields = (1 << 12) - 1,
};

/// The bit of a field's name in `inc` and `exc`; nullopt for a name the API
/// does not have.
std::optional<Field> field_by_name(std::string_view name);

inline constexpr int kResultsMax = 5000;

/// One request to the API, as randomuser.me 1.4 documents its parameters.
struct UserOptions {
  std::string seed;
  int page = 1;
  int results = 1;
  std::vector<std::string> nationalities;  // upper case; empty: all. Unknown
                                           // ones are ignored, as there.
  std::optional<bool> female;              // empty: either
  uint16_t fields = kAllFields;
  bool info = true;
  bool pretty = false;
  Instant now;  // ages are counted up to here
};

/// `{"results":[…],"info":{…}}`. A pure function: the same people for the same
/// seed, page and index.
std::string random_users_json(const UserOptions& options);

/// The same person as user `index` of page 1, in the flat form with 12 text
/// fields that the well-known pipelines store (about 440 bytes): id,
/// first_name, last_name, gender, address, post_code, email, username, dob,
/// registered_date, phone, picture.
std::string flat_user_json(uint64_t seed, uint64_t index);

/// Two letters each.
std::vector<std::string_view> nationalities();

}  // namespace millrace::serve::randomuser
