#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "env/file.h"
#include "log/topic.h"
#include "store/store.h"

namespace millrace::log {

/// The topics that a store knows, by name, half made and half dropped ones too.
using Catalog = std::map<std::string, TopicEntry, std::less<>>;

std::string catalog_key(std::string_view topic);
/// Errors: kCorruption and kFailedPrecondition as decode_topic_entry, kIo.
Result<Catalog> read_catalog(store::Store& store);

/// Whether there is a segment with anything in it. A directory that does not exist has none.
Result<bool> has_records(env::FileSystem& files, const std::string& partition_dir);
/// Whether any partition of the topic below a log directory has them.
Result<bool> topic_has_records(env::FileSystem& files, const std::string& dir, std::string_view topic, const TopicEntry& entry);
/// kDataLoss when records stand in the place of the topic's files that are not its own. `entry` is half made or half dropped.
Status check_files(env::FileSystem& files, const std::string& dir, std::string_view topic, const TopicEntry& entry);
/// The partition directories (paths) below a log directory that hold records, but of no partition in the catalog.
Result<std::vector<std::string>> find_strays(env::FileSystem& files, const std::string& dir, const Catalog& catalog);
/// kDataLoss when a partition directory of that topic name holds records.
Status check_name_is_free(env::FileSystem& files, const std::string& dir, std::string_view topic);
/// kDataLoss that names them and the remedy.
Error lost_by_catalog(const std::vector<std::string>& strays);

}  // namespace millrace::log
