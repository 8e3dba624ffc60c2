#include "app/guarantee.h"

#include <fmt/format.h>

namespace millrace::app {
namespace {

/// The scheme of the system that takes the rows; empty: this data directory.
std::string_view target_of(const project::Project& project, const CompiledQuery& query) {
  if (const auto* connection = project::find(project.connections, query.connection)) return connection->scheme();
  return query.into_table ? project.parts.tables.scheme() : project.parts.log.scheme();
}

std::string promise(std::string_view target, bool in_group) {
  if (target.empty()) return "exactly-once from the topic on: rows, position and counts are one commit";
  if (target == "file")
    return "exactly-once from the topic on: what counts of a file is committed with the position, the rest is cut off";
  if (target == "kafka") {
    return in_group ? "exactly-once from the topic on: rows and the group's offsets are one transaction (readers need "
                      "isolation.level=read_committed)"
                    : "exactly-once from the topic on: rows and the epoch's number are one transaction (readers need "
                      "isolation.level=read_committed)";
  }
  if (target == "postgresql") {
    return in_group ? "effectively-once from the topic on: a row that is written again has the same key and version, and the "
                      "greater version wins; weakest link: a deleted key's version is not kept, so a process that was held up "
                      "may write back a row that another has deleted"
                    : "exactly-once from the topic on: rows and the epoch's number are one transaction";
  }
  if (target == "cassandra") {
    return "effectively-once from the topic on: a row that is written again after a crash has the same key and write timestamp; "
           "weakest link: Cassandra has no transaction for rows and position";
  }
  if (target == "http") {
    return "at-least-once from the topic on (effectively-once where the receiver honours Idempotency-Key); weakest link: the "
           "receiver's answer may be lost";
  }
  return "at-least-once from the topic on; weakest link: what was printed cannot be taken back";
}

std::string_view why_weak(const project::Source& source) {
  if (std::holds_alternative<project::HttpRequest>(source.from)) {
    return "an HTTP API cannot be read again, so what it answered before an answer was durable is asked for anew";
  }
  return "its position follows the records, so after a crash some may come twice";
}

}  // namespace

std::string guarantee_of(const project::Project& project, const CompiledQuery& query) {
  bool in_group = project.parts.log.options.contains("group.id");
  std::string text = promise(target_of(project, query), in_group);
  // The group's offsets can only join a transaction of its own log.
  if (in_group && project::find(project.connections, query.connection) != nullptr && target_of(project, query) == "kafka")
    text = "none: another Kafka has one writer, so a consumer group cannot write into it";
  for (const project::Source& source : project.sources) {
    if (source.into == query.topic) text += fmt::format("; weakest link: source {} ({})", source.name, why_weak(source));
  }
  const project::Topic* topic = project::find(project.topics, query.topic);
  if (topic != nullptr && project.parts.log.embedded() && topic->sync != project::Sync::kAlways) {
    text += fmt::format("; weakest link: topic {} acknowledges before the disk has the records (sync: {})", topic->name,
                        topic->sync == project::Sync::kInterval ? "interval" : "never");
  }
  return text;
}

}  // namespace millrace::app
