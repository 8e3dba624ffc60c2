// rooms: base dag/core
#include <cstdlib>
#include <string_view>

#include "dag/core/template.h"
#include "dag/core/timetable.h"

using namespace millrace;

// The first two bytes choose a moment and a zone, the rest is the expression. What parses must walk forwards and back over the
// same ticks.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);
  (void)dag::check_template(text);
  if (auto named = dag::Zone::find(text)) (void)named->segment_at(int64_t{data[0]} << 24);
  auto schedule = dag::parse_schedule(text);
  if (!schedule) return 0;
  if (!dag::parse_schedule(dag::schedule_text(*schedule))) std::abort();
  auto* cron = std::get_if<dag::Cron>(&*schedule);
  if (cron == nullptr) return 0;

  constexpr const char* kZones[] = {"UTC", "Europe/Zurich", "America/New_York", "Australia/Lord_Howe"};
  static const dag::Zone zones[] = {*dag::Zone::find(kZones[0]), *dag::Zone::find(kZones[1]), *dag::Zone::find(kZones[2]),
                                    *dag::Zone::find(kZones[3])};
  const dag::Zone& zone = zones[data[1] % 4];
  Instant t(std::chrono::hours(24) * (17'000 + 20 * data[0]));
  auto last = cron->next(t, zone);
  if (!last) std::abort();
  for (int i = 0; i < 20; ++i) {
    auto next = cron->next(*last, zone);
    if (!next) return 0;
    if (*next <= *last || cron->previous(*next, zone) != last) std::abort();
    last = next;
  }
  return 0;
}
