#include "project/project.h"

namespace millrace::project {

std::string_view Part::scheme() const {
  std::string_view scheme = std::string_view(url.value).substr(0, url.value.find(':'));
  if (scheme == "postgres") return "postgresql";
  return scheme == "https" ? std::string_view("http") : scheme;
}

const Connection* connection_of(const Project& project, std::string_view name) {
  size_t dot = name.find('.');
  return dot == std::string_view::npos ? nullptr : find(project.connections, name.substr(0, dot));
}

}  // namespace millrace::project
