#include "format/avro_input.h"

#include <string>
#include <utility>

#include "base/bytes.h"
#include "base/uuid.h"
#include "format/json_write.h"
#include "format/scalar.h"
#include "format/temporal.h"

namespace millrace::format {
namespace {

constexpr int64_t kMicrosOfDay = 86'400'000'000;

/// Calls `item` for each item of an array or map.
template <class Item>
AvroFault each_item(AvroInput& in, bool empty_items, Item item) {
  while (true) {
    AvroInput::Block block;
    if (!in.take_block(empty_items, block)) return AvroFault::kNotAvro;
    if (block.count == 0) return AvroFault::kNone;
    for (uint64_t i = 0; i < block.count; ++i) {
      if (AvroFault fault = item(); fault != AvroFault::kNone) return fault;
    }
    if (!in.ends(block)) return AvroFault::kNotAvro;
  }
}

AvroFault skip_items(const AvroSchema& schema, const AvroNode& node, AvroInput& in, int depth) {
  bool map = node.kind == AvroKind::kMap;
  bool empty_items = !map && schema.node(node.nodes[0]).is_empty;
  while (true) {
    AvroInput::Block block;
    std::string_view passed;
    if (!in.take_block(empty_items, block)) return AvroFault::kNotAvro;
    if (block.count == 0) return AvroFault::kNone;
    if (block.has_bytes) {
      if (!in.take_bytes(block.bytes, passed)) return AvroFault::kNotAvro;
      continue;
    }
    for (uint64_t i = 0; i < block.count && !empty_items; ++i) {
      if (map && !in.take_sized(passed)) return AvroFault::kNotAvro;
      if (AvroFault fault = skip_avro(schema, node.nodes[0], in, depth + 1); fault != AvroFault::kNone) return fault;
    }
  }
}

void append_quoted(std::string& out, const std::string& text) { out.append(1, '"').append(text).append(1, '"'); }

AvroFault append_bytes_json(const AvroNode& node, std::string_view bytes, std::string& out) {
  std::string text;
  if (node.logical == AvroLogical::kDecimal) {
    __int128 value = 0;
    if (!read_avro_decimal(bytes, value)) return AvroFault::kRange;
    append_number(text, value, static_cast<size_t>(node.scale));
  } else if (node.logical == AvroLogical::kUuid) {
    Uuid uuid;
    std::memcpy(uuid.bytes.data(), bytes.data(), uuid.bytes.size());
    text = format_uuid(uuid);
  } else {
    text = to_base64(bytes);
  }
  append_quoted(out, text);
  return AvroFault::kNone;
}

AvroFault append_long_json(const AvroNode& node, AvroInput& in, std::string& out) {
  int64_t value = 0;
  int32_t narrow = 0;
  if (node.kind == AvroKind::kInt ? !in.take_int(narrow) : !in.take_long(value)) return AvroFault::kNotAvro;
  if (node.kind == AvroKind::kInt) value = narrow;
  if (node.logical == AvroLogical::kNone) return append_json_integer(out, value), AvroFault::kNone;
  std::string text;
  int64_t micros = 0;
  if (!scale_avro_time(node.logical, value, micros)) return AvroFault::kRange;
  switch (node.logical) {
    case AvroLogical::kDate: append_date(text, narrow); break;
    case AvroLogical::kTimeMillis:
    case AvroLogical::kTimeMicros: append_time(text, micros); break;
    case AvroLogical::kTimestampMillis:
    case AvroLogical::kTimestampMicros:
    case AvroLogical::kTimestampNanos: append_timestamp(text, micros, 'T', "Z"); break;
    default: append_timestamp(text, micros, 'T', ""); break;
  }
  append_quoted(out, text);
  return AvroFault::kNone;
}

AvroFault append_string_json(AvroInput& in, std::string& out) {
  std::string_view text;
  if (!in.take_sized(text)) return AvroFault::kNotAvro;
  if (!is_utf8(text)) return AvroFault::kNotUtf8;
  append_json_string(out, text);
  return AvroFault::kNone;
}

template <class T>
AvroFault append_float_json(AvroInput& in, std::string& out) {
  T value = 0;
  if (!in.take_float(value)) return AvroFault::kNotAvro;
  append_json_float(out, value);
  return AvroFault::kNone;
}

AvroFault append_scalar_json(const AvroNode& node, AvroInput& in, std::string& out) {
  std::string_view bytes;
  bool flag = false;
  size_t symbol = 0;
  switch (node.kind) {
    case AvroKind::kNull: out += "null"; return AvroFault::kNone;
    case AvroKind::kBoolean:
      if (!in.take_boolean(flag)) return AvroFault::kNotAvro;
      out += flag ? "true" : "false";
      return AvroFault::kNone;
    case AvroKind::kFloat: return append_float_json<float>(in, out);
    case AvroKind::kDouble: return append_float_json<double>(in, out);
    case AvroKind::kBytes: return in.take_sized(bytes) ? append_bytes_json(node, bytes, out) : AvroFault::kNotAvro;
    case AvroKind::kFixed: return in.take_bytes(node.size, bytes) ? append_bytes_json(node, bytes, out) : AvroFault::kNotAvro;
    case AvroKind::kString: return append_string_json(in, out);
    case AvroKind::kEnum:
      if (!in.take_choice(node.symbols.size(), symbol)) return AvroFault::kNotAvro;
      append_json_string(out, node.symbols[symbol]);
      return AvroFault::kNone;
    default: return append_long_json(node, in, out);
  }
}

}  // namespace

std::string_view avro_fault_name(AvroFault fault) {
  switch (fault) {
    case AvroFault::kNone: return "none";
    case AvroFault::kNotAvro: return "not_avro";
    case AvroFault::kNotUtf8: return "not_utf8";
    case AvroFault::kTooDeep: return "too_deep";
    case AvroFault::kTooLarge: return "too_large";
    case AvroFault::kNotObject: return "not_object";
    case AvroFault::kType: return "type_mismatch";
    case AvroFault::kRange: return "out_of_range";
  }
  return "unknown";
}

bool AvroInput::take_wide(int64_t& out) {
  uint64_t value = 0;
  for (int shift = 0; shift < 64 && at_ != end_; shift += 7) {
    auto byte = static_cast<uint8_t>(*at_++);
    if (shift == 63 && byte > 1) return false;
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte >= 0x80) continue;
    out = static_cast<int64_t>(value >> 1) ^ -static_cast<int64_t>(value & 1);
    return true;
  }
  return false;
}

AvroFault skip_avro(const AvroSchema& schema, uint32_t index, AvroInput& in, int depth) {
  const AvroNode& node = schema.node(index);
  if (node.is_empty) return AvroFault::kNone;
  if (depth > kAvroDepthMax) return AvroFault::kTooDeep;
  int64_t number = 0;
  std::string_view bytes;
  size_t choice = 0;
  bool taken = true;
  switch (node.kind) {
    case AvroKind::kNull: break;
    case AvroKind::kBoolean: taken = in.take_bytes(1, bytes); break;
    case AvroKind::kInt:
    case AvroKind::kLong: taken = in.take_long(number); break;
    case AvroKind::kFloat: taken = in.take_bytes(4, bytes); break;
    case AvroKind::kDouble: taken = in.take_bytes(8, bytes); break;
    case AvroKind::kBytes:
    case AvroKind::kString: taken = in.take_sized(bytes); break;
    case AvroKind::kFixed: taken = in.take_bytes(node.size, bytes); break;
    case AvroKind::kEnum: taken = in.take_choice(node.symbols.size(), choice); break;
    case AvroKind::kArray:
    case AvroKind::kMap: return skip_items(schema, node, in, depth);
    case AvroKind::kUnion:
      if (!in.take_choice(node.nodes.size(), choice)) return AvroFault::kNotAvro;
      return skip_avro(schema, node.nodes[choice], in, depth + 1);
    case AvroKind::kRecord:
      for (const AvroField& field : node.fields) {
        if (AvroFault fault = skip_avro(schema, field.node, in, depth + 1); fault != AvroFault::kNone) return fault;
      }
      break;
  }
  return taken ? AvroFault::kNone : AvroFault::kNotAvro;
}

AvroFault append_avro_json(const AvroSchema& schema, uint32_t index, AvroInput& in, std::string& out, AvroBudget& budget,
                           int depth) {
  const AvroNode& node = schema.node(index);
  if (depth > kAvroDepthMax) return AvroFault::kTooDeep;
  if (node.is_empty && !budget.take()) return AvroFault::kTooLarge;
  size_t choice = 0;
  bool first = true;
  auto comma = [&] {
    if (!std::exchange(first, false)) out += ',';
  };
  auto below = [&](uint32_t inner) { return append_avro_json(schema, inner, in, out, budget, depth + 1); };
  AvroFault fault = AvroFault::kNone;
  switch (node.kind) {
    case AvroKind::kUnion: return in.take_choice(node.nodes.size(), choice) ? below(node.nodes[choice]) : AvroFault::kNotAvro;
    case AvroKind::kArray:
      out += '[';
      fault = each_item(in, schema.node(node.nodes[0]).is_empty, [&] { return comma(), below(node.nodes[0]); });
      out += ']';
      return fault;
    case AvroKind::kMap:
      out += '{';
      fault = each_item(in, false, [&] {
        comma();
        AvroFault name = append_string_json(in, out);
        out += ':';
        return name == AvroFault::kNone ? below(node.nodes[0]) : name;
      });
      out += '}';
      return fault;
    case AvroKind::kRecord:
      out += '{';
      for (const AvroField& field : node.fields) {
        comma();
        append_json_string(out, field.name);
        out += ':';
        if (fault = below(field.node); fault != AvroFault::kNone) return fault;
      }
      out += '}';
      return fault;
    default: return append_scalar_json(node, in, out);
  }
}

bool read_avro_decimal(std::string_view bytes, __int128& out) {
  bool negative = !bytes.empty() && static_cast<int8_t>(bytes[0]) < 0;
  const char sign = negative ? '\xff' : '\0';
  while (bytes.size() > 16) {
    if (bytes[0] != sign) return false;
    bytes.remove_prefix(1);
  }
  unsigned __int128 value = negative ? ~static_cast<unsigned __int128>(0) : 0;
  for (char c : bytes) value = value << 8 | static_cast<uint8_t>(c);
  out = static_cast<__int128>(value);
  return (out < 0) == negative;
}

bool scale_avro_time(AvroLogical logical, int64_t value, int64_t& micros) {
  bool of_day = logical == AvroLogical::kTimeMillis || logical == AvroLogical::kTimeMicros;
  switch (logical) {
    case AvroLogical::kTimeMillis:
    case AvroLogical::kTimestampMillis:
    case AvroLogical::kLocalTimestampMillis:
      if (__builtin_mul_overflow(value, 1000, &micros)) return false;
      break;
    case AvroLogical::kTimestampNanos:
    case AvroLogical::kLocalTimestampNanos: micros = value / 1000 - (value % 1000 < 0); break;
    default: micros = value; break;
  }
  // The two ends of the 64 bits stand for the infinities, and the lowest number for nothing.
  return of_day ? micros >= 0 && micros <= kMicrosOfDay : micros != INT64_MIN;
}

}  // namespace millrace::format
