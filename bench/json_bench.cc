// JSON records into columns on one core: the rate of JsonDecoder for the flat users of the pipeline that everybody copies and for
// the nested answer of the randomuser API. The best of the rounds counts, because other programs share the
// machine.
//
//   json_bench [records a case] [case]
#include <algorithm>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "bench/report.h"
#include "format/json_columns.h"

namespace {

using namespace millrace;
using bench::Measure;
using bench::must;
using model::Field;
using model::Type;
using model::TypeId;

constexpr size_t kDistinct = 5000;
constexpr size_t kBatchRows = 2048;
constexpr size_t kPaddingBytes = 64;
constexpr int kRounds = 7;

struct Case {
  const char* name;
  std::shared_ptr<const model::Schema> schema;
  format::Needed needed;
  const std::vector<std::string_view>* records;
};

/// Records one behind the other, as they stand in a log segment.
class Corpus {
 public:
  template <class Make>
  explicit Corpus(Make make) {
    std::mt19937 random(7);
    std::vector<std::pair<size_t, size_t>> places;
    for (size_t i = 0; i < kDistinct; ++i) {
      std::string record = make(random);
      places.emplace_back(bytes_.size(), record.size());
      bytes_ += record;
    }
    bytes_.append(kPaddingBytes, ' ');
    for (auto [at, size] : places) records_.push_back(std::string_view(bytes_).substr(at, size));
  }
  const std::vector<std::string_view>& records() const { return records_; }

 private:
  std::string bytes_;
  std::vector<std::string_view> records_;
};

std::string word(std::mt19937& random, size_t least, size_t most) {
  std::string out;
  for (size_t n = least + random() % (most - least + 1); n > 0; --n) out += static_cast<char>('a' + random() % 26);
  return out;
}

std::string number(std::mt19937& random, unsigned below) { return std::to_string(random() % below); }

std::string uuid(std::mt19937& random) {
  std::string out;
  for (char c : std::string_view("xxxxxxxx-xxxx-4xxx-axxx-xxxxxxxxxxxx")) out += c == 'x' ? "0123456789abcdef"[random() % 16] : c;
  return out;
}

std::string moment(std::mt19937& random) {
  return "19" + std::to_string(60 + random() % 40) + "-0" + std::to_string(1 + random() % 9) + "-1" + number(random, 10) + "T1" +
         number(random, 10) + ":2" + number(random, 10) + ":3" + number(random, 10) + "." + std::to_string(100 + random() % 900) +
         "Z";
}

std::string flat_user(std::mt19937& random) {
  std::string first = word(random, 4, 9), last = word(random, 5, 10);
  return R"({"id": ")" + uuid(random) + R"(", "first_name": ")" + first + R"(", "last_name": ")" + last + R"(", "gender": ")" +
         (random() % 2 ? "male" : "female") + R"(", "address": ")" + number(random, 9999) + " " + word(random, 6, 12) + ", " +
         word(random, 5, 12) + ", " + word(random, 5, 12) + ", " + word(random, 5, 12) + R"(", "post_code": ")" +
         number(random, 99999) + R"(", "email": ")" + first + "." + last + R"(@example.com", "username": ")" +
         word(random, 8, 14) + R"(", "dob": ")" + moment(random) + R"(", "registered_date": ")" + moment(random) +
         R"(", "phone": "()" + number(random, 999) + ") " + number(random, 9999999) +
         R"(", "picture": "https://randomuser.me/api/portraits/med/men/)" + number(random, 99) + R"(.jpg"})";
}

std::string nested_user(std::mt19937& random) {
  std::string first = word(random, 4, 9), last = word(random, 5, 10), picture = number(random, 99);
  std::string at = "https://randomuser.me/api/portraits/";
  return R"({"gender":"female","name":{"title":"Ms","first":")" + first + R"(","last":")" + last +
         R"("},"location":{"street":{"number":)" + number(random, 9999) + R"(,"name":")" + word(random, 6, 14) +
         R"("},"city":")" + word(random, 5, 12) + R"(","state":")" + word(random, 5, 12) + R"(","country":")" +
         word(random, 5, 12) + R"(","postcode":)" + number(random, 99999) + R"(,"coordinates":{"latitude":"-)" +
         number(random, 90) + R"(.4821","longitude":")" + number(random, 180) +
         R"(.9024"},"timezone":{"offset":"+9:30","description":"Adelaide, Darwin"}},"email":")" + first + "." + last +
         R"(@example.com","login":{"uuid":")" + uuid(random) + R"(","username":")" + word(random, 8, 14) +
         R"(","password":"soccer1","salt":"sJ2Y5Xnd","md5":"7d2e1b1b24b1b5a8c36e53c1d4b4f9d0","sha1":"0b6a3c8bf6dd8a5a7d3d1a8b0f2f1d4e6c7a9b01",)" +
         R"("sha256":"4a1f0d6a7c3b2e9d8f5061728394a5b6c7d8e9f00112233445566778899aabbc"},"dob":{"date":")" + moment(random) +
         R"(","age":)" + number(random, 80) + R"(},"registered":{"date":")" + moment(random) + R"(","age":7},"phone":"02-)" +
         number(random, 9999) + R"(-4417","cell":"0431-778-)" + number(random, 999) +
         R"(","id":{"name":"TFN","value":"571061435"},"picture":{"large":")" + at + "women/" + picture + R"(.jpg","medium":")" +
         at + "med/women/" + picture + R"(.jpg","thumbnail":")" + at + "thumb/women/" + picture + R"(.jpg"},"nat":"AU"})";
}

Type of(TypeId id) { return {.id = id}; }
Type structure(std::vector<Field> fields) { return {.id = TypeId::kStruct, .fields = std::move(fields)}; }

std::shared_ptr<const model::Schema> flat_schema() {
  auto schema = std::make_shared<model::Schema>();
  for (const char* name : {"id", "first_name", "last_name", "gender", "address", "post_code", "email", "username", "dob",
                           "registered_date", "phone", "picture"}) {
    schema->fields.push_back({name, of(TypeId::kText)});
  }
  return schema;
}

std::shared_ptr<const model::Schema> nested_schema() {
  Type text = of(TypeId::kText), time = of(TypeId::kTimestampTz);
  return std::make_shared<model::Schema>(model::Schema{{
      {"gender", text},
      {"name", structure({{"first", text}, {"last", text}})},
      {"location", structure({{"city", text}, {"country", text}, {"postcode", text}})},
      {"email", text},
      {"login", structure({{"uuid", of(TypeId::kUuid)}, {"username", text}})},
      {"dob", structure({{"date", time}})},
      {"registered", structure({{"date", time}})},
      {"picture", structure({{"medium", text}})},
  }});
}

Measure run(const Case& c, size_t records) {
  auto decoder = must(format::JsonDecoder::make(c.schema, c.needed));
  Measure measure;
  for (size_t done = 0; done < records;) {
    model::BatchBuilder batch(c.schema);
    for (size_t i = 0; i < kBatchRows && done < records; ++i, ++done) must(decoder.append((*c.records)[done % kDistinct], batch));
    if (std::move(batch).finish().rows == 0) std::abort();
  }
  return measure.stop();
}

}  // namespace

int main(int argc, char** argv) {
  size_t records = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 500'000;
  std::string_view only = argc > 2 ? argv[2] : "";
  Corpus flat(flat_user), nested(nested_user);
  auto few = [](const std::shared_ptr<const model::Schema>& schema, std::vector<std::vector<std::string>> paths) {
    return format::Needed::of(*schema, paths);
  };
  auto users = flat_schema(), deep = nested_schema();
  const Case cases[] = {
      {"flat_12_texts", users, format::Needed::all(), &flat.records()},
      {"flat_1_of_12", users, few(users, {{"gender"}}), &flat.records()},
      {"nested_12_leaves", deep, format::Needed::all(), &nested.records()},
      {"nested_2_of_12", deep, few(deep, {{"gender"}, {"location", "country"}}), &nested.records()},
  };
  auto faster = [](const Measure& a, const Measure& b) { return a.wall < b.wall; };
  bench::Report report;
  for (const Case& c : cases) {
    if (!only.empty() && only != c.name) continue;
    Measure best = run(c, records);
    for (int round = 1; round < kRounds; ++round) best = std::min(best, run(c, records), faster);
    size_t bytes = 0;
    for (std::string_view record : *c.records) bytes += record.size();
    double each = static_cast<double>(bytes) / kDistinct;
    report.line(c.name, records, best,
                fmt::format("{:.0f} B a record, {:.2f} GB/s", each, each * static_cast<double>(records) / best.wall / 1e9));
  }
  return 0;
}
