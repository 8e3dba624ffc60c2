#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "env/file.h"
#include "project/node.h"
#include "project/project.h"

namespace millrace::project {

/// Where relative paths of the pipeline file begin.
std::string beside(const std::string& file, std::string_view path);
/// The same, absolute: equal wherever a command was started.
std::string full_path(const std::string& file, std::string_view path);

/// Turns a validated tree into the project. Values that the validation found faulty are left at their defaults; here only those
/// faults are added that one key alone does not show: names, exactly-one-of, files.
class Decoder {
 public:
  Decoder(const std::string& file, env::FileSystem& files, FaultList& faults) : file_(file), files_(files), faults_(faults) {}

  /// `profile` may be null.
  Project project(const Node& root, const Node* profile);

 private:
  Part part(const Node* node, std::string_view role, std::initializer_list<std::string_view> schemes);
  Source source(const Node::Entry& entry);
  HttpRequest http(const Node& node, const Location& at);
  PostgresPoll postgres(const Node& node, const Location& at);
  FilePoll file(const Node& node);
  std::optional<HttpAuth> auth(const Node* node, const Location& at);
  Topic topic(const Node::Entry& entry);
  Query query(const Node::Entry& entry);
  Table table(const Node::Entry& entry);
  std::vector<KeyColumn> key_columns(const Node* node, bool sorted);
  Connection connection(const Node::Entry& entry);
  Dag dag(const Node::Entry& entry);
  Task task(const Node::Entry& entry);
  ExecTask exec(const Node& node, const Node& task);

  // Readings of one key; the default when it is absent or faulty.
  std::optional<std::string> text(const Node& map, std::string_view key) const;
  std::optional<Text> secretive_text(const Node& map, std::string_view key) const;
  std::optional<SqlText> sql(const Node& map, std::string_view key) const;
  std::optional<Duration> duration(const Node& map, std::string_view key) const;
  std::optional<int64_t> integer(const Node& map, std::string_view key) const;
  std::optional<int64_t> size(const Node& map, std::string_view key) const;
  std::optional<WrittenTime> time(const Node& map, std::string_view key) const;
  bool boolean(const Node& map, std::string_view key, bool fallback) const;
  std::vector<Mention> mentions(const Node& map, std::string_view key) const;
  std::map<std::string, Text> text_map(const Node* node) const;
  /// The place of a key's value, or `fallback` when it is absent.
  Location value_at(const Node& map, std::string_view key, const Location& fallback) const;

  std::optional<SqlText> sql_or_file(const Node& map, const Location& at);
  /// Faults unless exactly one of the keys is there; returns that key.
  std::string_view one_of(const Node& map, std::span<const std::string_view> keys, const Location& at, std::string_view what);
  void check_plain_name(const Node::Entry& entry, std::string_view what);

  const std::string& file_;
  env::FileSystem& files_;
  FaultList& faults_;
};

}  // namespace millrace::project
