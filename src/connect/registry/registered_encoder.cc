#include "connect/registry/registered_encoder.h"

#include <fmt/format.h>

#include "base/bytes.h"
#include "connect/registry/json_schema.h"
#include "connect/registry/wire_format.h"
#include "format/json_write.h"

namespace millrace::connect::registry {
namespace {

constexpr std::string_view kNamespace = "millrace.";

struct Subject {
  std::string name;
  bool avro = true;
  std::string derived;  // the schema of the columns

  std::string_view type() const { return avro ? "AVRO" : "JSON"; }
};

Result<int32_t> registered_id(Api& api, const Subject& subject) {
  if (api.settings().register_schemas) return api.register_schema(subject.name, subject.type(), subject.derived);
  auto id = api.look_up(subject.name, subject.type(), subject.derived);
  if (id || id.error().code != Errc::kNotFound) return id;
  return fail(Errc::kFailedPrecondition, id.error().message,
              "register the schema, or set auto.register.schemas or use.latest.version to true");
}

Result<Registered> latest_of(Api& api, const Subject& subject) {
  auto latest = api.latest(subject.name);
  if (!latest && latest.error().code == Errc::kNotFound) {
    return fail(Errc::kFailedPrecondition, latest.error().message,
                "use.latest.version wants a schema that is registered: register one first");
  }
  if (latest && latest->type != subject.type()) {
    return fail(Errc::kFailedPrecondition,
                fmt::format("subject {}: its latest schema is of type {}, not {}", subject.name, latest->type, subject.type()),
                "set the topic's format to that of the schema");
  }
  return latest;
}

}  // namespace

RegisteredEncoder::RegisteredEncoder(int32_t id, std::optional<format::AvroEncoder> avro)
    : head_(1, kMagic), avro_(std::move(avro)) {
  append_be(head_, id);
}

Result<std::unique_ptr<RegisteredEncoder>> RegisteredEncoder::make(SchemaCache& schemas, const std::string& topic, bool of_key,
                                                                   port::ValueFormat format,
                                                                   std::shared_ptr<const model::Schema> columns) {
  if (format == port::ValueFormat::kJson) {
    return fail(Errc::kInvalidArgument, "plain JSON has no schema to register", "use the format avro or json_schema");
  }
  Api& api = schemas.api();
  Subject subject{.avro = format == port::ValueFormat::kAvro};
  std::string record = std::string(kNamespace) + format::make_avro_name(topic);
  if (of_key) record += "_key";
  subject.name = subject_name(api.settings(), topic, of_key, record);
  if (subject.avro) {
    TRY(subject.derived, format::derive_avro_schema(*columns, record));
  } else {
    subject.derived = derive_json_schema(*columns, record);
  }
  Registered schema{.type = std::string(subject.type()), .text = subject.derived};
  if (api.settings().use_latest) {
    TRY(schema, latest_of(api, subject));
  } else {
    TRY(schema.id, registered_id(api, subject));
  }
  std::optional<format::AvroEncoder> avro;
  if (subject.avro) {
    TRY(auto parsed, schemas.parse_avro(schema));
    auto made = format::AvroEncoder::make(std::move(parsed), std::move(columns));
    if (!made) return fail(at("subject " + subject.name, std::move(made.error())));
    avro = std::move(*made);
  }
  return std::unique_ptr<RegisteredEncoder>(new RegisteredEncoder(schema.id, std::move(avro)));
}

Status RegisteredEncoder::append(std::string& out, const model::ColumnBatch& rows, size_t row) {
  size_t start = out.size();
  out += head_;
  if (!avro_) return format::append_row_json(out, rows, row), Status();
  Status done = avro_->append(out, rows, row);
  if (!done) out.resize(start);
  return done;
}

}  // namespace millrace::connect::registry
