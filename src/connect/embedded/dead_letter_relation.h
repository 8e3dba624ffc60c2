#pragma once

#include "port/relation.h"
#include "store/store.h"

namespace millrace::connect::embedded {

/// `dead_letters` in FROM: id, query, stage, code, message, topic, partition, "offset", ts, key, value. Key and value are text;
/// bytes that are not UTF-8 show as `\x` and hexadecimal digits. A predicate on `query` narrows what is read. Store and snapshot
/// outlive it.
class DeadLetterRelation : public port::Relation {
 public:
  DeadLetterRelation(store::Store& store, const store::Snapshot& snapshot) : store_(store), snapshot_(snapshot) {}

  const model::Schema& schema() const override;
  Result<std::unique_ptr<port::RelationScan>> scan(const port::ScanRequest& request) override;

 private:
  store::Store& store_;
  const store::Snapshot& snapshot_;
};

}  // namespace millrace::connect::embedded
