#include "format/avro_decoder.h"

#include <fmt/format.h>

#include <utility>

#include "base/bytes.h"
#include "format/avro_input.h"
#include "format/avro_plan.h"
#include "format/json_tokens.h"
#include "format/json_write.h"
#include "format/scalar.h"

namespace millrace::format {
namespace {

using model::ColumnBuilder;
using model::TypeId;
using Act = AvroRead::Act;

constexpr size_t kEmptyValuesMax = 1000;

ColumnBuilder& column_of(ColumnBuilder& parent, size_t i) { return parent.child(i); }
ColumnBuilder& column_of(model::BatchBuilder& parent, size_t i) { return parent.column(i); }

template <class T>
bool put_integer(int64_t value, ColumnBuilder& out) {
  if (!std::in_range<T>(value)) return false;
  out.append(static_cast<T>(value));
  return true;
}

/// An integer into a column of a type that holds some of them; false when it does not hold this one.
bool append_integer(int64_t value, ColumnBuilder& out) {
  switch (out.type().id) {
    case TypeId::kTinyint: return put_integer<int8_t>(value, out);
    case TypeId::kSmallint: return put_integer<int16_t>(value, out);
    case TypeId::kInteger: return put_integer<int32_t>(value, out);
    case TypeId::kBigint: return put_integer<int64_t>(value, out);
    case TypeId::kUtinyint: return put_integer<uint8_t>(value, out);
    case TypeId::kUsmallint: return put_integer<uint16_t>(value, out);
    case TypeId::kUinteger: return put_integer<uint32_t>(value, out);
    case TypeId::kUbigint: return put_integer<uint64_t>(value, out);
    case TypeId::kHugeint: return out.append(model::to_int128(value)), true;
    case TypeId::kFloat: return out.append(static_cast<float>(value)), true;
    case TypeId::kDouble: return out.append(static_cast<double>(value)), true;
    default: break;
  }
  std::string digits;
  append_number(digits, value);
  return append_scalar(out, digits) == JsonFault::kNone;
}

}  // namespace

class AvroDecoder::Impl {
 public:
  Impl(std::shared_ptr<const AvroSchema> writer, AvroRead plan, std::string expected)
      : writer_(std::move(writer)), plan_(std::move(plan)), expected_(std::move(expected)) {}

  Status append(std::string_view bytes, model::BatchBuilder& out) {
    size_t rows = out.rows();
    budget_ = {kEmptyValuesMax + bytes.size()};
    AvroInput in(bytes);
    fault_ = row(plan_, in, out);
    if (fault_ == AvroFault::kNone && !in.done()) {
      detail_ = fmt::format("{} bytes behind the value's end", in.left());
      fault_ = AvroFault::kNotAvro;
    }
    if (fault_ != AvroFault::kNone) {
      out.truncate(rows);
      return failed();
    }
    if (out.column_count() == 0) out.add_row_without_columns();
    return {};
  }

  AvroFault fault() const { return fault_; }

 private:
  [[gnu::noinline]] tl::unexpected<Error> failed() {
    std::string path = std::exchange(path_, {}), detail = std::exchange(detail_, {});
    switch (fault_) {
      case AvroFault::kNotAvro:
        if (detail.empty()) detail = "the bytes end early, or hold what cannot be";
        detail = "not what the Avro schema says: " + detail;
        break;
      case AvroFault::kNotUtf8: detail = "the string is not UTF-8"; break;
      case AvroFault::kTooDeep: detail = fmt::format("nests deeper than {}", kAvroDepthMax); break;
      case AvroFault::kTooLarge: detail = "too many values that take no bytes"; break;
      case AvroFault::kRange:
        if (detail.empty()) detail = "the number is out of range";
        break;
      default: break;
    }
    return fail(Errc::kInvalidArgument, path.empty() ? detail : fmt::format("field {}: {}", path, detail));
  }

  [[gnu::noinline]] AvroFault below(std::string_view name, AvroFault fault) {
    path_ = path_.empty() || path_[0] == '[' ? std::string(name) + path_ : std::string(name) + "." + path_;
    return fault;
  }

  [[gnu::noinline]] AvroFault mismatch(const AvroRead& read, const ColumnBuilder& out, AvroFault fault, std::string_view shown) {
    detail_ = fmt::format("expected {}, got {}{}{}{}", type_word(out.type()), avro_word(writer_->node(read.node)),
                          shown.empty() ? "" : " ", shown, fault == AvroFault::kRange ? ", which is out of range" : "");
    return fault;
  }

  AvroFault row(const AvroRead& read, AvroInput& in, model::BatchBuilder& out) {
    size_t branch = 0;
    switch (read.act) {
      case Act::kStruct: return fields(read, in, out);
      case Act::kUnion:
        if (!in.take_choice(read.parts.size(), branch)) return AvroFault::kNotAvro;
        return row(read.parts[branch], in, out);
      default: detail_ = fmt::format("expected {}, got {}", expected_, avro_word(writer_->node(read.node)));
    }
    return AvroFault::kNotObject;
  }

  template <class Parent>
  AvroFault fields(const AvroRead& read, AvroInput& in, Parent& out) {
    for (size_t i = 0; i < read.parts.size(); ++i) {
      uint32_t column = read.columns[i];
      AvroFault fault = column == AvroRead::kSkip ? skip_avro(*writer_, read.parts[i].node, in)
                                                  : value(read.parts[i], in, column_of(out, column));
      if (fault == AvroFault::kNone) continue;
      const AvroNode& node = writer_->node(read.node);
      return node.kind == AvroKind::kRecord ? below(node.fields[i].name, fault) : fault;
    }
    for (uint32_t column : read.missing) column_of(out, column).append_null();
    return AvroFault::kNone;
  }

  AvroFault value(const AvroRead& read, AvroInput& in, ColumnBuilder& out) {
    std::string_view bytes;
    size_t choice = 0;
    bool flag = false;
    switch (read.act) {
      case Act::kMismatch: return mismatch(read, in, out);
      case Act::kNull: out.append_null(); return AvroFault::kNone;
      case Act::kUnion:
        if (!in.take_choice(read.parts.size(), choice)) return AvroFault::kNotAvro;
        return value(read.parts[choice], in, out);
      case Act::kStruct:
        if (AvroFault fault = fields(read, in, out); fault != AvroFault::kNone) return fault;
        out.finish_struct();
        return AvroFault::kNone;
      case Act::kList: return items(read, in, out);
      case Act::kText:
        if (!in.take_sized(bytes)) return AvroFault::kNotAvro;
        if (!is_ascii(bytes) && !is_utf8(bytes)) return AvroFault::kNotUtf8;
        out.append_stable_text(bytes);
        return AvroFault::kNone;
      case Act::kSymbol:
        if (!in.take_choice(writer_->node(read.node).symbols.size(), choice)) return AvroFault::kNotAvro;
        out.append_text(writer_->node(read.node).symbols[choice]);
        return AvroFault::kNone;
      case Act::kBlob:
        if (!take_bytes(read, in, bytes)) return AvroFault::kNotAvro;
        out.append_stable_text(bytes);
        return AvroFault::kNone;
      case Act::kBoolean:
        if (!in.take_boolean(flag)) return AvroFault::kNotAvro;
        out.append(static_cast<uint8_t>(flag));
        return AvroFault::kNone;
      case Act::kInteger: return integer(read, in, out);
      case Act::kFloat: return real<float>(read, in, out);
      case Act::kDouble: return real<double>(read, in, out);
      case Act::kDecimal: return decimal(read, in, out);
      case Act::kUuid: return uuid(read, in, out);
      case Act::kDate:
      case Act::kTime: return time(read, in, out);
      case Act::kParse: return parse(read, in, out);
      case Act::kJson: return json(read, in, out);
    }
    return AvroFault::kNotAvro;
  }

  [[gnu::noinline]] AvroFault mismatch(const AvroRead& read, AvroInput& in, const ColumnBuilder& out) {
    std::string_view text;
    bool shows = writer_->node(read.node).kind == AvroKind::kString && in.take_sized(text) && is_utf8(text);
    return mismatch(read, out, AvroFault::kType, shows ? fmt::format("\"{}\"", shorten(text)) : "");
  }

  bool take_bytes(const AvroRead& read, AvroInput& in, std::string_view& bytes) {
    const AvroNode& node = writer_->node(read.node);
    return node.kind == AvroKind::kFixed ? in.take_bytes(node.size, bytes) : in.take_sized(bytes);
  }

  bool take_integer(const AvroRead& read, AvroInput& in, int64_t& value) {
    if (writer_->node(read.node).kind == AvroKind::kLong) return in.take_long(value);
    int32_t narrow = 0;
    bool taken = in.take_int(narrow);
    value = narrow;
    return taken;
  }

  [[gnu::noinline]] AvroFault items(const AvroRead& read, AvroInput& in, ColumnBuilder& out) {
    const AvroRead& item = read.parts[0];
    bool empty = writer_->node(item.node).is_empty;
    size_t length = 0;
    while (true) {
      AvroInput::Block block;
      if (!in.take_block(empty, block)) return AvroFault::kNotAvro;
      if (block.count == 0) break;
      for (uint64_t i = 0; i < block.count; ++i) {
        if (empty && !budget_.take()) return AvroFault::kTooLarge;
        AvroFault fault = value(item, in, out.child());
        if (fault != AvroFault::kNone) return below(fmt::format("[{}]", length), fault);
        ++length;
      }
      if (!in.ends(block)) return AvroFault::kNotAvro;
    }
    out.finish_list(length);
    return AvroFault::kNone;
  }

  AvroFault integer(const AvroRead& read, AvroInput& in, ColumnBuilder& out) {
    int64_t number = 0;
    if (!take_integer(read, in, number)) return AvroFault::kNotAvro;
    return append_integer(number, out) ? AvroFault::kNone : mismatch(read, out, AvroFault::kRange, std::to_string(number));
  }

  template <class T>
  AvroFault real(const AvroRead& read, AvroInput& in, ColumnBuilder& out) {
    T number = 0;
    if (!in.take_float(number)) return AvroFault::kNotAvro;
    if (out.type().id == TypeId::kDouble) return out.append(static_cast<double>(number)), AvroFault::kNone;
    if (std::is_same_v<T, float> && out.type().id == TypeId::kFloat) return out.append(number), AvroFault::kNone;
    scratch_.clear();
    fmt::format_to(std::back_inserter(scratch_), "{}", number);
    return append_text(read, scratch_, out);
  }

  [[gnu::noinline]] AvroFault decimal(const AvroRead& read, AvroInput& in, ColumnBuilder& out) {
    std::string_view bytes;
    __int128 number = 0;
    if (!take_bytes(read, in, bytes)) return AvroFault::kNotAvro;
    if (!read_avro_decimal(bytes, number)) return mismatch(read, out, AvroFault::kRange, "of more than 127 bits");
    scratch_.clear();
    append_number(scratch_, number, static_cast<size_t>(writer_->node(read.node).scale));
    return append_text(read, scratch_, out);
  }

  AvroFault uuid(const AvroRead& read, AvroInput& in, ColumnBuilder& out) {
    std::string_view bytes;
    Uuid uuid;
    if (!take_bytes(read, in, bytes) || bytes.size() != uuid.bytes.size()) return AvroFault::kNotAvro;
    std::memcpy(uuid.bytes.data(), bytes.data(), uuid.bytes.size());
    out.append(model::uuid_to_element(uuid));
    return AvroFault::kNone;
  }

  AvroFault time(const AvroRead& read, AvroInput& in, ColumnBuilder& out) {
    int64_t number = 0, micros = 0;
    if (!take_integer(read, in, number)) return AvroFault::kNotAvro;
    bool date = read.act == Act::kDate && number != INT32_MIN;  // which is no day
    if (date) return out.append(static_cast<int32_t>(number)), AvroFault::kNone;
    if (read.act == Act::kDate || !scale_avro_time(writer_->node(read.node).logical, number, micros)) {
      return mismatch(read, out, AvroFault::kRange, std::to_string(number));
    }
    out.append(micros);
    return AvroFault::kNone;
  }

  [[gnu::noinline]] AvroFault parse(const AvroRead& read, AvroInput& in, ColumnBuilder& out) {
    std::string_view text;
    if (!in.take_sized(text)) return AvroFault::kNotAvro;
    if (!is_utf8(text)) return AvroFault::kNotUtf8;
    JsonFault fault = append_scalar(out, text);
    if (fault == JsonFault::kNone) return AvroFault::kNone;
    return mismatch(read, out, fault == JsonFault::kRange ? AvroFault::kRange : AvroFault::kType,
                    fmt::format("\"{}\"", shorten(text)));
  }

  [[gnu::noinline]] AvroFault append_text(const AvroRead& read, const std::string& number, ColumnBuilder& out) {
    JsonFault fault = append_scalar(out, number);
    if (fault == JsonFault::kNone) return AvroFault::kNone;
    return mismatch(read, out, fault == JsonFault::kRange ? AvroFault::kRange : AvroFault::kType, number);
  }

  [[gnu::noinline]] AvroFault json(const AvroRead& read, AvroInput& in, ColumnBuilder& out) {
    scratch_.clear();
    AvroFault fault = append_avro_json(*writer_, read.node, in, scratch_, budget_);
    if (fault != AvroFault::kNone) return fault;
    std::string_view text = scratch_;
    // Of what comes here only numbers, dates and base64 stand in quotes, and these have no escapes.
    if (text.starts_with('"')) text = text.substr(1, text.size() - 2);
    out.append_text(text);
    return AvroFault::kNone;
  }

  std::shared_ptr<const AvroSchema> writer_;
  AvroRead plan_;
  std::string expected_;
  AvroBudget budget_;
  AvroFault fault_ = AvroFault::kNone;
  std::string path_, detail_, scratch_;
};

Result<AvroDecoder> AvroDecoder::make(std::shared_ptr<const AvroSchema> writer, std::shared_ptr<const model::Schema> columns) {
  TRY(AvroRead plan, plan_avro_row(*writer, *columns));
  std::string expected = columns->fields.size() == 1 ? "a record or " + type_word(columns->fields[0].type) : "a record";
  return AvroDecoder(std::make_unique<Impl>(std::move(writer), std::move(plan), std::move(expected)));
}

AvroDecoder::AvroDecoder(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
AvroDecoder::AvroDecoder(AvroDecoder&&) noexcept = default;
AvroDecoder& AvroDecoder::operator=(AvroDecoder&&) noexcept = default;
AvroDecoder::~AvroDecoder() = default;

Status AvroDecoder::append(std::string_view value, model::BatchBuilder& out) { return impl_->append(value, out); }
std::string_view AvroDecoder::fault() const { return avro_fault_name(impl_->fault()); }

}  // namespace millrace::format
