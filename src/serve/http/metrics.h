#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace millrace::serve::http {

enum class MetricType { kCounter, kGauge, kHistogram };

using Labels = std::vector<std::pair<std::string, std::string>>;

/// One line of a family; a histogram's is `buckets` (upper bound, cumulative
/// count; +Inf is added), `sum` and `count`.
struct Sample {
  Labels labels;
  double value = 0;
  std::vector<std::pair<double, uint64_t>> buckets;
  double sum = 0;
  uint64_t count = 0;
};

struct MetricFamily {
  std::string name;  // [a-zA-Z_:][a-zA-Z0-9_:]*
  std::string help;
  MetricType type = MetricType::kGauge;
  std::vector<Sample> samples;
};

inline constexpr std::string_view kMetricsContentType = "text/plain; version=0.0.4; charset=utf-8";

/// The text exposition format 0.0.4 of Prometheus.
std::string metrics_text(const std::vector<MetricFamily>& families);

}  // namespace millrace::serve::http
