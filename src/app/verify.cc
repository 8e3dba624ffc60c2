#include "app/verify.h"

#include <fmt/format.h>

#include <iterator>
#include <map>
#include <optional>

#include "app/backup.h"
#include "app/data_dir.h"
#include "app/query_info.h"
#include "app/restore.h"
#include "app/seal.h"
#include "connect/sqlite/sqlite_metadata_store.h"
#include "log/catalog.h"
#include "log/verify.h"
#include "store/verify.h"
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

/// How many there are by query and topic.
using Letters = std::map<std::pair<std::string, model::TopicId>, uint64_t>;

Letters verify_dead_letters(DataDir& data, VerifyReport& report) {
  Letters letters;
  table::DeadLetterScan scan(data.store(), "");
  while (true) {
    auto letter = scan.next();
    if (!letter) report.damage.push_back({store_path(data.path()), 0, letter.error().message});
    if (!letter || !*letter) return letters;
    ++letters[{(*letter)->query, (*letter)->topic_id}];
  }
}

/// Fewer than counted are lost. More are not: a reset begins the counts anew, and keeps letters of what is not read again.
void verify_letter_count(DataDir& data, const std::string& query, const stream::Position& position, const Letters& letters,
                         VerifyReport& report) {
  auto found = letters.find({query, position.topic_id});
  uint64_t stored = found == letters.end() ? 0 : found->second;
  if (stored >= position.balance.dead) return;
  report.damage.push_back(
      {store_path(data.path()), 0,
       fmt::format("query {}: {} dead letters were counted, and {} are there", query, position.balance.dead, stored)});
}

void verify_positions(DataDir& data, const Letters& letters, VerifyReport& report) {
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
    verify_letter_count(data, query.name, *position, letters, report);
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

void take(std::vector<Damage> damage, VerifyReport& report) {
  report.damage.insert(report.damage.end(), std::make_move_iterator(damage.begin()), std::make_move_iterator(damage.end()));
}

/// Files against the seal of the last clean stop, if that was one.
Status verify_seal(env::FileSystem& files, const std::string& path, VerifyReport& report) {
  auto damage = compare_with_seal(files, path);
  if (damage) {
    take(std::move(*damage), report);
  } else if (damage.error().code == Errc::kCorruption) {
    report.damage.push_back({seal_path(path), 0, damage.error().message});
  } else {
    return fail(std::move(damage.error()));
  }
  return {};
}

Status verify_log(env::FileSystem& files, const std::string& path, const log::Catalog* catalog, VerifyReport& report) {
  auto of_log = log::verify(files, log_path(path), catalog);
  if (!of_log) return of_log.error().code == Errc::kNotFound ? Status() : Status(fail(std::move(of_log.error())));
  take(std::move(of_log->damage), report);
  report.files += of_log->files;
  report.records += of_log->records;
  report.bytes += of_log->bytes;
  return {};
}

Status verify_store(const std::string& path, VerifyReport& report) {
  auto of_store = store::verify(store_path(path));
  if (!of_store) {
    if (of_store.error().code == Errc::kIo) return fail(std::move(of_store.error()));
    report.damage.push_back({store_path(path), 0, of_store.error().message});
    return {};
  }
  take(std::move(of_store->damage), report);
  report.files += of_store->files;
  return {};
}

void verify_metadata(env::FileSystem& files, const std::string& data, bool expected, VerifyReport& report) {
  std::string path = metadata_path(data);
  auto exists = files.exists(path);
  if (exists && !*exists) {
    if (expected) report.damage.push_back({path, 0, "it is gone, and with it what the scheduler knew"});
    return;
  }
  ++report.files;
  if (Status sound = connect::sqlite::verify_metadata_store(path); !sound)
    report.damage.push_back({path, 0, sound.error().message});
}

/// What can be told once everything is open.
void verify_content(DataDir& data, VerifyReport& report) {
  verify_tables(data, report);
  verify_positions(data, verify_dead_letters(data, report), report);
  report.bytes += data.store().bytes_on_disk();
}

}  // namespace

Result<VerifyReport> verify(env::Env env, const std::string& path) {
  TRY(bool backup, is_backup(env.files, path));
  if (backup) return verify_backup(env.files, path, [](uint64_t, uint64_t) { return Status(); });
  TRY(bool has_store, env.files.exists(store_path(path)));
  TRY(bool has_log, env.files.exists(log_path(path)));
  if (!has_store && !has_log) return fail(Errc::kNotFound, fmt::format("there is no data in {}", path));
  // Nobody may write meanwhile.
  TRY(auto lock, env::DataLock::acquire(path));

  VerifyReport report;
  TRY_DO(verify_seal(env.files, path, report));
  if (has_store) TRY_DO(verify_store(path, report));
  if (!has_store) report.damage.push_back({store_path(path), 0, "it is gone, and with it the catalog of the topics in log/"});
  std::unique_ptr<DataDir> data;
  bool expects_metadata = false;
  if (auto opened = DataDir::open(env, path, true)) {
    data = std::move(*opened);
    TRY(expects_metadata, has_metadata(data->store()));
  } else if (report.damage.empty()) {
    // Else what was found of its files says it better.
    report.damage.push_back({path, 0, opened.error().message});
  }
  std::optional<log::Catalog> catalog;
  if (data != nullptr) {
    TRY(catalog, log::read_catalog(data->store()));
  }
  TRY_DO(verify_log(env.files, path, catalog ? &*catalog : nullptr, report));
  verify_metadata(env.files, path, expects_metadata, report);
  if (data != nullptr) verify_content(*data, report);
  return report;
}

}  // namespace millrace::app
