#include "app/verify.h"

#include <fmt/format.h>

#include "app/data_dir.h"
#include "app/query_info.h"
#include "connect/sqlite/sqlite_metadata_store.h"
#include "log/verify.h"
#include "stream/exec/position.h"
#include "table/dead_letters.h"
#include "table/table_reader.h"

namespace millrace::app {
namespace {

void verify_tables(DataDir& data, VerifyReport& report) {
  for (const auto& table : data.tables().list()) {
    std::vector<size_t> columns(table->def.schema.fields.size());
    for (size_t i = 0; i < columns.size(); ++i) columns[i] = i;
    table::TableScan scan(data.store(), table, table::whole_table(*table), columns, data.env().clock.now());
    while (true) {
      auto rows = scan.next();
      if (!rows) {
        report.damage.push_back({store_path(data.path()), 0, rows.error().message});
        break;
      }
      if (rows->rows == 0) break;
    }
  }
}

void verify_dead_letters(DataDir& data, VerifyReport& report) {
  table::DeadLetterScan scan(data.store(), "");
  while (true) {
    auto letter = scan.next();
    if (!letter) report.damage.push_back({store_path(data.path()), 0, letter.error().message});
    if (!letter || !*letter) return;
  }
}

void verify_positions(DataDir& data, VerifyReport& report) {
  for (const QueryView& query : stored_queries(data)) {
    auto bytes = data.store().get(store::Space::kMeta, stream::position_key(query.name));
    if (!bytes) {
      report.damage.push_back({store_path(data.path()), 0, bytes.error().message});
      continue;
    }
    if (!*bytes) continue;
    auto position = stream::decode_position(**bytes);
    if (!position) {
      report.damage.push_back({store_path(data.path()), 0, fmt::format("query {}: {}", query.name, position.error().message)});
      continue;
    }
    const stream::Balance& balance = position->balance;
    if (balance.in != balance.accounted()) {
      report.damage.push_back({store_path(data.path()), 0,
                               fmt::format("query {}: its counts do not add up: {} in, {} accounted for", query.name, balance.in,
                                           balance.accounted())});
    }
    auto topic = data.log().find(query.topic);
    if (topic == nullptr || topic->id() != position->topic_id) continue;
    for (size_t p = 0; p < position->partitions.size() && p < static_cast<size_t>(topic->partition_count()); ++p) {
      log::PartitionLog& partition = topic->partition(model::Partition(static_cast<int32_t>(p)));
      if (position->partitions[p].next > partition.log_end_offset() && topic->settings().sync == log::SyncMode::kAlways) {
        report.damage.push_back(
            {log_path(data.path()), 0,
             fmt::format("{}-{} ends at offset {}, but query {} has committed {}: records are lost", topic->name(), p,
                         partition.log_end_offset().value, query.name, position->partitions[p].next.value)});
      }
    }
  }
}

}  // namespace

Result<VerifyReport> verify(env::Env env, const std::string& path) {
  TRY(bool has_store, env.files.exists(store_path(path)));
  TRY(bool has_log, env.files.exists(log_path(path)));
  if (!has_store && !has_log) return fail(Errc::kNotFound, fmt::format("there is no data in {}", path));
  // Nobody may write meanwhile.
  auto lock = env::DataLock::acquire(path);
  if (!lock) return fail(Errc::kUnavailable, lock.error().message, "verify reads a directory at rest: stop the server first");

  VerifyReport report;
  if (auto of_log = log::verify(env.files, log_path(path))) {
    for (const log::Damage& one : of_log->damage) report.damage.push_back({one.file, one.position, one.what});
    report.files += of_log->files;
    report.records += of_log->records;
    report.bytes += of_log->bytes;
  } else if (of_log.error().code != Errc::kNotFound) {
    return fail(std::move(of_log.error()));
  }
  if (!has_store) {
    report.damage.push_back({store_path(path), 0, "it is gone, and with it the catalog of the topics in log/"});
    return report;
  }
  auto data = DataDir::open(env, path, true);
  if (!data) {
    report.damage.push_back({path, 0, data.error().message});
    return report;
  }
  if (Status sound = (*data)->store().verify(); !sound) report.damage.push_back({store_path(path), 0, sound.error().message});
  verify_tables(**data, report);
  verify_dead_letters(**data, report);
  verify_positions(**data, report);
  if (auto exists = env.files.exists(metadata_path(path)); exists && *exists) {
    ++report.files;
    if (Status sound = connect::sqlite::verify_metadata_store(metadata_path(path)); !sound)
      report.damage.push_back({metadata_path(path), 0, sound.error().message});
  }
  report.bytes += (*data)->store().bytes_on_disk();
  return report;
}

}  // namespace millrace::app
