#include "project/load.h"

#include <fmt/format.h>

#include "project/cross_check.h"
#include "project/decode.h"
#include "project/interpolate.h"
#include "project/keys.h"
#include "project/node.h"
#include "project/profile.h"
#include "project/validate.h"

namespace millrace::project {
namespace {

Surroundings surroundings_of(env::FileSystem& files, const std::string& path, const LoadOptions& options) {
  Surroundings out;
  out.variable = [&options](const std::string& name) -> std::optional<std::string> {
    auto known = options.environment.find(name);
    return known == options.environment.end() ? std::nullopt : std::optional(known->second);
  };
  out.file = [&files, path](const std::string& name) -> Result<std::string> {
    TRY(std::string content, env::read_file(files, beside(path, name), kIncludedBytesMax));
    if (content.ends_with('\n')) content.pop_back();
    if (content.ends_with('\r')) content.pop_back();
    return content;
  };
  return out;
}

std::optional<Project> load_project(env::FileSystem& files, const std::string& path, const LoadOptions& options,
                                    FaultList& faults) {
  Result<std::string> text = env::read_file(files, path, kFileBytesMax);
  if (!text) {
    bool big = text.error().code == Errc::kResourceExhausted;
    faults.add({path, 0, 0}, big ? "too-big" : "unreadable-file", text.error().message,
               big ? "a pipeline file has at most 4 MiB" : "");
    return std::nullopt;
  }
  std::optional<Node> root = parse_yaml(path, *text, faults);
  if (!root.has_value()) return std::nullopt;
  if (!root->is_map() && !root->is_null()) {
    faults.add(place(path, *root), "wrong-type", fmt::format("the file holds {} instead of a map", root->kind_name()),
               "begin with name: …");
    return std::nullopt;
  }
  std::string profile = options.profile.empty() ? "dev" : options.profile;
  const Node* chosen = select_profile(path, *root, profile, surroundings_of(files, path, options), faults);
  validate(path, *root, key_tree(), {path, 1, 1}, faults);
  Project project = Decoder(path, files, faults).project(*root, chosen);
  project.profile = std::move(profile);
  cross_check(project, faults);
  return project;
}

}  // namespace

LoadResult load(env::FileSystem& files, const std::string& path, const LoadOptions& options) {
  FaultList faults;
  LoadResult out;
  out.project = load_project(files, path, options, faults);
  if (faults.has_errors()) {
    out.draft = std::move(out.project);
    out.project.reset();
  }
  out.faults = std::move(faults).take();
  return out;
}

}  // namespace millrace::project
