#include "connect/registry/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <vector>

#include "base/bytes.h"

namespace millrace::connect::registry {
namespace {

constexpr int kTimeoutMsMax = 60'000;

tl::unexpected<Error> refused(std::string_view option, std::string_view what, std::string hint = {}) {
  return fail(Errc::kInvalidArgument, fmt::format("option '{}' of the registry: {}", option, what), std::move(hint));
}

Status read_flag(std::string_view option, const std::string& text, bool& out) {
  if (text != "true" && text != "false") return refused(option, "expected true or false");
  out = text == "true";
  return {};
}

Status read_names(std::string_view option, std::string_view text, SubjectNames& out) {
  constexpr std::string_view kPackage = "io.confluent.kafka.serializers.subject.";
  if (text.starts_with(kPackage)) text.remove_prefix(kPackage.size());
  if (text == "TopicNameStrategy") return out = SubjectNames::kTopic, Status();
  if (text == "RecordNameStrategy") return out = SubjectNames::kRecord, Status();
  if (text == "TopicRecordNameStrategy") return out = SubjectNames::kTopicRecord, Status();
  return refused(option, "expected TopicNameStrategy, RecordNameStrategy or TopicRecordNameStrategy");
}

Status read_timeout(std::string_view option, const std::string& text, Duration& out) {
  int millis = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), millis);
  if (error != std::errc() || end != text.data() + text.size() || millis < 1 || millis > kTimeoutMsMax) {
    return refused(option, fmt::format("expected milliseconds from 1 to {}", kTimeoutMsMax));
  }
  out = std::chrono::milliseconds(millis);
  return {};
}

Status read_user(std::string_view option, const std::string& text, RegistrySettings& out) {
  if (text.find(':') == std::string::npos) return refused(option, "expected user:password");
  if (!out.authorization.empty()) return refused(option, "the URL names a user too", "give the user in one place");
  out.authorization = "Basic " + to_base64(text);
  return {};
}

Status read_ca(std::string_view option, const std::string& text, RegistrySettings& out) {
  if (text.find("-----BEGIN CERTIFICATE-----") == std::string::npos) {
    return refused(option, "expected certificates in PEM", "${file:/path/of/ca.pem} puts a file there");
  }
  out.ca_pem = text;
  return {};
}

struct Option {
  std::string_view name;
  Status (*read)(std::string_view option, const std::string& text, RegistrySettings& out);
};
constexpr std::array<Option, 8> kOptions = {{
    {"basic.auth.user.info", read_user},
    {"auto.register.schemas", [](auto o, auto& t, auto& out) { return read_flag(o, t, out.register_schemas); }},
    {"use.latest.version", [](auto o, auto& t, auto& out) { return read_flag(o, t, out.use_latest); }},
    {"normalize.schemas", [](auto o, auto& t, auto& out) { return read_flag(o, t, out.normalize); }},
    {"key.subject.name.strategy", [](auto o, auto& t, auto& out) { return read_names(o, t, out.of_keys); }},
    {"value.subject.name.strategy", [](auto o, auto& t, auto& out) { return read_names(o, t, out.of_values); }},
    {"ssl.ca.pem", read_ca},
    {"request.timeout.ms", [](auto o, auto& t, auto& out) { return read_timeout(o, t, out.timeout); }},
}};

size_t letters_off(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1])});
      diagonal = above;
    }
  }
  return row[b.size()];
}

tl::unexpected<Error> unknown(std::string_view name) {
  std::string_view nearest;
  std::string all;
  for (const Option& option : kOptions) {
    if (name.size() <= 64 && letters_off(name, option.name) <= 3) nearest = option.name;
    all += (all.empty() ? "" : ", ") + std::string(option.name);
  }
  std::string hint = nearest.empty() ? "known are " + all : fmt::format("did you mean '{}'?", nearest);
  return refused(name.substr(0, 64), "there is no such option", std::move(hint));
}

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (text.size() - i < 3 || hex_digit(text[i + 1]) < 0 || hex_digit(text[i + 2]) < 0) return std::nullopt;
    out += static_cast<char>(hex_digit(text[i + 1]) << 4 | hex_digit(text[i + 2]));
    i += 2;
  }
  return out;
}

Status read_url(std::string_view url, RegistrySettings& out) {
  auto wrong = [](std::string_view what) {
    return fail(Errc::kInvalidArgument, fmt::format("the registry's URL {}", what),
                "it looks like http://host:8081, or https://user:password@host/path");
  };
  size_t host = url.starts_with("http://") ? 7 : url.starts_with("https://") ? 8 : 0;
  if (host == 0) return wrong("starts neither with http:// nor with https://");
  if (url.find_first_of("?#") != std::string_view::npos) return wrong("has a query or a fragment");
  for (char c : url) {
    if (static_cast<uint8_t>(c) <= ' ') return wrong("has white space in it");
  }
  size_t path = std::min(url.find('/', host), url.size());
  size_t at = url.substr(0, path).rfind('@');
  size_t start = at == std::string_view::npos ? host : at + 1;
  if (start == path) return wrong("names no host");
  if (at != std::string_view::npos) {
    auto user = percent_decoded(url.substr(host, at - host));
    if (!user || user->find(':') == std::string::npos) return wrong("has something before '@' that is not user:password");
    out.authorization = "Basic " + to_base64(*user);
  }
  out.url = std::string(url.substr(0, host)) + std::string(url.substr(start));
  while (out.url.ends_with('/')) out.url.pop_back();
  return {};
}

}  // namespace

Result<RegistrySettings> read_options(const std::string& url, const std::map<std::string, std::string>& options) {
  RegistrySettings settings;
  TRY_DO(read_url(url, settings));
  for (const auto& [name, text] : options) {
    auto known = std::find_if(kOptions.begin(), kOptions.end(), [&](const Option& option) { return option.name == name; });
    if (known == kOptions.end()) return unknown(name);
    TRY_DO(known->read(name, text, settings));
  }
  return settings;
}

Status check_options(const std::string& url, const std::map<std::string, std::string>& options) {
  TRY_DO(read_options(url, options));
  return {};
}

std::string subject_name(const RegistrySettings& settings, std::string_view topic, bool of_key, std::string_view record) {
  switch (of_key ? settings.of_keys : settings.of_values) {
    case SubjectNames::kTopic: return fmt::format("{}-{}", topic, of_key ? "key" : "value");
    case SubjectNames::kRecord: return std::string(record);
    case SubjectNames::kTopicRecord: return fmt::format("{}-{}", topic, record);
  }
  return {};
}

}  // namespace millrace::connect::registry
