#include <fmt/format.h>

#include "format/avro_encoder.h"
#include "format/json_doc.h"
#include "format/scalar.h"

namespace millrace::format {
namespace {

using model::TypeId;

Json simple(std::string_view type, std::string_view logical) {
  return Json::object().set("type", type).set("logicalType", logical);
}
Json decimal(int precision, int scale) { return simple("bytes", "decimal").set("precision", precision).set("scale", scale); }
Json nullable(Json type) { return Json::array().push("null").push(std::move(type)); }

class Deriver {
 public:
  explicit Deriver(std::string_view name) : root_(name) {}

  Result<Json> record(const std::vector<model::Field>& fields, const std::string& path) {
    Json list = Json::array();
    for (const model::Field& field : fields) {
      if (!is_avro_name(field.name)) {
        return fail(Errc::kInvalidArgument, fmt::format("the column '{}' has no name that Avro allows", field.name),
                    "give it one of letters, digits and _ in the query: … AS name");
      }
      TRY(Json type, of(field.type, path.empty() ? field.name : path + "_" + field.name));
      list.push(Json::object().set("name", field.name).set("type", nullable(std::move(type))).set("default", nullptr));
    }
    return Json::object()
        .set("type", "record")
        .set("name", path.empty() ? root_ : root_ + "_" + path)
        .set("fields", std::move(list));
  }

 private:
  Result<Json> of(const model::Type& type, const std::string& path) {
    switch (type.id) {
      case TypeId::kBoolean: return Json("boolean");
      case TypeId::kTinyint:
      case TypeId::kSmallint:
      case TypeId::kInteger:
      case TypeId::kUtinyint:
      case TypeId::kUsmallint: return Json("int");
      case TypeId::kUinteger:
      case TypeId::kBigint: return Json("long");
      case TypeId::kUbigint: return decimal(20, 0);
      case TypeId::kHugeint: return decimal(39, 0);
      case TypeId::kFloat: return Json("float");
      case TypeId::kDouble: return Json("double");
      case TypeId::kDecimal: return decimal(type.width, type.scale);
      case TypeId::kText: return Json("string");
      case TypeId::kBlob: return Json("bytes");
      case TypeId::kUuid: return simple("string", "uuid");
      case TypeId::kDate: return simple("int", "date");
      case TypeId::kTime: return simple("long", "time-micros");
      case TypeId::kTimestamp: return simple("long", "local-timestamp-micros");
      case TypeId::kTimestampTz: return simple("long", "timestamp-micros");
      case TypeId::kStruct: return record(type.fields, path);
      case TypeId::kList: {
        TRY(Json items, of(type.fields[0].type, path));
        return Json::object().set("type", "array").set("items", nullable(std::move(items)));
      }
      case TypeId::kInterval: break;
    }
    return fail(Errc::kInvalidArgument, fmt::format("the column '{}' is of type {}, which Avro lacks", path, type_word(type)),
                "cast it in the query, for example to text");
  }

  std::string root_;
};

}  // namespace

Result<std::string> derive_avro_schema(const model::Schema& columns, std::string_view name) {
  TRY(Json schema, Deriver(name).record(columns.fields, ""));
  return to_json(schema);
}

std::string make_avro_name(std::string_view text) {
  std::string name;
  for (char c : text) name += is_avro_name(std::string("_") + c) ? c : '_';
  return is_avro_name(name) ? name : "_" + name;
}

}  // namespace millrace::format
