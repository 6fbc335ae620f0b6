#include "runtime/isolation/plan_user_namespace.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/isolation/id_map.h"
#include "runtime/kernel/status.h"

namespace bulkhead::isolation {
namespace {

using spec::NamespaceMode;

constexpr char kOptions[] = "namespace_options";

absl::Status CheckGroup(const ResolvedUser& user, const spec::UserNamespace& space) {
  if (auto gid = HostId(space.gids, user.gid); !gid.ok()) {
    return Annotate(gid.status(), "run_as_group");
  }
  for (const uint32_t group : user.groups) {
    if (auto gid = HostId(space.gids, group); !gid.ok()) {
      return Annotate(gid.status(), "supplemental_groups");
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckPodUserNamespace(const spec::NamespaceOptions& pod) {
  if (spec::OwnUserNamespace(pod) == nullptr) return absl::OkStatus();
  const std::pair<const char*, NamespaceMode> modes[] = {
      {"network", pod.network}, {"pid", pod.pid}, {"ipc", pod.ipc}};
  for (const auto& [name, mode] : modes) {
    if (mode != NamespaceMode::kNode) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(kOptions, ".", name, ": NODE excludes userns_options.mode POD"));
  }
  return absl::OkStatus();
}

absl::Status CheckContainerUserNamespace(const spec::NamespaceOptions& container,
                                         const spec::NamespaceOptions& pod) {
  const spec::UserNamespace* own = spec::OwnUserNamespace(pod);
  const spec::UserNamespace host;
  if (container.user.has_value() && *container.user != (own == nullptr ? host : *own)) {
    return absl::InvalidArgumentError(
        absl::StrCat(kOptions, ".userns_options: differs from the sandbox's"));
  }
  if (own != nullptr && container.pid == NamespaceMode::kNode) {
    return absl::InvalidArgumentError(
        absl::StrCat(kOptions, ".pid: NODE in a sandbox with a user namespace"));
  }
  return absl::OkStatus();
}

absl::Status CheckMapped(const ResolvedUser& user, const spec::NamespaceOptions& pod) {
  const spec::UserNamespace* own = spec::OwnUserNamespace(pod);
  if (own == nullptr) return absl::OkStatus();
  if (auto uid = HostId(own->uids, user.uid); !uid.ok()) {
    return Annotate(uid.status(), "run_as_user");
  }
  return CheckGroup(user, *own);
}

absl::StatusOr<bool> PlanIdMapping(const spec::Mount& mount, size_t number,
                                   const spec::NamespaceOptions& pod) {
  const spec::UserNamespace* own = spec::OwnUserNamespace(pod);
  const auto refuse = [&](absl::string_view field, absl::string_view why) {
    return absl::InvalidArgumentError(
        absl::StrCat("mounts[", number, "].", field, " at \"", mount.container_path, "\": ", why));
  };
  if (own != nullptr && mount.propagation == spec::MountPropagation::kBidirectional) {
    // The kernel makes a shared mount a slave in a mount namespace of another user namespace.
    return refuse("propagation", "BIDIRECTIONAL in a sandbox with a user namespace");
  }
  if (mount.uid_map.empty() && mount.gid_map.empty()) return false;
  if (own == nullptr) return refuse("uidMappings", "the sandbox has no user namespace");
  if (mount.uid_map == own->uids && mount.gid_map == own->gids) return true;
  return refuse("uidMappings", "and gidMappings differ from the sandbox's user namespace");
}

}  // namespace bulkhead::isolation
