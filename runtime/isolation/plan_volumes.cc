#include "runtime/isolation/plan_volumes.h"

#include <sys/mount.h>

#include <algorithm>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "runtime/isolation/plan_user_namespace.h"
#include "runtime/kernel/path.h"

namespace bulkhead::isolation {
namespace {

plan::Mount::Propagation PlanPropagation(spec::MountPropagation propagation) {
  switch (propagation) {
    case spec::MountPropagation::kHostToContainer:
      return plan::Mount::SLAVE;
    case spec::MountPropagation::kBidirectional:
      return plan::Mount::SHARED;
    case spec::MountPropagation::kPrivate:
      break;
  }
  return plan::Mount::PRIVATE;
}

absl::Status Check(const spec::Mount& mount, size_t number) {
  const auto refuse = [&](absl::string_view why) {
    return absl::InvalidArgumentError(
        absl::StrCat("mounts[", number, "].container_path: \"", mount.container_path, "\" ", why));
  };
  const std::string& path = mount.container_path;
  const std::vector<std::string> parts = SplitPath(path);
  if (!absl::StartsWith(path, "/")) return refuse("is not absolute");
  if (path.find('\0') != std::string::npos) return refuse("holds a NUL");
  if (absl::c_linear_search(parts, "..")) return refuse("holds \"..\"");
  if (parts.empty()) return refuse("would replace the root");
  if (parts.size() == 1 && parts[0] == "proc")
    return refuse("would replace the container's procfs");
  if (!mount.image.empty() && IsLateDestination(path)) {
    return refuse("is no place for an image volume: it is below /proc or in /sys/fs/cgroup");
  }
  if (mount.recursive_read_only &&
      (!mount.readonly || mount.propagation != spec::MountPropagation::kPrivate)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "mounts[", number, "].recursive_read_only: needs readonly and private propagation"));
  }
  return absl::OkStatus();
}

// Without what the image could bring: device nodes, and set-user-ID programs.
absl::StatusOr<plan::Mount> PlanImage(const spec::Mount& mount, const VolumeFacts& facts,
                                      size_t number, DescriptorList& descriptors) {
  if (!mount.readonly || mount.propagation != spec::MountPropagation::kPrivate) {
    return absl::InvalidArgumentError(
        absl::StrCat("mounts[", number, "].image: needs readonly and private propagation"));
  }
  plan::Mount planned;
  planned.set_destination(mount.container_path);
  planned.set_attributes(MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
  planned.mutable_image()->set_sub_path(mount.image_sub_path);
  for (const std::string& layer : facts.layers) {
    *planned.mutable_image()->add_layers() = descriptors.Add(DescriptorRequest::Kind::kTree, layer);
  }
  return planned;
}

}  // namespace

bool IsLateDestination(const std::string& path) {
  const std::vector<std::string> parts = SplitPath(path);
  if (parts.size() > 1 && parts[0] == "proc") return true;
  return parts.size() >= 3 && parts[0] == "sys" && parts[1] == "fs" && parts[2] == "cgroup";
}

absl::StatusOr<plan::Mount> PlanVolume(const spec::Mount& mount, const VolumeFacts& facts,
                                       size_t number, const spec::NamespaceOptions& pod,
                                       DescriptorList& descriptors) {
  if (absl::Status status = Check(mount, number); !status.ok()) return status;
  absl::StatusOr<bool> id_mapped = PlanIdMapping(mount, number, pod);
  if (!id_mapped.ok()) return id_mapped.status();
  if (!mount.image.empty()) return PlanImage(mount, facts, number, descriptors);
  plan::Mount planned;
  planned.set_destination(mount.container_path);
  planned.set_propagation(PlanPropagation(mount.propagation));
  planned.set_attributes(
      (mount.readonly ? MOUNT_ATTR_RDONLY : 0) | (mount.nosuid ? MOUNT_ATTR_NOSUID : 0) |
      (mount.nodev ? MOUNT_ATTR_NODEV : 0) | (mount.noexec ? MOUNT_ATTR_NOEXEC : 0));
  planned.set_recursive_attributes(mount.recursive_read_only);
  *planned.mutable_bind()->mutable_tree() = descriptors.AddVolume(number);
  planned.mutable_bind()->set_peer_later(planned.propagation() == plan::Mount::SHARED);
  planned.mutable_bind()->set_directory(facts.directory);
  planned.mutable_bind()->set_id_mapped(*id_mapped);
  planned.mutable_bind()->set_device(facts.device);
  planned.mutable_bind()->set_inode(facts.inode);
  return planned;
}

}  // namespace bulkhead::isolation
