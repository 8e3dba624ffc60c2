#pragma once

#include <string>

#include "app/api.h"

/// Topics of the pipeline that are in another log: what can be shown of them and read from them without owning them.
namespace millrace::app {

bool is_elsewhere(Instance& instance, const std::string& topic);
/// kFailedPrecondition for a topic that only its own system can delete.
Status refuse_elsewhere(const Call& call);

format::Json summary_elsewhere(const std::string& topic, const port::TopicInfo& info);
Result<Response> describe_elsewhere(const Call& call);
Result<Response> tail_elsewhere(const Call& call);

/// `earliest`, `latest` or an offset. kInvalidArgument.
Result<model::Offset> offset_within(const port::OffsetRange& range, std::string_view from);
/// A record as `topic tail` shows it.
format::Json record_json(const std::string& topic, int32_t partition, const model::RecordView& record);

}  // namespace millrace::app
