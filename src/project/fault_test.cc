#include "project/fault.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace millrace::project {
namespace {

TEST(Fault, CodesAreSortedAndKebabCase) {
  auto codes = fault_codes();
  EXPECT_TRUE(std::is_sorted(codes.begin(), codes.end(), [](const FaultCode& a, const FaultCode& b) { return a.code < b.code; }));
  for (const FaultCode& code : codes)
    EXPECT_EQ(code.code.find_first_not_of("abcdefghijklmnopqrstuvwxyz-"), std::string_view::npos) << code.code;
}

TEST(Fault, AListIsSortedByPlaceAndHoldsNothingTwice) {
  FaultList list;
  list.add({"f", 2, 1}, "unknown-key", "b");
  list.add({"f", 1, 9}, "unknown-key", "a");
  list.add({"f", 2, 1}, "unknown-key", "b");
  EXPECT_TRUE(list.has_errors());
  std::vector<Fault> faults = std::move(list).take();
  ASSERT_EQ(faults.size(), 2u);
  EXPECT_EQ(faults[0].message, "a");
}

TEST(Fault, WarningsAreNoErrors) {
  FaultList list;
  list.add({"f", 1, 1}, "inferred-schema", "a");
  EXPECT_FALSE(list.has_errors());
  EXPECT_EQ(to_string(std::move(list).take()[0]), "f:1:1: warning: a [inferred-schema]");
}

TEST(Fault, ShowsNoSecretsAndNoNovels) {
  FaultList list;
  list.hide("hunter2");
  list.hide("abc");
  list.add({"f", 1, 1}, "unknown-reference", "there is no 'hunter2hunter2'", "abc");
  list.add({"f", 2, 1}, "unknown-reference", std::string(399, 'a') + "é" + std::string(1000, 'b'));
  std::vector<Fault> faults = std::move(list).take();
  EXPECT_EQ(faults[0].message, "there is no '******'");
  EXPECT_EQ(faults[0].hint, "abc");
  EXPECT_EQ(faults[1].message, std::string(399, 'a') + "…");
}

TEST(Fault, SuggestsWhatIsNear) {
  std::vector<std::string_view> known = {"partitions", "event_time", "ttl", "into"};
  EXPECT_EQ(nearest("partitons", known), "partitions");
  EXPECT_EQ(nearest("Event_Time", known), "event_time");
  EXPECT_EQ(nearest("tll", known), "ttl");
  EXPECT_EQ(nearest("zzz", known), "");
  EXPECT_EQ(nearest("x", known), "");
  EXPECT_EQ(suggestion("zzz", known), "known: partitions, event_time, ttl, into");
  EXPECT_EQ(suggestion("x", {}), "");
  EXPECT_EQ(nearest(std::string(100'000, 'a'), known), "");
}

}  // namespace
}  // namespace millrace::project
