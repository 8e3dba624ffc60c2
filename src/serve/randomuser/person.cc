#include "serve/randomuser/person.h"

#include <array>
#include <charconv>

namespace millrace::serve::randomuser {
namespace {

constexpr std::array<std::string_view, 12> kAdjectives = {"sad",  "happy", "golden", "silver", "big",   "tiny",
                                                          "lazy", "angry", "blue",   "purple", "white", "heavy"};
constexpr std::array<std::string_view, 12> kAnimals = {"wolf",  "bear",  "koala",   "tiger", "swan", "mouse",
                                                       "panda", "goose", "leopard", "duck",  "fish", "snake"};

// Born 1945-2001, registered 2002-2022: fixed, so that a seed's people do not
// change with the clock.
constexpr int64_t kBornFirst = -788918400, kBornSeconds = 56LL * 365 * 86400;
constexpr int64_t kRegisteredFirst = 1009843200, kRegisteredSeconds = 21LL * 365 * 86400;

Instant moment(Dice& dice, int64_t first, int64_t span) {
  uint64_t millis = dice.below(static_cast<uint64_t>(span) * 1000);
  return instant_from_millis(first * 1000 + static_cast<int64_t>(millis));
}

void append_digits(std::string& out, uint64_t n, int width) {
  char digits[20];
  for (int i = width - 1; i >= 0; --i, n /= 10) digits[i] = static_cast<char>('0' + n % 10);
  out.append(digits, static_cast<size_t>(width));
}

}  // namespace

uint64_t hash_seed(std::string_view seed) {
  uint64_t h = 0xcbf29ce484222325;
  for (char c : seed) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return h;
}

Person make_person(uint64_t seed, uint64_t page, uint64_t index, std::span<const Nation* const> from, const bool* female) {
  Dice dice(Dice(Dice(seed).next() ^ page * 0x9e3779b97f4a7c15).next() + index * 0xd1b54a32d192ed03);
  const Nation* nation = dice.pick(from);
  bool drawn_female = (dice.next() & 1) != 0;  // drawn in any case: `gender` does not change the rest
  bool is_female = female != nullptr ? *female : drawn_female;
  Person person{.nation = nation,
                .female = is_female,
                .title = !is_female ? "Mr" : std::array<std::string_view, 3>{"Ms", "Mrs", "Miss"}[dice.below(3)],
                .first = nullptr,
                .last = nullptr,
                .place = nullptr,
                .street = {},
                .street_number = 0,
                .handle_number = 0,
                .animal = 0,
                .portrait = 0,
                .born = {},
                .registered = {},
                .uuid = {},
                .dice = Dice(0)};
  person.first = &dice.pick(std::span<const Name>(is_female ? nation->women : nation->men));
  person.last = &dice.pick(std::span<const Name>(nation->last));
  person.place = &dice.pick(std::span<const Place>(nation->places));
  person.street = dice.pick(std::span<const std::string_view>(nation->streets));
  person.street_number = 1 + dice.below(9999);
  person.handle_number = 100 + dice.below(900);
  person.animal = dice.next();
  person.portrait = dice.below(100);
  person.born = moment(dice, kBornFirst, kBornSeconds);
  person.registered = moment(dice, kRegisteredFirst, kRegisteredSeconds);
  uint64_t halves[2] = {dice.next(), dice.next()};
  static_assert(sizeof halves == sizeof person.uuid.bytes);
  for (size_t i = 0; i < 16; ++i) person.uuid.bytes[i] = static_cast<uint8_t>(halves[i / 8] >> (i % 8 * 8));
  person.uuid.bytes[6] = static_cast<uint8_t>((person.uuid.bytes[6] & 0x0f) | 0x40);
  person.uuid.bytes[8] = static_cast<uint8_t>((person.uuid.bytes[8] & 0x3f) | 0x80);
  person.dice = dice;
  return person;
}

void append_pattern(std::string& out, std::string_view pattern, Dice& dice) {
  uint64_t chance = 0, left = 0;
  auto below = [&](uint64_t n) {
    if (left < 26) {
      chance = dice.next();
      left = UINT64_MAX;
    }
    uint64_t drawn = chance % n;
    chance /= n;
    left /= n;
    return drawn;
  };
  for (char c : pattern) {
    if (c == '#')
      out += static_cast<char>('0' + below(10));
    else if (c == '9')
      out += static_cast<char>('1' + below(9));
    else if (c == '?')
      out += static_cast<char>('A' + below(26));
    else
      out += c;
  }
}

void append_number(std::string& out, uint64_t n) {
  char digits[20];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, n).ptr);
}

void append_instant(std::string& out, Instant t) {
  using namespace std::chrono;
  auto day = floor<days>(t);
  year_month_day date(day);
  auto millis = static_cast<uint64_t>(duration_cast<milliseconds>(t - day).count());
  append_digits(out, static_cast<uint64_t>(static_cast<int>(date.year())), 4);
  out += '-';
  append_digits(out, static_cast<unsigned>(date.month()), 2);
  out += '-';
  append_digits(out, static_cast<unsigned>(date.day()), 2);
  out += 'T';
  append_digits(out, millis / 3'600'000, 2);
  out += ':';
  append_digits(out, millis / 60'000 % 60, 2);
  out += ':';
  append_digits(out, millis / 1000 % 60, 2);
  out += '.';
  append_digits(out, millis % 1000, 3);
  out += 'Z';
}

void append_uuid(std::string& out, const Uuid& uuid) {
  static constexpr char kHex[] = "0123456789abcdef";
  char text[36];
  size_t n = 0;
  for (size_t i = 0; i < 16; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text[n++] = '-';
    text[n++] = kHex[uuid.bytes[i] >> 4];
    text[n++] = kHex[uuid.bytes[i] & 15];
  }
  out.append(text, n);
}

void append_username(std::string& out, const Person& person) {
  out += kAdjectives[person.animal % kAdjectives.size()];
  out += kAnimals[person.animal / kAdjectives.size() % kAnimals.size()];
  append_number(out, person.handle_number);
}

void append_portrait(std::string& out, const Person& person, std::string_view folder) {
  out += "https://randomuser.me/api/portraits/";
  out += folder;
  out += person.female ? "women/" : "men/";
  append_number(out, person.portrait);
  out += ".jpg";
}

}  // namespace millrace::serve::randomuser
