#include "format/json_columns.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "base/bytes.h"
#include "format/json_tokens.h"
#include "format/scalar.h"

namespace millrace::format {
namespace {

using model::ColumnBuilder;
using model::TypeId;

// A member beyond these is found by its hash every time.
constexpr size_t kRememberedMembersMax = 1024;
constexpr size_t kRememberedNameMax = 256;

constexpr uint32_t kUnknown = UINT32_MAX;

struct NameHash {
  using is_transparent = void;
  size_t operator()(std::string_view name) const { return std::hash<std::string_view>()(name); }
};

/// A member as it stood at this place in an earlier record.
struct Remembered {
  std::string name;
  uint32_t field = kUnknown;
};

/// What to do with a value: the type's tree, with what is needed of it.
struct Node {
  model::Type type;
  bool needed = true;
  std::vector<Node> children;  // of a struct its fields, of a list its element
  std::unordered_map<std::string, uint32_t, NameHash, std::equal_to<>> by_name;
  std::vector<Remembered> order;  // by place in the object
};

Node make_node(const model::Type& type, const Needed& needed) {
  Node node;
  node.type = type;
  node.needed = needed.any;
  if (type.id != TypeId::kStruct && type.id != TypeId::kList) return node;
  bool list = type.id == TypeId::kList;
  for (size_t i = 0; i < type.fields.size(); ++i) {
    const Needed& below = list ? needed : i < needed.fields.size() ? needed.fields[i] : needed;
    node.children.push_back(make_node(type.fields[i].type, below));
    // Of equal names in a schema the first one is filled.
    if (!list) node.by_name.emplace(type.fields[i].name, static_cast<uint32_t>(i));
  }
  return node;
}

int depth_of(const std::vector<model::Field>& fields) {
  int depth = 0;
  for (const model::Field& field : fields) depth = std::max(depth, 1 + depth_of(field.type.fields));
  return depth;
}

ColumnBuilder& column_of(ColumnBuilder& parent, size_t i) { return parent.child(i); }
ColumnBuilder& column_of(model::BatchBuilder& parent, size_t i) { return parent.column(i); }

bool is_number_type(TypeId id) { return id >= TypeId::kTinyint && id <= TypeId::kDecimal; }

}  // namespace

Needed Needed::of(const model::Schema& schema, std::span<const std::vector<std::string>> paths) {
  struct Marker {
    static void mark(Needed& needed, const model::Type& type, std::span<const std::string> path) {
      if (needed.any && needed.fields.empty()) return;  // all of it already
      if (type.id == TypeId::kList) return mark(needed, type.fields[0].type, path);
      needed.any = true;
      if (path.empty() || type.id != TypeId::kStruct) return needed.fields.clear();
      if (needed.fields.empty()) needed.fields.assign(type.fields.size(), Needed::none());
      for (size_t i = 0; i < type.fields.size(); ++i) {
        if (model::same_name(type.fields[i].name, path[0])) return mark(needed.fields[i], type.fields[i].type, path.subspan(1));
      }
    }
  };
  model::Type row{.id = TypeId::kStruct, .fields = schema.fields};
  Needed needed = none();
  needed.fields.assign(schema.fields.size(), none());
  for (const std::vector<std::string>& path : paths) {
    if (!path.empty()) Marker::mark(needed, row, path);
  }
  needed.any = true;
  return needed;
}

class JsonDecoder::Impl {
 public:
  Impl(const model::Type& type, const Needed& needed, bool copies) : root_(make_node(type, needed)), copies_(copies) {
    // A row without needed fields is still a row.
    root_.needed = true;
  }

  Status append_row(std::string_view json, model::BatchBuilder& out) {
    size_t rows = out.rows();
    return run(json, [&](JsonCursor& cursor) {
      JsonFault fault = cursor.peek() == '{' ? members(cursor, root_, out, rows) : JsonFault::kNotObject;
      if (fault == JsonFault::kNone && !cursor.done()) fault = JsonFault::kNotJson;
      if (fault != JsonFault::kNone) {
        out.truncate(rows);
      } else if (out.column_count() == 0) {
        out.add_row_without_columns();
      }
      return fault;
    });
  }

  Status append_value(std::string_view json, ColumnBuilder& out) {
    size_t rows = out.size();
    return run(json, [&](JsonCursor& cursor) {
      JsonFault fault = value(cursor, root_, out);
      if (fault == JsonFault::kNone && !cursor.done()) fault = JsonFault::kNotJson;
      if (fault != JsonFault::kNone) out.truncate(rows);
      return fault;
    });
  }

  JsonFault last_fault() const { return last_fault_; }

 private:
  template <class Decode>
  Status run(std::string_view json, Decode decode) {
    last_fault_ = indexer_.index(json, kJsonBytesMax);
    if (last_fault_ != JsonFault::kNone) return failed();
    JsonCursor cursor(json, indexer_.positions(), indexer_.count(), kJsonDepthMax);
    const uint32_t* start = cursor.mark();
    last_fault_ = decode(cursor);
    if (last_fault_ == JsonFault::kNone) return {};
    // Decoding stopped early: what follows may show that the text is no JSON at all, which comes before any type.
    JsonCursor whole(json, start, indexer_.count(), kJsonDepthMax);
    JsonFault fault = whole.skip();
    if (fault == JsonFault::kNone && !whole.done()) fault = JsonFault::kNotJson;
    if (fault != JsonFault::kNone) last_fault_ = fault;
    return failed();
  }

  [[gnu::noinline]] tl::unexpected<Error> failed() {
    std::string path = std::exchange(path_, {}), detail = std::exchange(detail_, {});
    if (last_fault_ != JsonFault::kType && last_fault_ != JsonFault::kRange) {
      return fail(Errc::kInvalidArgument, describe_fault(last_fault_, kJsonDepthMax));
    }
    return fail(Errc::kInvalidArgument, path.empty() ? detail : fmt::format("field {}: {}", path, detail));
  }

  /// Remembers why; the callers add the path.
  [[gnu::noinline]] JsonFault mismatch(const Node& node, std::string_view token, JsonFault fault) {
    std::string_view kind = "number ";
    std::string shown = shorten(token);
    switch (token.empty() ? '\0' : token[0]) {
      case '"': kind = "string "; break;
      case '{': kind = "an object", shown.clear(); break;
      case '[': kind = "an array", shown.clear(); break;
      case 't':
      case 'f': kind = ""; break;
      default: break;
    }
    detail_ = fmt::format("expected {}, got {}{}{}", type_word(node.type), kind, shown,
                          fault == JsonFault::kRange ? ", which is out of range" : "");
    return fault;
  }

  [[gnu::noinline]] JsonFault below(std::string_view name, JsonFault fault) {
    path_ = path_.empty() || path_[0] == '[' ? std::string(name) + path_ : std::string(name) + "." + path_;
    return fault;
  }

  JsonFault value(JsonCursor& cursor, Node& node, ColumnBuilder& out) {
    char c = cursor.peek();
    if (c == 'n') {
      if (cursor.token() != "null") return JsonFault::kNotJson;
      cursor.advance();
      out.append_null();
      return JsonFault::kNone;
    }
    switch (node.type.id) {
      case TypeId::kText: return text(cursor, out);
      case TypeId::kList:
        if (c == '[') return elements(cursor, node, out);
        return wrong(cursor, node);
      case TypeId::kStruct:
        if (c == '{') {
          if (JsonFault fault = members(cursor, node, out, out.size()); fault != JsonFault::kNone) return fault;
          out.finish_struct();
          return JsonFault::kNone;
        }
        return wrong(cursor, node);
      default: return scalar(cursor, node, out);
    }
  }

  JsonFault wrong(JsonCursor& cursor, const Node& node) {
    return cursor.done() ? JsonFault::kNotJson : mismatch(node, cursor.token(), JsonFault::kType);
  }

  JsonFault text(JsonCursor& cursor, ColumnBuilder& out) {
    std::string_view raw;
    if (cursor.peek() == '"') {
      raw = cursor.take_string();
      if (cursor.is_escaped(raw)) return escaped_text(raw, out);
    } else if (JsonFault fault = cursor.skip(&raw); fault != JsonFault::kNone) {
      return fault;
    }
    if (copies_) {
      out.append_text(raw);
    } else {
      out.append_stable_text(raw);
    }
    return JsonFault::kNone;
  }

  JsonFault escaped_text(std::string_view raw, ColumnBuilder& out) {
    JsonFault fault = JsonFault::kNone;
    char* bytes = out.arena().allocate(raw.size());
    size_t size = unescape_json(raw, bytes, fault);
    if (size == SIZE_MAX) return fault;
    out.append_stable_text({bytes, size});
    return JsonFault::kNone;
  }

  JsonFault scalar(JsonCursor& cursor, const Node& node, ColumnBuilder& out) {
    if (cursor.done()) return JsonFault::kNotJson;
    std::string_view token = cursor.token();
    cursor.advance();
    JsonFault fault = JsonFault::kType;
    if (token[0] == '"') {
      fault = scalar_string(cursor, node, token.substr(1, token.size() - 2), out);
    } else if (is_number_type(node.type.id)) {
      // Fraction and exponent end the integers' own grammar; the other way round, `+1` and `01` are no JSON.
      if (is_json_number(token)) fault = append_scalar(out, token);
    } else if (node.type.id == TypeId::kBoolean && (token == "true" || token == "false")) {
      out.append(static_cast<uint8_t>(token == "true"));
      fault = JsonFault::kNone;
    }
    return fault == JsonFault::kType || fault == JsonFault::kRange ? mismatch(node, token, fault) : fault;
  }

  JsonFault scalar_string(const JsonCursor& cursor, const Node& node, std::string_view raw, ColumnBuilder& out) {
    if (cursor.is_escaped(raw)) {
      JsonFault fault = JsonFault::kNone;
      scratch_.resize(raw.size());
      size_t size = unescape_json(raw, scratch_.data(), fault);
      if (size == SIZE_MAX) return fault;
      raw = std::string_view(scratch_).substr(0, size);
    }
    if (node.type.id != TypeId::kBlob) return append_scalar(out, raw);
    auto bytes = from_base64(raw);
    if (!bytes) return JsonFault::kType;
    out.append_text(*bytes);
    return JsonFault::kNone;
  }

  JsonFault elements(JsonCursor& cursor, Node& node, ColumnBuilder& out) {
    if (!cursor.enter()) return JsonFault::kTooDeep;
    size_t length = 0;
    if (cursor.peek() != ']') {
      do {
        JsonFault fault = value(cursor, node.children[0], out.child());
        if (fault != JsonFault::kNone) return below(fmt::format("[{}]", length), fault);
        ++length;
      } while (cursor.take(','));
    }
    if (!cursor.take(']')) return JsonFault::kNotJson;
    cursor.leave();
    out.finish_list(length);
    return JsonFault::kNone;
  }

  /// The fields of one object, into the children of `parent` at `row`.
  template <class Parent>
  JsonFault members(JsonCursor& cursor, Node& node, Parent& parent, size_t row) {
    if (!cursor.enter()) return JsonFault::kTooDeep;
    size_t filled = 0;
    if (cursor.peek() != '}') {
      size_t place = 0;
      do {
        uint32_t field = kUnknown;
        if (place < node.order.size() && cursor.take_known_name(node.order[place].name)) {
          field = node.order[place].field;
        } else if (JsonFault fault = find(cursor, node, place, field); fault != JsonFault::kNone) {
          return fault;
        }
        ++place;
        if (field == kUnknown || !node.children[field].needed) {
          if (JsonFault fault = cursor.skip_quickly(); fault != JsonFault::kNone) return fault;
          continue;
        }
        ColumnBuilder& column = column_of(parent, field);
        if (column.size() > row) {
          column.truncate(row);
          --filled;
        }
        JsonFault fault = value(cursor, node.children[field], column);
        if (fault != JsonFault::kNone) return below(node.type.fields[field].name, fault);
        ++filled;
      } while (cursor.take(','));
    }
    if (!cursor.take('}')) return JsonFault::kNotJson;
    cursor.leave();
    if (filled == node.children.size()) return JsonFault::kNone;
    for (size_t i = 0; i < node.children.size(); ++i) {
      if (column_of(parent, i).size() == row) column_of(parent, i).append_null();
    }
    return JsonFault::kNone;
  }

  /// A member that is not the one of last time: looks its name up, and remembers it.
  [[gnu::noinline]] JsonFault find(JsonCursor& cursor, Node& node, size_t place, uint32_t& field) {
    std::string_view name;
    if (!cursor.take_name(name)) return JsonFault::kNotJson;
    bool escaped = cursor.is_escaped(name);
    if (escaped) {
      JsonFault fault = JsonFault::kNone;
      scratch_.resize(name.size());
      size_t size = unescape_json(name, scratch_.data(), fault);
      if (size == SIZE_MAX) return fault;
      name = std::string_view(scratch_).substr(0, size);
    }
    auto known = node.by_name.find(name);
    field = known == node.by_name.end() ? kUnknown : known->second;
    // Places are remembered without gaps.
    if (escaped || name.size() > kRememberedNameMax || place >= kRememberedMembersMax || place > node.order.size())
      return JsonFault::kNone;
    if (place == node.order.size()) node.order.emplace_back();
    node.order[place] = {std::string(name), field};
    return JsonFault::kNone;
  }

  Node root_;
  bool copies_;
  JsonIndexer indexer_;
  JsonFault last_fault_ = JsonFault::kNone;
  std::string scratch_;
  // Of the last mismatch, until it is told.
  std::string path_;
  std::string detail_;
};

JsonDecoder::JsonDecoder(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
JsonDecoder::JsonDecoder(JsonDecoder&&) noexcept = default;
JsonDecoder& JsonDecoder::operator=(JsonDecoder&&) noexcept = default;
JsonDecoder::~JsonDecoder() = default;

Result<JsonDecoder> JsonDecoder::make(std::shared_ptr<const model::Schema> schema, const Needed& needed) {
  if (depth_of(schema->fields) > kJsonDepthMax) {
    return fail(Errc::kInvalidArgument, fmt::format("the schema nests deeper than {} levels", kJsonDepthMax));
  }
  return JsonDecoder(std::make_unique<Impl>(model::Type{.id = TypeId::kStruct, .fields = schema->fields}, needed, false));
}

Status JsonDecoder::append(std::string_view json, model::BatchBuilder& out) { return impl_->append_row(json, out); }

JsonFault JsonDecoder::last_fault() const { return impl_->last_fault(); }

Status append_json_as(ColumnBuilder& column, std::string_view json) {
  if (depth_of(column.type().fields) > kJsonDepthMax) {
    return fail(Errc::kInvalidArgument, fmt::format("the type nests deeper than {} levels", kJsonDepthMax));
  }
  return JsonDecoder::Impl(column.type(), Needed::all(), true).append_value(json, column);
}

}  // namespace millrace::format
