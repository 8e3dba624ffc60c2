#include "stream/exec/committer.h"

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/log.h"
#include "env/fault.h"

namespace millrace::stream {
namespace {

using store::Durability;
using store::Space;

port::Epoch epoch_of(const Position& before, const Position& next) {
  port::Epoch epoch{next.epoch, {}};
  for (size_t p = 0; p < next.partitions.size(); ++p) {
    const PartitionPosition& at = next.partitions[p];
    if (p < before.partitions.size() && before.partitions[p] == at) continue;
    epoch.ends.push_back({model::Partition(static_cast<int32_t>(p)), at.next, at.version});
  }
  return epoch;
}

constexpr size_t kNumberBytes = sizeof(uint64_t);  // before the changes of an intent

}  // namespace

Committer::Committer(std::string query, port::Sink& sink, store::Store& store, port::GroupSource* group)
    : query_(std::move(query)), sink_(sink), store_(store), group_(group) {}

Status Committer::commit(const Position& before, const Position& next, store::Batch letters) {
  port::Epoch epoch = epoch_of(before, next);
  if (group_ != nullptr) return commit_group(epoch, next, std::move(letters));
  letters.put(Space::kMeta, position_key(query_), encode_position(next));
  if (sink_.traits().kind == port::SinkKind::kTransactional) return commit_transaction(epoch, std::move(letters));
  return commit_local(epoch, std::move(letters));
}

Status Committer::commit_local(const port::Epoch& epoch, store::Batch batch) {
  TRY_DO(sink_.commit(epoch, batch));
  TRY_DO(env::fault("stream.between_output_and_commit", query_));
  TRY_DO(env::fault("stream.before_commit"));
  TRY_DO(store_.commit(std::move(batch), sink_.traits().durability));
  return env::fault("stream.after_commit");
}

Status Committer::commit_transaction(const port::Epoch& epoch, store::Batch batch) {
  std::string intent;
  append_le<uint64_t>(intent, epoch.number);
  intent += batch.encode();
  store::Batch before;
  before.put(Space::kMeta, intent_key(query_), intent);
  TRY_DO(store_.commit(std::move(before), Durability::kSync));
  TRY_DO(env::fault("stream.after_intent"));
  TRY_DO(sink_.commit(epoch, batch));
  TRY_DO(env::fault("stream.between_output_and_commit", query_));
  TRY_DO(env::fault("stream.before_commit"));
  batch.erase(Space::kMeta, intent_key(query_));
  TRY_DO(store_.commit(std::move(batch), Durability::kLog));
  return env::fault("stream.after_commit");
}

Status Committer::commit_group(const port::Epoch& epoch, const Position& next, store::Batch letters) {
  // A transaction takes the group's offsets along, so the letters come first; those of an epoch that is given up come again.
  if (!letters.empty()) TRY_DO(store_.commit(std::move(letters), Durability::kSync));
  store::Batch counts;
  TRY_DO(sink_.commit(epoch, counts));
  TRY_DO(env::fault("stream.between_output_and_commit", query_));
  TRY_DO(group_->commit(epoch.ends));
  TRY_DO(env::fault("stream.before_commit"));
  counts.put(Space::kMeta, position_key(query_), encode_position(next));
  TRY_DO(store_.commit(std::move(counts), Durability::kLog));
  return env::fault("stream.after_commit");
}

Result<Position> Committer::recover(Position committed) {
  // In a group, the transaction holds the group's offsets, and those are the position.
  TRY(std::optional<uint64_t> last, sink_.recover());
  if (sink_.traits().kind != port::SinkKind::kTransactional || group_ != nullptr) return committed;
  TRY(std::optional<std::string> intent, store_.get(Space::kMeta, intent_key(query_)));
  if (intent) {
    if (intent->size() < kNumberBytes) return fail(Errc::kCorruption, fmt::format("the intent of query {} is cut short", query_));
    if (last == ByteReader(*intent).le<uint64_t>()) return adopt(std::string_view(*intent).substr(kNumberBytes));
    store::Batch drop;
    drop.erase(Space::kMeta, intent_key(query_));
    TRY_DO(store_.commit(std::move(drop), Durability::kLog));
  }
  if (!last || *last == committed.epoch) return committed;
  if (committed.epoch == 0) {  // a new data directory goes on with the numbers
    committed.epoch = *last;
    return committed;
  }
  return fail(
      Errc::kFailedPrecondition,
      fmt::format("the output of query {} has epoch {}, this data directory has epoch {}: one of them is a copy of another "
                  "time, or another process writes as this query",
                  query_, *last, committed.epoch),
      fmt::format("`millrace query reset {}` reads again from where you say", query_));
}

Result<Position> Committer::adopt(std::string_view intent) {
  TRY(store::Batch changes, store::Batch::decode(intent));
  changes.erase(Space::kMeta, intent_key(query_));
  TRY_DO(store_.commit(std::move(changes), Durability::kSync));
  TRY(std::optional<std::string> bytes, store_.get(Space::kMeta, position_key(query_)));
  if (!bytes) return fail(Errc::kCorruption, fmt::format("the intent of query {} has no position", query_));
  TRY(Position position, decode_position(*bytes));
  log_info("stream", fmt::format("query {}: epoch {} was in doubt, and is committed", query_, position.epoch));
  return position;
}

}  // namespace millrace::stream
