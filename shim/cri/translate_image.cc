#include "shim/cri/translate_image.h"

#include <cstdint>

#include "absl/strings/numbers.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"
#include "shim/cri/faults.h"

namespace bulkhead::cri {
namespace {

namespace v1 = ::runtime::v1;

// The kubelet refuses runAsNonRoot from these two: by number, or by name when there is no number.
void SetUser(absl::string_view user_and_group, v1::Image& out) {
  const absl::string_view user = user_and_group.substr(0, user_and_group.find(':'));
  uint32_t uid = 0;
  if (absl::SimpleAtoi(user, &uid)) {
    out.mutable_uid()->set_value(uid);
  } else {
    out.set_username(std::string(user));
  }
}

}  // namespace

v1::Image FromImage(const image::Image& image) {
  v1::Image out;
  out.set_id(image.id);
  out.mutable_repo_tags()->Add(image.repo_tags.begin(), image.repo_tags.end());
  out.mutable_repo_digests()->Add(image.repo_digests.begin(), image.repo_digests.end());
  out.set_size(image.size_bytes);
  SetUser(image.config.user, out);
  out.mutable_spec()->set_image(image.id);
  out.set_pinned(image.pinned);
  return out;
}

std::string ImageInfo(const image::Image& image) {
  const image::ImageConfig& config = image.config;
  const nlohmann::json json = {{"diffIDs", image.diff_ids},
                               {"entrypoint", config.entrypoint},
                               {"cmd", config.cmd},
                               {"user", config.user},
                               {"workingDir", config.working_dir},
                               {"stopSignal", config.stop_signal},
                               {"volumes", config.volumes},
                               {"labels", config.labels}};
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

image::Auth ToAuth(const v1::AuthConfig& auth) {
  return {.username = auth.username(),
          .password = auth.password(),
          .auth = auth.auth(),
          .server_address = auth.server_address(),
          .identity_token = auth.identity_token(),
          .registry_token = auth.registry_token()};
}

absl::StatusOr<std::string> ToImageName(const v1::ImageSpec& image) {
  Faults faults;
  if (!faults.NotEmpty(Field("image.image"), image.image())) return faults.status();
  return image.image();
}

v1::FilesystemUsage FromUsage(const image::FsUsage& usage, absl::Time at) {
  v1::FilesystemUsage out;
  out.set_timestamp(absl::ToUnixNanos(at));
  out.mutable_fs_id()->set_mountpoint(usage.mountpoint);
  out.mutable_used_bytes()->set_value(usage.bytes);
  out.mutable_inodes_used()->set_value(usage.inodes);
  return out;
}

}  // namespace bulkhead::cri
