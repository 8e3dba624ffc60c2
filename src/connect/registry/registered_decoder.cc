#include "connect/registry/registered_decoder.h"

#include <fmt/format.h>

#include <utility>

#include "base/bytes.h"
#include "connect/registry/wire_format.h"

namespace millrace::connect::registry {

RegisteredDecoder::RegisteredDecoder(std::shared_ptr<SchemaCache> schemas, std::string place,
                                     std::shared_ptr<const model::Schema> columns)
    : schemas_(std::move(schemas)), place_(std::move(place)), columns_(std::move(columns)) {}

Status RegisteredDecoder::append(std::string_view value, model::BatchBuilder& out) {
  fault_ = "none";
  if (value.size() < kHeadBytes || value[0] != kMagic) {
    return refuse("not_registered", "value does not begin with the magic byte of the registry's wire format",
                  "write it with a serializer of the registry, or declare the topic without one");
  }
  auto id = load_be<int32_t>(value.data() + 1);
  std::string_view payload = value.substr(kHeadBytes);
  if (id == last_id_ && last_ != nullptr) return read_avro(*last_, payload, out);
  auto found = reader(id);
  if (!found) return refuse(std::move(found.error()));
  if (*found == nullptr) return read_json(payload, out);
  last_id_ = id;
  last_ = *found;
  return read_avro(*last_, payload, out);
}

Status RegisteredDecoder::read_avro(format::AvroDecoder& decoder, std::string_view payload, model::BatchBuilder& out) {
  Status done = decoder.append(payload, out);
  if (!done) fault_ = decoder.fault();
  return done;
}

Status RegisteredDecoder::read_json(std::string_view payload, model::BatchBuilder& out) {
  if (!json_) {
    TRY(json_, format::JsonDecoder::make(columns_));
  }
  Status done = json_->append(payload, out);
  if (!done) fault_ = format::fault_name(json_->last_fault());
  return done;
}

Result<format::AvroDecoder*> RegisteredDecoder::reader(int32_t id) {
  auto known = readers_.find(id);
  if (known == readers_.end()) {
    TRY(UsableSchema schema, schemas_->get(id));
    std::optional<format::AvroDecoder> made;
    if (schema.avro != nullptr) {
      TRY(made, format::AvroDecoder::make(schema.avro, columns_));
    }
    if (readers_.size() >= kReadersMax) {
      last_ = nullptr;
      readers_.clear();
    }
    known = readers_.emplace(id, std::move(made)).first;
  }
  return known->second ? &*known->second : nullptr;
}

tl::unexpected<Error> RegisteredDecoder::refuse(std::string_view fault, std::string message, std::string hint) {
  fault_ = fault;
  return fail(Errc::kInvalidArgument, std::move(message), std::move(hint));
}

/// Tells what the record is to blame for from what is the registry's.
tl::unexpected<Error> RegisteredDecoder::refuse(Error error) {
  switch (error.code) {
    case Errc::kNotFound: return refuse("unknown_schema", std::move(error.message));
    case Errc::kUnimplemented:
      return refuse("unsupported_schema", fmt::format("{}: {}; not in this version", place_, error.message),
                    std::move(error.hint));
    case Errc::kInvalidArgument:
    case Errc::kResourceExhausted: return refuse("unusable_schema", std::move(error.message));
    default: return fail(std::move(error));
  }
}

}  // namespace millrace::connect::registry
