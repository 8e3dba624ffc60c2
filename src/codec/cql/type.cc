#include "codec/cql/type.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/check.h"
#include "codec/cql/type_name.h"

namespace millrace::codec::cql {
namespace {

/// Fields of a tuple or a udt.
constexpr size_t kFieldsMax = 4096;
constexpr uint16_t kLastWireId = 0x0031;
/// What resolve_udts may make of one type: udts of udts multiply.
constexpr size_t kResolvedTypesMax = 65536;

struct WithArguments {
  std::string_view name;
  CqlTypeId id;
};
constexpr WithArguments kWithArguments[] = {
    {"frozen", CqlTypeId::kCustom}, {"list", CqlTypeId::kList},   {"set", CqlTypeId::kSet},
    {"map", CqlTypeId::kMap},       {"tuple", CqlTypeId::kTuple}, {"vector", CqlTypeId::kVector},
};

/// The reserved words of CQL (Cassandra 5.0, reserved_keywords.txt) and what would be read as a type, in order.
constexpr std::string_view kReserved[] = {
    "add",     "allow",   "alter",        "and",      "apply",   "asc",      "ascii",        "authorize",   "batch",
    "begin",   "between", "bigint",       "blob",     "boolean", "by",       "columnfamily", "counter",     "create",
    "date",    "decimal", "default",      "delete",   "desc",    "describe", "double",       "drop",        "duration",
    "entries", "execute", "float",        "from",     "frozen",  "full",     "grant",        "if",          "in",
    "index",   "inet",    "infinity",     "insert",   "int",     "into",     "is",           "keyspace",    "limit",
    "list",    "map",     "materialized", "mbean",    "mbeans",  "modify",   "nan",          "norecursive", "not",
    "null",    "of",      "on",           "or",       "order",   "primary",  "rename",       "replace",     "revoke",
    "schema",  "select",  "set",          "smallint", "table",   "text",     "time",         "timestamp",   "timeuuid",
    "tinyint", "to",      "token",        "truncate", "tuple",   "unlogged", "unset",        "update",      "use",
    "using",   "uuid",    "varchar",      "varint",   "vector",  "view",     "where",        "with",
};
static_assert(std::ranges::is_sorted(kReserved));

bool goes_as_class(Version version, CqlTypeId id) {
  switch (id) {
    case CqlTypeId::kVector: return true;
    case CqlTypeId::kDuration: return version < Version::kV5;
    case CqlTypeId::kDate:
    case CqlTypeId::kTime:
    case CqlTypeId::kSmallint:
    case CqlTypeId::kTinyint: return version < Version::kV4;
    default: return false;
  }
}

void put_udt(std::string& out, Version version, const CqlType& type) {
  put_string(out, type.keyspace);
  put_string(out, type.name);
  put_short(out, static_cast<uint16_t>(type.args.size()));
  for (size_t i = 0; i < type.args.size(); ++i) {
    put_string(out, type.field_names.at(i));
    put_type(out, version, type.args[i]);
  }
}

CqlType read_nested(Reader& in, int depth);

void read_fields(Reader& in, CqlType& type, int depth) {
  if (type.id == CqlTypeId::kUdt) {
    type.keyspace = in.string();
    type.name = in.string();
  }
  const size_t count = in.u16();
  if (count > kFieldsMax) in.fail("a type of too many fields");
  for (size_t i = 0; i < count && in.ok(); ++i) {
    if (type.id == CqlTypeId::kUdt) type.field_names.emplace_back(in.string());
    type.args.push_back(read_nested(in, depth + 1));
  }
}

CqlType read_nested(Reader& in, int depth) {
  CqlType type;
  if (depth > kTypeDepthMax) {
    in.fail("a type nested too deep");
    return type;
  }
  const uint16_t id = in.u16();
  type.id = static_cast<CqlTypeId>(id);
  switch (type.id) {
    case CqlTypeId::kCustom: return type_of_class(in.string(), depth);
    case CqlTypeId::kList:
    case CqlTypeId::kSet: type.args.push_back(read_nested(in, depth + 1)); return type;
    case CqlTypeId::kMap:
      type.args.push_back(read_nested(in, depth + 1));
      type.args.push_back(read_nested(in, depth + 1));
      return type;
    case CqlTypeId::kUdt:
    case CqlTypeId::kTuple: read_fields(in, type, depth); return type;
    default: break;
  }
  if (id > kLastWireId || scalar_name(type.id).empty()) {
    in.fail("a type of an unknown number");
    type.id = CqlTypeId::kText;
  }
  return type;
}

bool is_word_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_word(char c) { return is_word_start(c) || (c >= '0' && c <= '9'); }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

/// Reads the type syntax of CQL by recursive descent.
class TypeParser {
 public:
  explicit TypeParser(std::string_view text) : text_(text) {}

  Result<CqlType> whole() {
    TRY(CqlType type, one(0));
    skip_spaces();
    if (at_ != text_.size()) return bad("something stands behind the type");
    return type;
  }

 private:
  tl::unexpected<Error> bad(std::string_view why) const {
    return fail(Errc::kInvalidArgument, fmt::format("CQL type \"{}\": {} at byte {}", text_, why, at_));
  }

  Result<CqlType> one(int depth) {
    if (depth > kTypeDepthMax) return bad("nested too deep");
    skip_spaces();
    if (at_ == text_.size()) return bad("a type is missing");
    if (text_[at_] == '\'') return custom(depth);
    if (text_[at_] == '"') return udt();
    if (!is_word_start(text_[at_])) return bad("this is no type");
    const size_t start = at_;
    std::string word;
    while (at_ < text_.size() && is_word(text_[at_])) word += lower(text_[at_++]);
    if (take('<')) return with_arguments(word, depth);
    if (auto scalar = scalar_of_name(word)) return CqlType{.id = *scalar};
    at_ = start;
    return udt();
  }

  Result<CqlType> with_arguments(std::string_view word, int depth) {
    const auto* known = std::ranges::find(kWithArguments, word, &WithArguments::name);
    if (known == std::end(kWithArguments)) return bad("this type has no arguments");
    TRY(CqlType first, one(depth + 1));
    if (word == "frozen") {
      if (!take('>')) return bad("> is missing");
      first.frozen = true;
      return first;
    }
    CqlType type{.id = known->id};
    type.args.push_back(std::move(first));
    TRY_DO(more_arguments(type, depth));
    if (!take('>')) return bad("> is missing");
    return type;
  }

  Status more_arguments(CqlType& type, int depth) {
    if (type.id == CqlTypeId::kVector) {
      if (!take(',')) return bad("a vector's length is missing");
      return read_dimension(type);
    }
    if (type.id == CqlTypeId::kMap) {
      if (!take(',')) return bad("a map's value type is missing");
      TRY(CqlType value, one(depth + 1));
      type.args.push_back(std::move(value));
    }
    while (type.id == CqlTypeId::kTuple && take(',')) {
      TRY(CqlType field, one(depth + 1));
      type.args.push_back(std::move(field));
      if (type.args.size() > kFieldsMax) return bad("too many fields");
    }
    return {};
  }

  Status read_dimension(CqlType& type) {
    skip_spaces();
    const char* end = text_.data() + text_.size();
    auto [rest, error] = std::from_chars(text_.data() + at_, end, type.dimension);
    if (error != std::errc() || type.dimension == 0) return bad("a vector's length is a number above 0");
    at_ = static_cast<size_t>(rest - text_.data());
    return {};
  }

  Result<CqlType> custom(int depth) {
    TRY(std::string name, quoted('\''));
    return type_of_class(name, depth);
  }

  Result<CqlType> udt() {
    CqlType type{.id = CqlTypeId::kUdt};
    TRY(type.name, identifier());
    if (take('.')) {
      type.keyspace = std::move(type.name);
      TRY(type.name, identifier());
    }
    return type;
  }

  Result<std::string> identifier() {
    skip_spaces();
    if (at_ < text_.size() && text_[at_] == '"') return quoted('"');
    std::string word;
    while (at_ < text_.size() && is_word(text_[at_])) word += lower(text_[at_++]);
    if (word.empty()) return bad("a name is missing");
    return word;
  }

  /// A text in quotes, which are doubled inside.
  Result<std::string> quoted(char quote) {
    std::string out;
    for (++at_; at_ < text_.size(); ++at_) {
      if (text_[at_] != quote) {
        out += text_[at_];
      } else if (at_ + 1 < text_.size() && text_[at_ + 1] == quote) {
        out += text_[at_++];
      } else {
        ++at_;
        if (out.empty()) return bad("an empty name");
        return out;
      }
    }
    return bad("a quote is not closed");
  }

  void skip_spaces() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n')) ++at_;
  }
  bool take(char c) {
    skip_spaces();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  std::string_view text_;
  size_t at_ = 0;
};

std::string arguments_cql(const CqlType& type) {
  std::string out;
  for (const CqlType& argument : type.args) {
    if (!out.empty()) out += ", ";
    out += to_cql(argument);
  }
  return out;
}

std::string quote_class(std::string_view name) {
  std::string out = "'";
  for (char c : name) out.append(c == '\'' ? 2 : 1, c);
  return out + "'";
}

std::string unfrozen_cql(const CqlType& type) {
  switch (type.id) {
    case CqlTypeId::kList: return "list<" + arguments_cql(type) + ">";
    case CqlTypeId::kSet: return "set<" + arguments_cql(type) + ">";
    case CqlTypeId::kMap: return "map<" + arguments_cql(type) + ">";
    case CqlTypeId::kTuple: return "tuple<" + arguments_cql(type) + ">";
    case CqlTypeId::kVector: return fmt::format("vector<{}, {}>", arguments_cql(type), type.dimension);
    case CqlTypeId::kUdt: return quote_cql_identifier(type.name);
    case CqlTypeId::kCustom: return quote_class(type.name);
    default: return std::string(scalar_name(type.id));
  }
}

Status resolve_nested(CqlType& type, const std::function<const CqlType*(std::string_view)>& find, int depth, size_t& left) {
  if (depth > kTypeDepthMax || left-- == 0)
    return fail(Errc::kInvalidArgument, fmt::format("the CQL type {} nests too deep", to_cql(type)));
  if (type.id == CqlTypeId::kUdt && type.args.empty()) {
    const CqlType* found = find(type.name);
    if (found == nullptr) {
      return fail(Errc::kNotFound, fmt::format("the keyspace has no type {}", quote_cql_identifier(type.name)));
    }
    type.args = found->args;
    type.field_names = found->field_names;
    type.keyspace = found->keyspace;
  }
  for (CqlType& argument : type.args) TRY_DO(resolve_nested(argument, find, depth + 1, left));
  return {};
}

}  // namespace

void put_type(std::string& out, Version version, const CqlType& type) {
  if (type.id == CqlTypeId::kCustom || goes_as_class(version, type.id)) {
    put_short(out, static_cast<uint16_t>(CqlTypeId::kCustom));
    return put_string(out, type.id == CqlTypeId::kCustom ? type.name : to_class(type));
  }
  put_short(out, static_cast<uint16_t>(type.id));
  if (type.id == CqlTypeId::kUdt) return put_udt(out, version, type);
  if (type.id == CqlTypeId::kTuple) put_short(out, static_cast<uint16_t>(type.args.size()));
  for (const CqlType& argument : type.args) put_type(out, version, argument);
}

CqlType read_type(Reader& in) { return read_nested(in, 0); }

Result<CqlType> parse_cql_type(std::string_view text) { return TypeParser(text).whole(); }

std::string to_cql(const CqlType& type) {
  std::string text = unfrozen_cql(type);
  return type.frozen ? "frozen<" + text + ">" : text;
}

std::string quote_cql_identifier(std::string_view name) {
  const bool plain = !name.empty() && name[0] >= 'a' && name[0] <= 'z' &&
                     std::ranges::all_of(name, [](char c) { return is_word(c) && lower(c) == c; }) &&
                     !std::ranges::binary_search(kReserved, name);
  if (plain) return std::string(name);
  std::string out = "\"";
  for (char c : name) out.append(c == '"' ? 2 : 1, c);
  return out + "\"";
}

Status resolve_udts(CqlType& type, const std::function<const CqlType*(std::string_view name)>& find) {
  size_t left = kResolvedTypesMax;
  return resolve_nested(type, find, 0, left);
}

}  // namespace millrace::codec::cql
