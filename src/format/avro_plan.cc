#include "format/avro_plan.h"

#include <algorithm>

namespace millrace::format {
namespace {

using model::TypeId;
using Act = AvroRead::Act;

// Unions of records multiply with the structs that they are read into.
constexpr size_t kPartsMax = 100'000;

bool is_number(TypeId id) { return id >= TypeId::kTinyint && id <= TypeId::kDecimal; }

Act act_for_string(TypeId to) {
  switch (to) {
    case TypeId::kText: return Act::kText;
    case TypeId::kBlob: return Act::kBlob;
    case TypeId::kList:
    case TypeId::kStruct:
    case TypeId::kInterval: return Act::kMismatch;
    default: return Act::kParse;
  }
}

Act act_for_bytes(const AvroNode& node, TypeId to) {
  if (node.logical == AvroLogical::kDecimal && is_number(to)) return Act::kDecimal;
  if (node.logical == AvroLogical::kUuid && to == TypeId::kUuid) return Act::kUuid;
  if (to == TypeId::kBlob) return Act::kBlob;
  if (to != TypeId::kText) return Act::kMismatch;
  return node.kind == AvroKind::kBytes && node.logical == AvroLogical::kNone ? Act::kText : Act::kJson;
}

Act act_for_integer(const AvroNode& node, TypeId to) {
  if (to == TypeId::kText) return Act::kJson;
  switch (node.logical) {
    case AvroLogical::kNone: return is_number(to) ? Act::kInteger : Act::kMismatch;
    case AvroLogical::kDate: return to == TypeId::kDate ? Act::kDate : Act::kMismatch;
    case AvroLogical::kTimeMillis:
    case AvroLogical::kTimeMicros: return to == TypeId::kTime ? Act::kTime : Act::kMismatch;
    default: return to == TypeId::kTimestamp || to == TypeId::kTimestampTz ? Act::kTime : Act::kMismatch;
  }
}

/// For every kind that holds no other.
Act act_for(const AvroNode& node, TypeId to) {
  bool floats = is_number(to) && (to == TypeId::kFloat || to == TypeId::kDouble || to == TypeId::kDecimal);
  switch (node.kind) {
    case AvroKind::kNull: return Act::kNull;
    case AvroKind::kBoolean: return to == TypeId::kBoolean ? Act::kBoolean : to == TypeId::kText ? Act::kJson : Act::kMismatch;
    case AvroKind::kInt:
    case AvroKind::kLong: return act_for_integer(node, to);
    case AvroKind::kFloat: return floats ? Act::kFloat : to == TypeId::kText ? Act::kJson : Act::kMismatch;
    case AvroKind::kDouble: return floats ? Act::kDouble : to == TypeId::kText ? Act::kJson : Act::kMismatch;
    case AvroKind::kBytes:
    case AvroKind::kFixed: return act_for_bytes(node, to);
    case AvroKind::kString: return act_for_string(to);
    case AvroKind::kEnum: return to == TypeId::kText ? Act::kSymbol : Act::kMismatch;
    default: return to == TypeId::kText ? Act::kJson : Act::kMismatch;
  }
}

class Planner {
 public:
  explicit Planner(const AvroSchema& writer) : writer_(writer) {}

  Result<AvroRead> row(uint32_t index, const model::Schema& columns) {
    const AvroNode& node = writer_.node(index);
    if (node.kind == AvroKind::kRecord) return record(index, columns.fields);
    if (columns.fields.size() == 1 && node.kind != AvroKind::kUnion) return row_of_one(index, columns);
    AvroRead read{.node = index};
    if (node.kind != AvroKind::kUnion) return read;
    read.act = Act::kUnion;
    for (uint32_t branch : node.nodes) {
      TRY(AvroRead part, row(branch, columns));
      read.parts.push_back(std::move(part));
    }
    return read;
  }

 private:
  /// As a record of one field without a name.
  Result<AvroRead> row_of_one(uint32_t index, const model::Schema& columns) {
    TRY(AvroRead part, value(index, columns.fields[0].type));
    AvroRead read{.act = Act::kStruct, .node = index, .columns = {0}};
    read.parts.push_back(std::move(part));
    return read;
  }

  Result<AvroRead> value(uint32_t index, const model::Type& to) {
    if (++parts_ > kPartsMax) {
      return fail(Errc::kResourceExhausted, "the Avro schema has too many unions of records within each other");
    }
    const AvroNode& node = writer_.node(index);
    if (node.kind == AvroKind::kRecord && to.id == TypeId::kStruct) return record(index, to.fields);
    AvroRead read{.act = act_for(node, to.id), .node = index};
    bool list = node.kind == AvroKind::kArray && to.id == TypeId::kList;
    if (!list && node.kind != AvroKind::kUnion) return read;
    read.act = list ? Act::kList : Act::kUnion;
    for (uint32_t inner : node.nodes) {
      TRY(AvroRead part, value(inner, list ? to.fields[0].type : to));
      read.parts.push_back(std::move(part));
    }
    return read;
  }

  Result<AvroRead> record(uint32_t index, const std::vector<model::Field>& to) {
    const AvroNode& node = writer_.node(index);
    AvroRead read{.act = Act::kStruct, .node = index};
    read.columns.assign(node.fields.size(), AvroRead::kSkip);
    for (uint32_t column = 0; column < to.size(); ++column) {
      auto from = field_of(node, to[column].name);
      // One field cannot fill two columns: the second one of a name stays empty, as with JSON.
      if (from == node.fields.end() || read.columns[static_cast<size_t>(from - node.fields.begin())] != AvroRead::kSkip) {
        read.missing.push_back(column);
      } else {
        read.columns[static_cast<size_t>(from - node.fields.begin())] = column;
      }
    }
    for (size_t i = 0; i < node.fields.size(); ++i) {
      AvroRead part{.node = node.fields[i].node};
      if (read.columns[i] != AvroRead::kSkip) {
        TRY(part, value(part.node, to[read.columns[i]].type));
      } else if (++parts_ > kPartsMax) {
        return fail(Errc::kResourceExhausted, "the Avro schema has too many unions of records within each other");
      }
      read.parts.push_back(std::move(part));
    }
    return read;
  }

  static std::vector<AvroField>::const_iterator field_of(const AvroNode& node, const std::string& name) {
    auto exact = std::find_if(node.fields.begin(), node.fields.end(), [&](const AvroField& f) { return f.name == name; });
    if (exact != node.fields.end()) return exact;
    return std::find_if(node.fields.begin(), node.fields.end(), [&](const AvroField& f) {
      return std::find(f.aliases.begin(), f.aliases.end(), name) != f.aliases.end();
    });
  }

  const AvroSchema& writer_;
  size_t parts_ = 0;
};

}  // namespace

Result<AvroRead> plan_avro_row(const AvroSchema& writer, const model::Schema& columns) {
  return Planner(writer).row(writer.root(), columns);
}

}  // namespace millrace::format
