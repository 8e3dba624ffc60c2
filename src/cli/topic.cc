#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <memory>

#include "base/printable.h"
#include "cli/api_client.h"
#include "cli/commands.h"
#include "cli/session.h"

namespace millrace::cli {
namespace {

using format::Json;

struct TopicOptions {
  std::string topic;
  int64_t partitions = 1;
  std::string compression;
  std::string sync;
  std::string retention_time;
  int64_t retention_bytes = 0;
  std::string from;
  int64_t count = 10;
  bool follow = false;
  std::string key_separator;
};
using Options = std::shared_ptr<TopicOptions>;

constexpr size_t kProduceBytesMax = 1 << 20;
constexpr size_t kLineBytesMax = 64 << 20;  // what the server takes in one request

std::string path_of(const TopicOptions& options) { return "/v1/topics/" + path_segment(options.topic); }

CLI::App* add_verb(CLI::App& command, Session& session, const Options& options, const char* verb, const char* help,
                   bool output = true) {
  CLI::App* added = command.add_subcommand(verb, help);
  added->add_option("topic", options->topic, "the topic's name")->required()->type_name("TOPIC");
  add_data_option(*added, session);
  if (output) add_output_option(*added, session);
  return added;
}

void print_records(const Session& session, const Json& records) {
  for (const Json& record : *records.as_array()) {
    if (session.json()) {
      fmt::print("{}\n", to_json(record));
      continue;
    }
    const std::string* key = record.find("key")->as_string();
    fmt::print("{}@{} {} {}{}\n", record.int_or("partition", 0), record.int_or("offset", 0), record.string_or("timestamp", ""),
               key != nullptr ? printable(*key) + "\t" : "", printable(record.string_or("value", "(null)")));
  }
}

/// The last records, or those from a place on; with --follow also those to come.
Status tail(Session& session, const TopicOptions& options) {
  TRY(ApiClient api, ApiClient::connect(session.data, !options.follow));
  std::string query = options.from.empty() ? fmt::format("?last={}", options.count)
                                           : fmt::format("?from={}&limit={}", path_segment(options.from), options.count);
  TRY(Json page, api.get(path_of(options) + "/records" + query));
  print_records(session, *page.find("records"));
  while (options.follow) {
    std::fflush(stdout);
    TRY(page, api.get(path_of(options) + "/records?wait=10s&limit=1000&positions=" + path_segment(page.string_or("next", ""))));
    print_records(session, *page.find("records"));
  }
  return {};
}

Status send(ApiClient& api, const Session& session, const TopicOptions& options, std::string_view lines, int64_t& sent) {
  std::string path = path_of(options) + "/records";
  if (!options.key_separator.empty()) path += "?key_separator=" + path_segment(options.key_separator);
  TRY(Json batches, api.request("POST", path, lines, "text/plain"));
  for (const Json& batch : *batches.as_array()) {
    sent += batch.int_or("count", 0);
    if (session.json()) fmt::print("{}\n", to_json(batch));
  }
  std::fflush(stdout);
  return {};
}

/// Sends what has been read whenever the input pauses or a batch is full; each answer means that the batch is durable.
Status produce(Session& session, const TopicOptions& options) {
  TRY(ApiClient api, ApiClient::connect(session.data, false));
  std::string pending;
  size_t whole = 0;  // bytes of whole lines at its front
  int64_t sent = 0;
  std::vector<char> buffer(64 << 10);
  while (true) {
    ssize_t got = ::read(STDIN_FILENO, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(Errc::kIo, "cannot read stdin");
    std::string_view read(buffer.data(), static_cast<size_t>(got));
    if (size_t end = read.rfind('\n'); end != std::string_view::npos) whole = pending.size() + end + 1;
    pending += read;
    if (got == 0 && whole < pending.size()) {
      pending += '\n';
      whole = pending.size();
    }
    if (pending.size() - whole > kLineBytesMax) {
      return fail(Errc::kResourceExhausted,
                  fmt::format("a line after record {} is longer than {} MiB, the limit of a record", sent, kLineBytesMax >> 20));
    }
    bool paused = static_cast<size_t>(got) < buffer.size();
    if (whole > 0 && (got == 0 || paused || whole >= kProduceBytesMax)) {
      TRY_DO(send(api, session, options, std::string_view(pending).substr(0, whole), sent));
      pending.erase(0, whole);
      whole = 0;
    }
    if (got == 0) break;
  }
  if (!session.json()) fmt::print("{} record{} durable in {}\n", sent, sent == 1 ? "" : "s", options.topic);
  return {};
}

Status create(Session& session, const TopicOptions& options) {
  TRY(ApiClient api, ApiClient::connect(session.data, false));
  Json body = Json::object();
  body.set("topic", options.topic).set("partitions", options.partitions);
  if (!options.compression.empty()) body.set("compression", options.compression);
  if (!options.sync.empty()) body.set("sync", options.sync);
  if (!options.retention_time.empty()) body.set("retention_time", options.retention_time);
  if (options.retention_bytes > 0) body.set("retention_bytes", options.retention_bytes);
  TRY(Json made, api.post("/v1/topics", body));
  print_object(session, made);
  return {};
}

void add_create(CLI::App& command, Session& session, const Options& options) {
  CLI::App* verb = add_verb(command, session, options, "create", "create a topic");
  verb->footer("Example:\n  millrace topic create clicks --partitions 4 --compression zstd --retention-time 7d");
  verb->add_option("-p,--partitions", options->partitions, "partitions, fixed for its life")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  verb->add_option("--compression", options->compression, "none, gzip, snappy, lz4 or zstd");
  verb->add_option("--sync", options->sync, "always (default: acked is on disk), interval or never");
  verb->add_option("--retention-time", options->retention_time, "delete segments older than this (7d); default: keep")
      ->type_name("DURATION");
  verb->add_option("--retention-bytes", options->retention_bytes, "delete the oldest segments of a partition above this size")
      ->check(CLI::PositiveNumber)
      ->type_name("BYTES");
  verb->callback([&session, options] { session.check(create(session, *options)); });
}

void add_list(CLI::App& command, Session& session) {
  CLI::App* verb = command.add_subcommand("list", "all topics");
  add_data_option(*verb, session);
  add_output_option(*verb, session);
  verb->callback([&session] {
    session.check([&]() -> Status {
      TRY(ApiClient api, ApiClient::connect(session.data, true));
      TRY(Json topics, api.get("/v1/topics"));
      print_list(session, topics,
                 {{"topic", "TOPIC"},
                  {"partitions", "PARTITIONS"},
                  {"records", "RECORDS"},
                  {"bytes", "BYTES"},
                  {"owner", "WRITTEN BY"}});
      return {};
    }());
  });
}

/// Verbs that are one request on the topic.
void add_request(CLI::App& command, Session& session, const Options& options, const char* verb, const char* help,
                 const char* method, const char* suffix, bool reads) {
  CLI::App* added = add_verb(command, session, options, verb, help);
  added->callback([&session, options, method, suffix, reads] {
    session.check([&]() -> Status {
      TRY(ApiClient api, ApiClient::connect(session.data, reads));
      TRY(Json answer, api.request(method, path_of(*options) + suffix, {}, {}));
      print_object(session, answer);
      return {};
    }());
  });
}

}  // namespace

void add_topic(CLI::App& program, Session& session) {
  CLI::App* command = program.add_subcommand("topic", "list, create, delete, truncate, describe, tail and produce to topics");
  command->require_subcommand(1);
  auto options = std::make_shared<TopicOptions>();
  add_list(*command, session);
  add_create(*command, session, options);
  add_request(*command, session, options, "delete", "delete a topic and its records", "DELETE", "", false);
  add_request(*command, session, options, "truncate", "delete a topic's records; offsets go on", "POST", "/truncate", false);
  add_request(*command, session, options, "describe", "settings, schema and offsets of each partition", "GET", "", true);

  CLI::App* tail_verb = add_verb(*command, session, options, "tail", "print a topic's last records");
  tail_verb->footer(
      "Examples:\n  millrace topic tail users_created -n 5\n  millrace topic tail users_created --from earliest -n 100 -o json\n "
      " millrace topic tail users_created -f");
  tail_verb->add_option("-n,--count", options->count, "how many records at most")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  tail_verb->add_option("--from", options->from,
                        "earliest, latest, an offset, or a time (2026-01-31T08:00:00Z) instead of the end");
  tail_verb->add_flag("-f,--follow", options->follow, "go on with records as they arrive");
  tail_verb->callback([&session, options] { session.check(tail(session, *options)); });

  CLI::App* produce_verb = add_verb(*command, session, options, "produce", "append records: one value a line from stdin");
  produce_verb->footer(
      "Examples:\n  echo '{\"id\": 1}' | millrace topic produce orders\n  millrace topic produce orders --key-separator : < "
      "keyed-lines.txt");
  produce_verb->add_option("--key-separator", options->key_separator, "what stands between key and value in a line")
      ->type_name("C");
  produce_verb->callback([&session, options] { session.check(produce(session, *options)); });
}

}  // namespace millrace::cli
