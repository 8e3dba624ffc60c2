#include "connect/registry/json_schema.h"

#include "format/json_doc.h"

namespace millrace::connect::registry {
namespace {

using format::Json;
using model::TypeId;

Json object_of(const std::vector<model::Field>& fields);

Json of(std::initializer_list<std::string_view> types) {
  Json list = Json::array();
  for (std::string_view type : types) list.push(type);
  return Json::object().set("type", list.push("null"));
}

Json property(const model::Type& type) {
  switch (type.id) {
    case TypeId::kBoolean: return of({"boolean"});
    case TypeId::kTinyint:
    case TypeId::kSmallint:
    case TypeId::kInteger:
    case TypeId::kUtinyint:
    case TypeId::kUsmallint:
    case TypeId::kUinteger: return of({"integer"});
    case TypeId::kBigint:
    case TypeId::kUbigint:
    case TypeId::kHugeint: return of({"integer", "string"});
    case TypeId::kFloat:
    case TypeId::kDouble: return of({"number", "string"});
    case TypeId::kBlob: return of({"string"}).set("contentEncoding", "base64");
    case TypeId::kUuid: return of({"string"}).set("format", "uuid");
    case TypeId::kDate: return of({"string"}).set("format", "date");
    case TypeId::kTimestampTz: return of({"string"}).set("format", "date-time");
    case TypeId::kDecimal:
    case TypeId::kText:
    case TypeId::kTime:
    case TypeId::kTimestamp:
    case TypeId::kInterval: return of({"string"});
    case TypeId::kList: return of({"array"}).set("items", property(type.fields[0].type));
    case TypeId::kStruct: {
      Json out = object_of(type.fields);
      out.set("type", Json::array().push("object").push("null"));
      return out;
    }
  }
  return of({"string"});
}

Json object_of(const std::vector<model::Field>& fields) {
  Json properties = Json::object();
  for (const model::Field& field : fields) properties.set(field.name, property(field.type));
  return Json::object().set("type", "object").set("properties", std::move(properties)).set("additionalProperties", false);
}

}  // namespace

std::string derive_json_schema(const model::Schema& columns, std::string_view title) {
  Json schema = Json::object().set("$schema", "http://json-schema.org/draft-07/schema#").set("title", title);
  Json object = object_of(columns.fields);
  for (Json::Member& member : *object.as_object()) schema.set(member.name, std::move(member.value));
  return format::to_json(schema);
}

}  // namespace millrace::connect::registry
