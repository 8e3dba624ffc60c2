#include "format/avro_encoder.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/bytes.h"
#include "base/uuid.h"
#include "format/avro_default.h"
#include "format/scalar.h"

namespace millrace::format {
namespace {

using model::Column;
using model::TypeId;

// Defaults are written out, and a record's default holds those of its fields.
constexpr size_t kWritesMax = 100'000;

/// How a column becomes a value of `node`: worked out once.
struct Write {
  enum class Act : uint8_t {
    kFixedBytes,  // `bytes`, whatever the row
    kUnion,       // parts[0] as `branch`, NULL as `null_branch`
    kRecord,      // parts, of the children `columns`
    kArray,       // parts[0]
    kBoolean,
    kInteger,
    kFloat,
    kDouble,
    kDecimal,
    kString,  // and bytes
    kFixed,
    kSymbol,
    kUuidText,
    kUuidFixed,
    kTime,  // dates, times, timestamps: `divisor` microseconds are one
  };
  static constexpr size_t kNone = SIZE_MAX;

  Act act = Act::kFixedBytes;
  const AvroNode* node = nullptr;
  std::vector<Write> parts;
  std::vector<size_t> columns;
  std::string name;  // of the field, for messages
  std::string bytes;
  size_t branch = 0, null_branch = kNone;
};
using Act = Write::Act;

bool is_integer(TypeId id) { return id >= TypeId::kTinyint && id <= TypeId::kUbigint; }

std::optional<Act> act_for_number(const AvroNode& node, const model::Type& from) {
  bool plain = node.logical == AvroLogical::kNone;
  switch (node.kind) {
    case AvroKind::kInt:
    case AvroKind::kLong: return plain && is_integer(from.id) ? std::optional(Act::kInteger) : std::nullopt;
    case AvroKind::kFloat: return from.id == TypeId::kFloat ? std::optional(Act::kFloat) : std::nullopt;
    case AvroKind::kDouble: return from.id != TypeId::kDecimal ? std::optional(Act::kDouble) : std::nullopt;
    default: break;
  }
  if (node.logical != AvroLogical::kDecimal) return std::nullopt;
  if (is_integer(from.id)) return node.scale == 0 ? std::optional(Act::kDecimal) : std::nullopt;
  bool fits = from.id == TypeId::kDecimal && from.scale == node.scale && from.width <= node.precision;
  return fits ? std::optional(Act::kDecimal) : std::nullopt;
}

bool is_timestamp(AvroLogical logical) { return logical >= AvroLogical::kTimestampMillis; }

std::optional<Act> act_for(const AvroNode& node, const model::Type& from) {
  auto when = [](bool fits, Act act) { return fits ? std::optional(act) : std::nullopt; };
  bool plain = node.logical == AvroLogical::kNone;
  switch (from.id) {
    case TypeId::kBoolean: return when(node.kind == AvroKind::kBoolean, Act::kBoolean);
    case TypeId::kText:
      if (node.kind == AvroKind::kEnum) return Act::kSymbol;
      return when(node.kind == AvroKind::kString && plain, Act::kString);
    case TypeId::kBlob:
      if (node.kind == AvroKind::kFixed) return when(plain, Act::kFixed);
      return when(node.kind == AvroKind::kBytes && plain, Act::kString);
    case TypeId::kUuid:
      if (node.kind == AvroKind::kString) return Act::kUuidText;
      return when(node.kind == AvroKind::kFixed && node.logical == AvroLogical::kUuid, Act::kUuidFixed);
    case TypeId::kDate: return when(node.logical == AvroLogical::kDate, Act::kTime);
    case TypeId::kTime:
      return when(node.logical == AvroLogical::kTimeMillis || node.logical == AvroLogical::kTimeMicros, Act::kTime);
    case TypeId::kTimestamp:
    case TypeId::kTimestampTz: return when(is_timestamp(node.logical), Act::kTime);
    case TypeId::kList: return when(node.kind == AvroKind::kArray, Act::kArray);
    case TypeId::kStruct: return when(node.kind == AvroKind::kRecord, Act::kRecord);
    case TypeId::kInterval: return std::nullopt;
    default: return act_for_number(node, from);
  }
}

class WritePlanner {
 public:
  explicit WritePlanner(const AvroSchema& schema) : schema_(schema) {}

  Result<Write> record(const AvroNode& node, const std::vector<model::Field>& from, const std::string& path) {
    Write write{.act = Act::kRecord, .node = &node};
    std::vector<bool> used(from.size());
    for (const AvroField& field : node.fields) {
      size_t column = column_of(field, from);
      std::string inner = path.empty() ? field.name : path + "." + field.name;
      if (column == from.size()) {
        TRY(Write part, without_column(field, inner));
        write.parts.push_back(std::move(part));
      } else {
        used[column] = true;
        TRY(Write part, value(field.node, from[column].type, inner));
        write.parts.push_back(std::move(part));
      }
      write.parts.back().name = field.name;
      write.columns.push_back(column);
    }
    for (size_t i = 0; i < from.size(); ++i) {
      if (!used[i]) return misfit(path.empty() ? from[i].name : path + "." + from[i].name, "the Avro schema has no such field");
    }
    return write;
  }

 private:
  static tl::unexpected<Error> misfit(const std::string& path, const std::string& what) {
    return fail(Errc::kFailedPrecondition, fmt::format("column {}: {}", path, what),
                "change the query's columns or the registered schema");
  }

  static size_t column_of(const AvroField& field, const std::vector<model::Field>& from) {
    auto named = [&](const std::string& name) {
      return std::find_if(from.begin(), from.end(), [&](const model::Field& f) { return f.name == name; });
    };
    auto found = named(field.name);
    for (size_t i = 0; found == from.end() && i < field.aliases.size(); ++i) found = named(field.aliases[i]);
    return static_cast<size_t>(found - from.begin());
  }

  Result<Write> without_column(const AvroField& field, const std::string& path) {
    if (!field.otherwise) return misfit(path, "the Avro schema wants it, and has no default for it");
    Write write{.node = &schema_.node(field.node)};
    if (Status done = append_avro_default(schema_, field.node, *field.otherwise, write.bytes); !done) {
      return misfit(path, done.error().message);
    }
    return write;
  }

  Result<Write> value(uint32_t index, const model::Type& from, const std::string& path) {
    if (++writes_ > kWritesMax) return fail(Errc::kResourceExhausted, "the Avro schema is too large to be written by");
    const AvroNode& node = schema_.node(index);
    if (node.kind == AvroKind::kUnion) return union_of(node, from, path);
    auto act = act_for(node, from);
    if (!act) return misfit(path, fmt::format("{} cannot be written as {}", type_word(from), avro_word(node)));
    if (act == Act::kRecord) return record(node, from.fields, path);
    Write write{.act = *act, .node = &node};
    if (act == Act::kArray) {
      TRY(Write items, value(node.nodes[0], from.fields[0].type, path));
      write.parts.push_back(std::move(items));
    }
    return write;
  }

  /// The first branch that can take the column.
  Result<Write> union_of(const AvroNode& node, const model::Type& from, const std::string& path) {
    Write write{.act = Act::kUnion, .node = &node};
    std::optional<Error> why;
    for (size_t i = 0; i < node.nodes.size(); ++i) {
      if (schema_.node(node.nodes[i]).kind == AvroKind::kNull) {
        write.null_branch = i;
        continue;
      }
      if (!write.parts.empty()) continue;
      auto part = value(node.nodes[i], from, path);
      if (part) {
        write.branch = i;
        write.parts.push_back(std::move(*part));
      } else if (!why) {
        why = std::move(part.error());
      }
    }
    if (!write.parts.empty()) return write;
    return why ? Result<Write>(fail(*why)) : Result<Write>(misfit(path, "the Avro schema allows nothing but null"));
  }

  const AvroSchema& schema_;
  size_t writes_ = 0;
};

}  // namespace

class AvroEncoder::Impl {
 public:
  Impl(std::shared_ptr<const AvroSchema> schema, Write root) : schema_(std::move(schema)), root_(std::move(root)) {}

  Status append(std::string& out, const model::ColumnBatch& rows, size_t row) {
    size_t start = out.size();
    bool done = fields(root_, out, rows.columns, row);
    if (done) return {};
    out.resize(start);
    return fail(Errc::kInvalidArgument, fmt::format("field {}: {}", std::exchange(path_, {}), std::exchange(detail_, {})));
  }

 private:
  bool refuse(std::string detail) {
    detail_ = std::move(detail);
    return false;
  }

  bool fields(const Write& write, std::string& out, const std::vector<Column>& columns, size_t row) {
    static const Column kNoColumn;
    for (size_t i = 0; i < write.parts.size(); ++i) {
      const Write& part = write.parts[i];
      const Column& column = part.act == Act::kFixedBytes ? kNoColumn : columns[write.columns[i]];
      if (value(part, out, column, row)) continue;
      path_ = path_.empty() || path_[0] == '[' ? part.name + path_ : part.name + "." + path_;
      return false;
    }
    return true;
  }

  bool value(const Write& write, std::string& out, const Column& column, size_t row) {
    if (write.act == Act::kFixedBytes) return out += write.bytes, true;
    if (column.is_null(row)) {
      if (write.null_branch == Write::kNone) return refuse("NULL, which the Avro schema does not allow");
      append_zigzag(out, static_cast<int64_t>(write.null_branch));
      return true;
    }
    switch (write.act) {
      case Act::kUnion: append_zigzag(out, static_cast<int64_t>(write.branch)); return value(write.parts[0], out, column, row);
      case Act::kRecord: return fields(write, out, column.children, row);
      case Act::kArray: return items(write, out, column, row);
      case Act::kBoolean: out += static_cast<char>(column.at<uint8_t>(row) != 0); return true;
      case Act::kInteger: return integer(write, out, column, row);
      case Act::kFloat: append_le(out, column.at<float>(row)); return true;
      case Act::kDouble: append_le(out, as_double(column, row)); return true;
      case Act::kDecimal: return decimal(*write.node, out, integer_at(column, row));
      case Act::kString: sized(out, column.text(row)); return true;
      case Act::kFixed: return fixed(*write.node, out, column.text(row));
      case Act::kSymbol: return symbol(*write.node, out, column.text(row));
      case Act::kUuidText: sized(out, format_uuid(model::uuid_from_element(column.at<model::Int128>(row)))); return true;
      case Act::kUuidFixed: {
        Uuid uuid = model::uuid_from_element(column.at<model::Int128>(row));
        out.append(reinterpret_cast<const char*>(uuid.bytes.data()), uuid.bytes.size());
        return true;
      }
      case Act::kTime: return time(*write.node, out, column, row);
      case Act::kFixedBytes: break;
    }
    return false;
  }

  static void sized(std::string& out, std::string_view bytes) {
    append_zigzag(out, static_cast<int64_t>(bytes.size()));
    out += bytes;
  }

  static double as_double(const Column& column, size_t row) {
    if (column.type->id == TypeId::kDouble) return column.at<double>(row);
    if (column.type->id == TypeId::kFloat) return column.at<float>(row);
    return static_cast<double>(integer_at(column, row));
  }

  bool items(const Write& write, std::string& out, const Column& column, size_t row) {
    const auto& entry = column.at<model::ListEntry>(row);
    if (entry.length > 0) append_zigzag(out, static_cast<int64_t>(entry.length));
    for (uint64_t i = 0; i < entry.length; ++i) {
      if (value(write.parts[0], out, column.children[0], entry.offset + i)) continue;
      path_ = path_.empty() || path_[0] == '[' ? fmt::format("[{}]{}", i, path_) : fmt::format("[{}].{}", i, path_);
      return false;
    }
    out += '\0';
    return true;
  }

  bool integer(const Write& write, std::string& out, const Column& column, size_t row) {
    __int128 number = integer_at(column, row);
    bool fits =
        write.node->kind == AvroKind::kInt ? number == static_cast<int32_t>(number) : number == static_cast<int64_t>(number);
    if (!fits) return misfit(*write.node, number);
    append_zigzag(out, static_cast<int64_t>(number));
    return true;
  }

  bool misfit(const AvroNode& node, __int128 number) {
    std::string shown;
    append_number(shown, number);
    return refuse(fmt::format("{} is out of range for {}", shown, avro_word(node)));
  }

  /// The shortest two's complement, or as many bytes as the fixed has.
  bool decimal(const AvroNode& node, std::string& out, __int128 number) {
    char bytes[16];
    for (size_t i = 0; i < sizeof bytes; ++i) bytes[15 - i] = static_cast<char>(number >> (8 * i));
    char sign = number < 0 ? '\xff' : '\0';
    size_t first = 0;
    while (first < 15 && bytes[first] == sign && ((bytes[first + 1] ^ sign) & 0x80) == 0) ++first;
    std::string_view shortest(bytes + first, sizeof bytes - first);
    if (node.kind == AvroKind::kBytes) return sized(out, shortest), true;
    if (shortest.size() > node.size) return misfit(node, number);
    out.append(node.size - shortest.size(), sign).append(shortest);
    return true;
  }

  bool fixed(const AvroNode& node, std::string& out, std::string_view bytes) {
    if (bytes.size() != node.size) return refuse(fmt::format("{} bytes, where the Avro schema has {}", bytes.size(), node.size));
    out += bytes;
    return true;
  }

  bool symbol(const AvroNode& node, std::string& out, std::string_view text) {
    auto found = std::find(node.symbols.begin(), node.symbols.end(), text);
    if (found == node.symbols.end()) {
      return refuse(fmt::format("\"{}\" is not a symbol of the enum {}", text.substr(0, 40), node.name));
    }
    append_zigzag(out, found - node.symbols.begin());
    return true;
  }

  bool time(const AvroNode& node, std::string& out, const Column& column, size_t row) {
    if (node.logical == AvroLogical::kDate) return append_zigzag(out, column.at<int32_t>(row)), true;
    int64_t micros = column.at<int64_t>(row), value = micros;
    switch (node.logical) {
      case AvroLogical::kTimeMillis:
      case AvroLogical::kTimestampMillis:
      case AvroLogical::kLocalTimestampMillis: value = micros / 1000 - (micros % 1000 < 0); break;
      case AvroLogical::kTimestampNanos:
      case AvroLogical::kLocalTimestampNanos:
        if (__builtin_mul_overflow(micros, 1000, &value)) return misfit(node, micros);
        break;
      default: break;
    }
    append_zigzag(out, value);
    return true;
  }

  std::shared_ptr<const AvroSchema> schema_;
  Write root_;
  std::string path_, detail_;
};

Result<AvroEncoder> AvroEncoder::make(std::shared_ptr<const AvroSchema> schema, std::shared_ptr<const model::Schema> columns) {
  const AvroNode& root = schema->node(schema->root());
  if (root.kind != AvroKind::kRecord) {
    return fail(Errc::kFailedPrecondition, fmt::format("the Avro schema is {}, not a record", avro_word(root)),
                "register a record for this subject, or write under another one");
  }
  TRY(Write write, WritePlanner(*schema).record(root, columns->fields, ""));
  return AvroEncoder(std::make_unique<Impl>(std::move(schema), std::move(write)));
}

AvroEncoder::AvroEncoder(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
AvroEncoder::AvroEncoder(AvroEncoder&&) noexcept = default;
AvroEncoder& AvroEncoder::operator=(AvroEncoder&&) noexcept = default;
AvroEncoder::~AvroEncoder() = default;

Status AvroEncoder::append(std::string& out, const model::ColumnBatch& rows, size_t row) { return impl_->append(out, rows, row); }

}  // namespace millrace::format
