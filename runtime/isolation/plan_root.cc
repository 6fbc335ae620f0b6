#include "runtime/isolation/plan_root.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "runtime/isolation/default_mounts.h"
#include "runtime/isolation/id_map.h"
#include "runtime/isolation/plan_volumes.h"
#include "runtime/kernel/path.h"
#include "runtime/kernel/status.h"

namespace bulkhead::isolation {
namespace {

void AddPodFile(const std::string& host_path, const char* container_path, bool readonly,
                std::vector<spec::Mount>& mounts) {
  if (host_path.empty() || IsMounted(mounts, container_path)) return;
  spec::Mount mount;
  mount.container_path = container_path;
  mount.host_path = host_path;
  mount.readonly = readonly;
  mounts.push_back(std::move(mount));
}

// The owner on the host of what has owner `asked` in the container.
absl::StatusOr<uint32_t> OwnerOf(const std::vector<spec::IdRange>* map, uint32_t host,
                                 std::optional<uint32_t> asked) {
  if (!asked) return host;
  return map == nullptr ? *asked : HostId(*map, *asked);
}

absl::Status AddDevices(const std::vector<HostDevice>& devices, const spec::NamespaceOptions& pod,
                        plan::RootPlan& plan) {
  const spec::UserNamespace* own = spec::OwnUserNamespace(pod);
  for (const HostDevice& device : devices) {
    const auto existing = std::find_if(
        plan.devices().begin(), plan.devices().end(),
        [&](const plan::DeviceNode& node) { return node.path() == device.container_path; });
    if (existing != plan.devices().end()) continue;
    const auto uid = OwnerOf(own ? &own->uids : nullptr, device.uid, device.container_uid);
    const auto gid = OwnerOf(own ? &own->gids : nullptr, device.gid, device.container_gid);
    for (const absl::StatusOr<uint32_t>& owner : {uid, gid}) {
      if (!owner.ok()) return Annotate(owner.status(), "device " + device.container_path);
    }
    plan::DeviceNode* node = plan.add_devices();
    node->set_path(device.container_path);
    node->set_mode(device.mode);
    node->set_major(device.major);
    node->set_minor(device.minor);
    node->set_uid(*uid);
    node->set_gid(*gid);
  }
  return absl::OkStatus();
}

// The owner of terminals as the host knows it; the superuser's group where "tty" is not mapped.
uint32_t TerminalGroup(const spec::NamespaceOptions& pod) {
  constexpr uint32_t kTty = 5;
  const spec::UserNamespace* own = spec::OwnUserNamespace(pod);
  if (own == nullptr) return kTty;
  const absl::StatusOr<uint32_t> superuser = HostId(own->gids, 0);
  return HostId(own->gids, kTty).value_or(superuser.value_or(kTty));
}

absl::Status AddVolumes(const RootInput& input, PlannedRoot& planned) {
  if (input.mounts.size() != input.volumes.size()) {
    return absl::InvalidArgumentError("mounts and opened volumes differ in number");
  }
  for (size_t i = 0; i < input.mounts.size(); ++i) {
    absl::StatusOr<plan::Mount> mount = PlanVolume(
        input.mounts[i], input.volumes[i], i, input.pod.security.namespaces, planned.descriptors);
    if (!mount.ok()) return mount.status();
    *planned.plan.add_mounts() = *std::move(mount);
  }
  return absl::OkStatus();
}

// What is mounted later than the volumes may lie in a mount below a Bidirectional one, which is
// with its peers all the time.
absl::Status CheckShared(const spec::ContainerSpec& spec) {
  std::vector<std::string> paths;
  for (const spec::Mount& late : LateMounts(spec)) paths.push_back(late.container_path);
  if (!spec.security.privileged) {
    const spec::SecurityContext& security = spec.security;
    paths.insert(paths.end(), security.masked_paths.begin(), security.masked_paths.end());
    paths.insert(paths.end(), security.readonly_paths.begin(), security.readonly_paths.end());
  }
  for (const spec::Mount& mount : spec.mounts) {
    if (mount.propagation != spec::MountPropagation::kBidirectional) continue;
    const std::string above = CleanPath(mount.container_path);
    const auto below = std::find_if(paths.begin(), paths.end(), [&](const std::string& path) {
      return CleanPath(path) != above && IsAtOrBelow(CleanPath(path), above);
    });
    if (below == paths.end()) continue;
    return absl::InvalidArgumentError(absl::StrCat("mounts: container_path \"",
                                                   mount.container_path,
                                                   "\" with propagation Bidirectional: ", *below,
                                                   " below it would be mounted on the host too"));
  }
  return absl::OkStatus();
}

absl::Status AddLayers(const RootInput& input, PlannedRoot& planned) {
  if (input.layers.empty()) return absl::InvalidArgumentError("the image has no layers");
  for (const std::string& layer : input.layers) {
    *planned.plan.add_layers() = planned.descriptors.Add(DescriptorRequest::Kind::kTree, layer);
  }
  if (!input.writable.empty()) {
    *planned.plan.mutable_writable() =
        planned.descriptors.Add(DescriptorRequest::Kind::kTree, input.writable);
  }
  return absl::OkStatus();
}

}  // namespace

std::vector<spec::Mount> ContainerMounts(const spec::ContainerSpec& spec, const PodFiles& files) {
  std::vector<spec::Mount> mounts;
  for (const spec::Mount& mount : spec.mounts) {
    if (!IsLateDestination(mount.container_path)) mounts.push_back(mount);
  }
  const bool readonly = spec.security.readonly_rootfs;
  AddPodFile(files.hosts, "/etc/hosts", readonly, mounts);
  AddPodFile(files.resolv_conf, "/etc/resolv.conf", readonly, mounts);
  AddPodFile(files.hostname, "/etc/hostname", readonly, mounts);
  std::stable_sort(mounts.begin(), mounts.end(), [](const spec::Mount& a, const spec::Mount& b) {
    return SplitPath(a.container_path).size() < SplitPath(b.container_path).size();
  });
  return mounts;
}

std::vector<spec::Mount> LateMounts(const spec::ContainerSpec& spec) {
  std::vector<spec::Mount> mounts;
  for (const spec::Mount& mount : spec.mounts) {
    if (IsLateDestination(mount.container_path)) mounts.push_back(mount);
  }
  return mounts;
}

absl::StatusOr<std::string> WorkingDirectory(const spec::ContainerSpec& spec,
                                             const spec::ImageConfig& image) {
  const bool own = !spec.working_dir.empty();
  const std::string& directory = own ? spec.working_dir : image.working_dir;
  if (directory.empty()) return std::string("/");
  if (absl::StartsWith(directory, "/") && directory.find('\0') == std::string::npos) {
    return directory;
  }
  return absl::InvalidArgumentError(
      absl::StrCat(own ? "working_dir" : "the image's working directory", ": \"", directory,
                   "\" is not absolute"));
}

absl::StatusOr<PlannedRoot> PlanRoot(const RootInput& input) {
  if (absl::Status status = CheckShared(input.spec); !status.ok()) return status;
  PlannedRoot planned;
  planned.plan.set_container_id(input.container_id);
  planned.plan.set_mount_label(input.mount_label);
  if (absl::Status status = AddLayers(input, planned); !status.ok()) return status;
  AddDefaultMounts(input.mounts,
                   {.privileged = input.spec.security.privileged,
                    .terminal_group = TerminalGroup(input.pod.security.namespaces),
                    .label = input.mount_label},
                   planned.plan);
  // A /dev that is a volume brings its own nodes, and none may be made in it.
  if (!IsMounted(input.mounts, "/dev")) {
    AddDefaultDevices(planned.plan);
    const absl::Status added =
        AddDevices(input.devices, input.pod.security.namespaces, planned.plan);
    if (!added.ok()) return added;
  }
  if (absl::Status status = AddVolumes(input, planned); !status.ok()) return status;
  absl::StatusOr<std::string> directory = WorkingDirectory(input.spec, input.image);
  if (!directory.ok()) return directory.status();
  planned.plan.set_working_directory(*directory);
  return planned;
}

}  // namespace bulkhead::isolation
