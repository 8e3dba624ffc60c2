#include "serve/http/metrics.h"

#include <prometheus/text_serializer.h>

#include <limits>

namespace millrace::serve::http {
namespace {

prometheus::MetricType translate(MetricType type) {
  switch (type) {
    case MetricType::kCounter: return prometheus::MetricType::Counter;
    case MetricType::kGauge: return prometheus::MetricType::Gauge;
    case MetricType::kHistogram: return prometheus::MetricType::Histogram;
  }
  return prometheus::MetricType::Untyped;
}

prometheus::ClientMetric translate(const Sample& sample) {
  prometheus::ClientMetric out;
  for (const auto& [name, value] : sample.labels) out.label.push_back({name, value});
  out.counter.value = sample.value;
  out.gauge.value = sample.value;
  for (auto [bound, count] : sample.buckets) out.histogram.bucket.push_back({count, bound});
  out.histogram.bucket.push_back({sample.count, std::numeric_limits<double>::infinity()});
  out.histogram.sample_sum = sample.sum;
  out.histogram.sample_count = sample.count;
  return out;
}

/// The serializer writes help texts as they are; the format wants backslash and
/// line feed escaped there.
std::string escape_help(const std::string& help) {
  std::string out;
  for (char c : help) out += c == '\n' ? "\\n" : c == '\\' ? "\\\\" : std::string(1, c);
  return out;
}

}  // namespace

std::string metrics_text(const std::vector<MetricFamily>& families) {
  std::vector<prometheus::MetricFamily> out;
  for (const MetricFamily& family : families) {
    prometheus::MetricFamily& made = out.emplace_back();
    made.name = family.name;
    made.help = escape_help(family.help);
    made.type = translate(family.type);
    for (const Sample& sample : family.samples) made.metric.push_back(translate(sample));
  }
  return prometheus::TextSerializer().Serialize(out);
}

}  // namespace millrace::serve::http
