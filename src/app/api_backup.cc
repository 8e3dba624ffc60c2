#include "app/api.h"
#include "app/backup.h"

namespace millrace::app {
namespace {

using format::Json;

/// `{"target": …}`: an absolute path on the server's machine. Answers when the backup is whole and durable.
Result<Response> make(const Call& call) {
  TRY(Json body, call.body_object());
  std::string target = body.string_or("target", "");
  TRY(BackupManifest manifest, call.instance.backups().make(target));
  return json_response(point_json(manifest).set("backup", target));
}

Result<Response> state(const Call& call) {
  Backups::State state = call.instance.backups().state();
  Json json = Json::object();
  json.set("running", state.running)
      .set("target", state.target)
      .set("bytes_done", state.bytes_done)
      .set("bytes_total", state.bytes_total);
  return json_response(json);
}

constexpr Route kRoutes[] = {
    {"POST", "/v1/backup", false, make},
    {"GET", "/v1/backup", false, state},
};

}  // namespace

std::span<const Route> backup_routes() { return kRoutes; }

}  // namespace millrace::app
