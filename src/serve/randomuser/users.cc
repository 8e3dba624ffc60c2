#include "serve/randomuser/users.h"

#include <array>

#include "format/json_doc.h"
#include "serve/randomuser/person.h"

namespace millrace::serve::randomuser {
namespace {

constexpr std::array<std::pair<std::string_view, Field>, 12> kFields = {{{"gender", kGender},
                                                                         {"name", kName},
                                                                         {"location", kLocation},
                                                                         {"email", kEmail},
                                                                         {"login", kLogin},
                                                                         {"dob", kDob},
                                                                         {"registered", kRegistered},
                                                                         {"phone", kPhone},
                                                                         {"cell", kCell},
                                                                         {"id", kId},
                                                                         {"picture", kPicture},
                                                                         {"nat", kNat}}};

constexpr std::array<std::pair<std::string_view, std::string_view>, 8> kTimezones = {
    {{"-8:00", "Pacific Time (US & Canada)"},
     {"-5:00", "Eastern Time (US & Canada), Bogota, Lima"},
     {"-3:00", "Brazil, Buenos Aires, Georgetown"},
     {"0:00", "Western Europe Time, London, Lisbon, Casablanca"},
     {"+1:00", "Brussels, Copenhagen, Madrid, Paris"},
     {"+2:00", "Kaliningrad, South Africa"},
     {"+9:30", "Adelaide, Darwin"},
     {"+10:00", "Eastern Australia, Guam, Vladivostok"}}};

/// Writes one user's JSON. Names and places hold nothing that JSON would have
/// to escape, so they are appended as they are.
class UserWriter {
 public:
  UserWriter(std::string& out, Person& person, Instant now) : out_(out), person_(person), now_(now) {}

  void write(uint16_t fields) {
    out_ += '{';
    if (fields & kGender) text("gender", person_.female ? "female" : "male");
    if (fields & kName) name();
    if (fields & kLocation) location();
    if (fields & kEmail) email();
    if (fields & kLogin) login();
    if (fields & kDob) date_and_age("dob", person_.born);
    if (fields & kRegistered) date_and_age("registered", person_.registered);
    // Each of the rest draws from dice of its own, so that leaving one out does
    // not change another.
    if (fields & kPhone) pattern("phone", person_.nation->phone, 1);
    if (fields & kCell) pattern("cell", person_.nation->cell, 2);
    if (fields & kId) id();
    if (fields & kPicture) picture();
    if (fields & kNat) text("nat", person_.nation->code);
    close('}');
  }

 private:
  Dice dice(uint64_t which) const {
    Dice copy = person_.dice;
    return Dice(copy.next() + which * 0xd1b54a32d192ed03);
  }
  void key(std::string_view name) {
    out_ += '"';
    out_ += name;
    out_ += "\":";
  }
  void open(std::string_view name) {
    key(name);
    out_ += '{';
  }
  /// Puts the bracket in place of the last comma.
  void close(char bracket) {
    if (out_.back() == ',') out_.pop_back();
    out_ += bracket;
  }
  void end() {
    close('}');
    out_ += ',';
  }
  template <class... Parts>
  void text(std::string_view name, Parts... parts) {
    key(name);
    out_ += '"';
    (out_ += ... += parts);
    out_ += "\",";
  }
  void number(std::string_view name, uint64_t n) {
    key(name);
    append_number(out_, n);
    out_ += ',';
  }
  void pattern(std::string_view name, std::string_view form, uint64_t which) {
    Dice own = dice(which);
    key(name);
    out_ += '"';
    append_pattern(out_, form, own);
    out_ += "\",";
  }
  void hex(std::string_view name, size_t digits, Dice& own) {
    static constexpr char kHex[] = "0123456789abcdef";
    key(name);
    out_ += '"';
    for (size_t i = 0; i < digits; i += 8) {
      uint64_t chance = own.next();
      for (int j = 0; j < 8; ++j, chance >>= 4) out_ += kHex[chance & 15];
    }
    out_ += "\",";
  }

  void name() {
    open("name");
    text("title", person_.title);
    text("first", person_.first->text);
    text("last", person_.last->text);
    end();
  }

  void location() {
    Dice own = dice(3);
    open("location");
    open("street");
    number("number", person_.street_number);
    text("name", person_.street);
    end();
    text("city", person_.place->city);
    text("state", person_.place->state);
    text("country", person_.nation->country);
    key("postcode");
    bool is_number = person_.nation->postcode.find_first_of("? ") == std::string_view::npos;
    if (!is_number) out_ += '"';
    append_pattern(out_, person_.nation->postcode, own);
    out_ += is_number ? "," : "\",";
    open("coordinates");
    coordinate("latitude", 90, own);
    coordinate("longitude", 180, own);
    end();
    auto [offset, description] = kTimezones[own.below(kTimezones.size())];
    open("timezone");
    text("offset", offset);
    text("description", description);
    end();
    end();
  }

  void coordinate(std::string_view name, uint64_t bound, Dice& own) {
    uint64_t chance = own.next();
    key(name);
    out_ += chance >> 63 != 0 ? "\"-" : "\"";
    append_number(out_, chance % bound);
    out_ += '.';
    append_pattern(out_, "####", own);
    out_ += "\",";
  }

  void email() {
    text("email", std::string_view(person_.first->ascii), ".", std::string_view(person_.last->ascii), "@example.com");
  }

  void login() {
    Dice own = dice(4);
    open("login");
    key("uuid");
    out_ += '"';
    append_uuid(out_, person_.uuid);
    out_ += "\",";
    key("username");
    out_ += '"';
    append_username(out_, person_);
    out_ += "\",";
    key("password");
    out_ += '"';
    append_pattern(out_, "????##", own);
    out_ += "\",";
    key("salt");
    out_ += '"';
    append_pattern(out_, "??##??##", own);
    out_ += "\",";
    hex("md5", 32, own);
    hex("sha1", 40, own);
    hex("sha256", 64, own);
    end();
  }

  void date_and_age(std::string_view name, Instant then) {
    open(name);
    key("date");
    out_ += '"';
    append_instant(out_, then);
    out_ += "\",";
    number("age", age(then));
    end();
  }

  /// Whole years from `then` to now, by the calendar.
  uint64_t age(Instant then) const {
    using namespace std::chrono;
    auto then_day = floor<days>(then), now_day = floor<days>(now_);
    year_month_day a(then_day), b(now_day);
    int years = static_cast<int>(b.year()) - static_cast<int>(a.year());
    bool before = b.month() < a.month() || (b.month() == a.month() && b.day() < a.day()) ||
                  (b.month() == a.month() && b.day() == a.day() && now_ - now_day < then - then_day);
    years -= before ? 1 : 0;
    return years < 0 ? 0 : static_cast<uint64_t>(years);
  }

  void id() {
    open("id");
    text("name", person_.nation->id_name);
    if (person_.nation->id_name.empty()) {
      key("value");
      out_ += "null,";
    } else {
      pattern("value", person_.nation->id_value, 5);
    }
    end();
  }

  void picture() {
    open("picture");
    for (auto [size, folder] :
         {std::pair<std::string_view, std::string_view>{"large", ""}, {"medium", "med/"}, {"thumbnail", "thumb/"}}) {
      key(size);
      out_ += '"';
      append_portrait(out_, person_, folder);
      out_ += "\",";
    }
    end();
  }

  std::string& out_;
  Person& person_;
  const Instant now_;
};

std::vector<const Nation*> chosen(const std::vector<std::string>& codes) {
  std::vector<const Nation*> out;
  for (const std::string& code : codes)
    if (const Nation* nation = find_nation(code)) out.push_back(nation);
  if (out.empty())
    for (const Nation& nation : nations()) out.push_back(&nation);
  return out;
}

/// Two blanks a level. Expects compact, correct JSON.
std::string indent(std::string_view json) {
  std::string out;
  size_t level = 0;
  bool in_string = false;
  auto line = [&] { (out += '\n').append(level * 2, ' '); };
  for (size_t i = 0; i < json.size(); ++i) {
    char c = json[i];
    bool empty_next = i + 1 < json.size() && (json[i + 1] == '}' || json[i + 1] == ']');
    if (in_string) {
      out += c;
      if (c == '\\') out += json[++i];
      if (c == '"') in_string = false;
    } else if ((c == '{' || c == '[') && !empty_next) {
      out += c;
      ++level;
      line();
    } else if ((c == '}' || c == ']') && json[i - 1] != '{' && json[i - 1] != '[') {
      --level;
      line();
      out += c;
    } else if (c == ',') {
      out += c;
      line();
    } else {
      in_string = c == '"';
      out += c;
      if (c == ':') out += ' ';
    }
  }
  return out;
}

}  // namespace

std::optional<Field> field_by_name(std::string_view name) {
  for (auto [known, field] : kFields)
    if (known == name) return field;
  return std::nullopt;
}

std::string random_users_json(const UserOptions& options) {
  auto from = chosen(options.nationalities);
  uint64_t seed = hash_seed(options.seed);
  std::string out;
  out.reserve(static_cast<size_t>(options.results) * 1200 + 128);
  out = "{\"results\":[";
  for (int i = 0; i < options.results; ++i) {
    Person person = make_person(seed, static_cast<uint64_t>(options.page), static_cast<uint64_t>(i), from,
                                options.female ? &*options.female : nullptr);
    if (i != 0) out += ',';
    UserWriter(out, person, options.now).write(options.fields);
  }
  out += ']';
  if (options.info) {
    out += ",\"info\":{\"seed\":" + format::to_json(options.seed) + ",\"results\":" + std::to_string(options.results) +
           ",\"page\":" + std::to_string(options.page) + ",\"version\":\"1.4\"}";
  }
  out += '}';
  return options.pretty ? indent(out) : out;
}

std::string flat_user_json(uint64_t seed, uint64_t index) {
  static const std::vector<const Nation*> kAll = chosen({});
  Person person = make_person(seed, 1, index, kAll, nullptr);
  const Nation& nation = *person.nation;
  std::string out;
  out.reserve(560);
  auto add = [&out](auto... parts) { (out += ... += parts); };
  out += "{\"id\":\"";
  append_uuid(out, person.uuid);
  add("\",\"first_name\":\"", person.first->text, "\",\"last_name\":\"", person.last->text, "\",\"gender\":\"",
      person.female ? "female" : "male", "\",\"address\":\"");
  append_number(out, person.street_number);
  add(" ", person.street, ", ", person.place->city, ", ", person.place->state, ", ", nation.country, "\",\"post_code\":\"");
  append_pattern(out, nation.postcode, person.dice);
  add("\",\"email\":\"", std::string_view(person.first->ascii), ".", std::string_view(person.last->ascii),
      "@example.com\",\"username\":\"");
  append_username(out, person);
  out += "\",\"dob\":\"";
  append_instant(out, person.born);
  out += "\",\"registered_date\":\"";
  append_instant(out, person.registered);
  out += "\",\"phone\":\"";
  append_pattern(out, nation.phone, person.dice);
  out += "\",\"picture\":\"";
  append_portrait(out, person, "med/");
  out += "\"}";
  return out;
}

std::vector<std::string_view> nationalities() {
  std::vector<std::string_view> out;
  for (const Nation& nation : nations()) out.push_back(nation.code);
  return out;
}

}  // namespace millrace::serve::randomuser
