#include "project/interpolate.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace millrace::project {
namespace {

Surroundings some() {
  Surroundings out;
  out.variable = [](const std::string& name) -> std::optional<std::string> {
    if (name == "A") return "apple";
    if (name == "EMPTY") return "";
    if (name == "DIR") return "d";
    return std::nullopt;
  };
  out.file = [](const std::string& path) -> Result<std::string> {
    if (path == "d/secret") return std::string("s3cret");
    return fail(Errc::kNotFound, path + " does not exist");
  };
  return out;
}

Node scalar(const std::string& text) {
  Node node;
  node.kind = Node::Kind::kScalar;
  node.text.text = text;
  node.text.location = {"f", 1, 1};
  return node;
}

/// The value, or `!` and the column and code of each fault.
std::string read(const std::string& text) {
  FaultList faults;
  Node node = scalar(text);
  interpolate(node, some(), faults);
  EXPECT_EQ(node.broken, faults.has_errors());
  if (!node.broken) return node.text.text;
  std::string out = "!";
  for (const Fault& f : std::move(faults).take()) out += fmt::format("{} {};", f.column, f.code);
  return out;
}

TEST(Interpolate, ReplacesTheFourForms) {
  const std::pair<const char*, const char*> kTable[] = {
      {"plain", "plain"},
      {"${A}", "apple"},
      {"x${A}y${A}z", "xappleyapplez"},
      {"${EMPTY}", ""},
      {"${NO}", "!1 unset-variable;"},
      {"a ${NO} ${NO2}", "!3 unset-variable;9 unset-variable;"},
      {"${NO:-d}", "d"},
      {"${NO:-}", ""},
      {"${EMPTY:-d}", "d"},
      {"${A:-d}", "apple"},
      {"${NO:-http://h:1/{x}}", "http://h:1/{x}"},
      {"${NO:-${A}}", "apple"},
      {"${NO:-${NO2:-${A}!}}", "apple!"},
      {"${NO:-${NO2}}", "!7 unset-variable;"},
      {"${A:-${NO2}}", "apple"},
      {"${A:?must be set}", "apple"},
      {"${EMPTY:?must be set}", "!1 unset-variable;"},
      {"${NO:?}", "!1 unset-variable;"},
      {"${file:d/secret}", "s3cret"},
      {"${file:${DIR}/secret}", "s3cret"},
      {"${file:none}", "!1 unreadable-file;"},
      {"${file:}", "!1 bad-interpolation;"},
      {"$$", "$"},
      {"$${A}", "${A}"},
      {"$$$$", "$$"},
      {"$.results[*]", "$.results[*]"},
      {"^a$", "^a$"},
      {"$1 $A", "$1 $A"},
      {"${", "!1 bad-interpolation;"},
      {"${}", "!1 bad-interpolation;"},
      {"${A-d}", "!1 bad-interpolation;"},
      {"${A:d}", "!1 bad-interpolation;"},
      {"${1A}", "!1 bad-interpolation;"},
      {"${ A }", "!1 bad-interpolation;"},
      {"${A:-${B:-${C:-${D:-${E:-x}}}}}", "apple"},
      {"${Z:-${B:-${C:-${D:-${E:-x}}}}}", "!21 bad-interpolation;"},
  };
  for (const auto& [text, expected] : kTable) EXPECT_EQ(read(text), expected) << text;
}

TEST(Interpolate, AFilesContentIsSecret) {
  FaultList faults;
  Node from_file = scalar("a${file:d/secret}");
  interpolate(from_file, some(), faults);
  EXPECT_TRUE(from_file.secret);
  Node from_variable = scalar("${A}");
  interpolate(from_variable, some(), faults);
  EXPECT_FALSE(from_variable.secret);
}

TEST(Interpolate, PlacesBehindASubstitutionStayTrue) {
  FaultList faults;
  Node node = scalar("a ${A} b\nc $$ d\ne");
  node.text.location = {"f", 10, 5};
  node.text.indent = 4;
  interpolate(node, some(), faults);
  EXPECT_EQ(node.text.text, "a apple b\nc $ d\ne");
  EXPECT_EQ(node.text.at(1, 1), (Location{"f", 10, 5}));
  EXPECT_EQ(node.text.at(1, 9), (Location{"f", 10, 12}));  // b
  EXPECT_EQ(node.text.at(2, 1), (Location{"f", 11, 5}));
  EXPECT_EQ(node.text.at(2, 5), (Location{"f", 11, 10}));  // d
  EXPECT_EQ(node.text.at(3, 1), (Location{"f", 12, 5}));
}

TEST(Interpolate, ManyDollarSignsTakeLinearTime) {
  std::string text(1 << 20, '$');
  EXPECT_EQ(read(text).size(), text.size() / 2);
}

TEST(Interpolate, FormsAreCheckedWithoutValues) {
  FaultList faults;
  Node good = scalar("${NO:?} ${file:none} ${X}");
  check_forms(good, faults);
  EXPECT_FALSE(faults.has_errors());
  check_forms(scalar("${X"), faults);
  EXPECT_TRUE(faults.has_errors());
}

}  // namespace
}  // namespace millrace::project
