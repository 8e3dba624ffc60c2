#include <fmt/format.h>

#include <filesystem>

#include "cli/command.h"
#include "env/env.h"

namespace millrace::cli {
namespace {

// A pipeline that shows each noun once. The name of the directory becomes the name of pipeline and keyspace.
constexpr std::string_view kPipeline = R"yaml(# {name}: orders come in as JSON, a query puts them into a table by id.
#   millrace run {file}
#   echo '{{"id": 1, "item": "pen", "price": 2.50}}' | millrace topic produce orders
#   millrace sql "SELECT * FROM {keyspace}.orders"
name: {name}

topics:
  orders:
    partitions: 1
    schema: "id bigint, item text, price decimal(10,2), placed timestamptz"
    contract: {{ price_is_positive: "price > 0" }}    # a record that breaks it becomes a dead letter

queries:
  orders:
    into: {keyspace}.orders
    sql: |
      SELECT id, item, price, coalesce(placed, now()) AS placed
      FROM orders
      WHERE item IS NOT NULL

tables:
  {keyspace}.orders: {{ partition_key: [id] }}

dags:
  nightly:
    schedule: "@daily"
    start_date: 2026-01-01T00:00:00Z
    catchup: false
    tasks:
      settled: {{ wait_for: {{ query: orders }} }}
      quality: {{ check: "SELECT count(*) >= 0 FROM {keyspace}.orders", after: [settled] }}
      report: {{ exec: [echo, "orders of {{{{ ds }}}} are checked"], after: [quality] }}
)yaml";

/// A name that may stand for a keyspace: letters, digits and underscores, a letter first.
std::string keyspace_of(std::string name) {
  for (char& c : name) {
    bool good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    if (c >= 'A' && c <= 'Z')
      c = static_cast<char>(c - 'A' + 'a');
    else if (!good)
      c = '_';
  }
  return name.empty() || !(name[0] >= 'a' && name[0] <= 'z') ? "shop" : name;
}

Status init(const std::string& directory) {
  env::Env env = env::real_env();
  std::string file = directory + "/pipeline.yaml";
  TRY(bool exists, env.files.exists(file));
  if (exists) return fail(Errc::kAlreadyExists, fmt::format("{} is there already", file), "name another directory");
  TRY_DO(env.files.create_directories(directory));
  std::string name = keyspace_of(std::filesystem::weakly_canonical(directory).filename().string());
  TRY_DO(env::write_file_atomically(
      env.files, file, fmt::format(kPipeline, fmt::arg("name", name), fmt::arg("keyspace", name), fmt::arg("file", file))));
  fmt::print("{}: a topic, a query, a table and a dag to start from\n  millrace check {}\n  millrace run {}\n", file, file, file);
  return {};
}

}  // namespace

void add_init(CLI::App& program, Session& session) {
  auto directory = std::make_shared<std::string>(".");
  CLI::App* verb = program.add_subcommand("init", "write a small pipeline file to start from");
  verb->add_option("dir", *directory, "where to write pipeline.yaml")->capture_default_str()->type_name("DIR");
  verb->footer("Example:\n  millrace init shop && millrace run shop/pipeline.yaml");
  verb->callback([&session, directory] { session.check(init(*directory)); });
}

}  // namespace millrace::cli
