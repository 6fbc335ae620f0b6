#include "shim/policy/hardened.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "shim/policy/selinux_levels.h"

namespace bulkhead::policy {
namespace {

using spec::NamespaceMode;
using Type = spec::SecurityProfile::Type;

constexpr char kContext[] = "config.linux.security_context";

// What a service that starts as superuser needs to become its user: nothing that reaches the
// kernel's network or file system code (no NET_RAW, MKNOD, SYS_CHROOT, SETFCAP).
constexpr const char* kCapabilities[] = {"CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID",
                                         "KILL",  "SETGID",       "SETUID", "NET_BIND_SERVICE"};

// What Kubernetes masks unless a pod asks for ProcMount Unmasked, which cannot be told from a
// caller that masks nothing.
constexpr const char* kMaskedPaths[] = {"/proc/acpi",
                                        "/proc/asound",
                                        "/proc/interrupts",
                                        "/proc/kcore",
                                        "/proc/keys",
                                        "/proc/latency_stats",
                                        "/proc/sched_debug",
                                        "/proc/scsi",
                                        "/proc/timer_list",
                                        "/proc/timer_stats",
                                        "/sys/devices/virtual/powercap",
                                        "/sys/firmware"};
constexpr const char* kReadonlyPaths[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
                                          "/proc/sysrq-trigger"};

// The types that Kubernetes' Pod Security Standards let every pod ask for, but for that of
// container engines, which may more.
constexpr const char* kSelinuxTypes[] = {"", "container_t", "container_init_t", "container_kvm_t"};

absl::Status Refused(const Profile& profile, absl::string_view field, absl::string_view value) {
  return absl::InvalidArgumentError(absl::StrCat(field, ": ", value,
                                                 " is refused by the handler \"", profile.handler,
                                                 "\", which is hardened"));
}

absl::Status RefusedOf(const Profile& profile, absl::string_view member, absl::string_view value) {
  return Refused(profile, absl::StrCat(kContext, ".", member), value);
}

template <typename Names>
bool Holds(const Names& names, absl::string_view name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

absl::Status CheckPodNamespaces(const Profile& profile, const spec::NamespaceOptions& pod) {
  const std::pair<const char*, NamespaceMode> modes[] = {
      {"network", pod.network}, {"pid", pod.pid}, {"ipc", pod.ipc}};
  for (const auto& [name, mode] : modes) {
    if (mode != NamespaceMode::kNode) continue;
    return RefusedOf(profile, absl::StrCat("namespace_options.", name), "NODE");
  }
  return absl::OkStatus();
}

absl::Status CheckSelinux(const Profile& profile,
                          const std::optional<spec::SelinuxOptions>& asked) {
  if (!asked.has_value()) return absl::OkStatus();
  const auto refused = [&](const char* part, const std::string& value) {
    return RefusedOf(profile, absl::StrCat("selinux_options.", part),
                     absl::StrCat("\"", value, "\""));
  };
  if (!asked->user.empty()) return refused("user", asked->user);
  if (!asked->role.empty()) return refused("role", asked->role);
  if (!Holds(kSelinuxTypes, asked->type)) return refused("type", asked->type);
  // A range, and more categories than a pod is given, would get at other pods' files.
  if (asked->level.empty() || IsSelinuxPair(asked->level)) return absl::OkStatus();
  return refused("level", asked->level);
}

absl::Status CheckContainer(const Profile& profile, const spec::ContainerSpec& container) {
  const spec::SecurityContext& security = container.security;
  if (security.privileged) return RefusedOf(profile, "privileged", "true");
  if (security.namespaces.pid == NamespaceMode::kNode) {
    return RefusedOf(profile, "namespace_options.pid", "NODE");
  }
  if (security.seccomp.type == Type::kUnconfined) {
    return RefusedOf(profile, "seccomp.profile_type", "Unconfined");
  }
  if (security.seccomp.type == Type::kLocalhost) {
    return RefusedOf(profile, "seccomp.profile_type", "Localhost");
  }
  if (security.apparmor.type == Type::kUnconfined) {
    return RefusedOf(profile, "apparmor.profile_type", "Unconfined");
  }
  if (absl::Status s = CheckSelinux(profile, security.selinux); !s.ok()) return s;
  // They are programs of the host's superuser at work on files of the container's.
  if (!container.hooks.empty()) {
    return Refused(profile, "config.CDI_devices", "a device with hooks");
  }
  for (size_t i = 0; i < container.mounts.size(); ++i) {
    if (container.mounts[i].propagation != spec::MountPropagation::kBidirectional) continue;
    return Refused(profile, absl::StrCat("config.mounts[", i, "].propagation"), "BIDIRECTIONAL");
  }
  return absl::OkStatus();
}

// The smaller set in the terms of the request: all dropped but what may stay. What is dropped by
// name stays in its list, so that an unknown name is still refused.
absl::Status LimitCapabilities(const Profile& profile, spec::Capabilities& capabilities) {
  for (size_t i = 0; i < capabilities.add.size(); ++i) {
    if (Holds(kCapabilities, capabilities.add[i])) continue;
    return RefusedOf(profile, absl::StrCat("capabilities.add_capabilities[", i, "]"),
                     absl::StrCat("\"", capabilities.add[i], "\""));
  }
  if (Holds(capabilities.drop, "ALL")) return absl::OkStatus();
  for (const char* name : kCapabilities) {
    if (!Holds(capabilities.add, name)) capabilities.add.emplace_back(name);
  }
  capabilities.drop.emplace_back("ALL");
  return absl::OkStatus();
}

template <typename Usual>
void AddPaths(const Usual& usual, std::vector<std::string>& paths) {
  for (const char* path : usual) {
    if (!Holds(paths, path)) paths.emplace_back(path);
  }
}

// The kubelet does not know of a user namespace that it did not ask for, and sends no maps.
void MapVolumes(const spec::NamespaceOptions& pod, std::vector<spec::Mount>& mounts) {
  const spec::UserNamespace* own = spec::OwnUserNamespace(pod);
  if (own == nullptr) return;
  for (spec::Mount& mount : mounts) {
    if (!mount.uid_map.empty() || !mount.gid_map.empty()) continue;
    mount.uid_map = own->uids;
    mount.gid_map = own->gids;
  }
}

}  // namespace

absl::StatusOr<spec::PodSpec> Harden(const Profile& profile, spec::PodSpec pod) {
  spec::SecurityContext& security = pod.security;
  if (security.privileged) return RefusedOf(profile, "privileged", "true");
  absl::Status status = CheckPodNamespaces(profile, security.namespaces);
  if (!status.ok()) return status;
  if (status = CheckSelinux(profile, security.selinux); !status.ok()) return status;
  // The kubelet says NODE for a pod that asks for none.
  if (spec::OwnUserNamespace(security.namespaces) == nullptr) {
    security.namespaces.user = spec::UserNamespace{.mode = NamespaceMode::kPod};
  }
  return pod;
}

absl::StatusOr<spec::ContainerSpec> Harden(const Profile& profile, const spec::PodSpec& pod,
                                           spec::ContainerSpec container) {
  if (absl::Status status = CheckContainer(profile, container); !status.ok()) return status;
  spec::SecurityContext& security = container.security;
  absl::Status status = LimitCapabilities(profile, security.capabilities);
  if (status.ok()) status = LimitPids(profile, container.resources);
  if (!status.ok()) return status;
  const std::optional<spec::UserNamespace>& user = security.namespaces.user;
  if (user.has_value() && user->mode == NamespaceMode::kNode) security.namespaces.user.reset();
  security.seccomp.type = Type::kRuntimeStrict;
  security.no_new_privs = true;
  AddPaths(kMaskedPaths, security.masked_paths);
  AddPaths(kReadonlyPaths, security.readonly_paths);
  MapVolumes(pod.security.namespaces, container.mounts);
  return container;
}

absl::Status LimitPids(const Profile& profile, spec::Resources& resources) {
  if (profile.pids_limit == 0) return absl::OkStatus();
  const auto asked = resources.unified.find("pids.max");
  if (asked == resources.unified.end()) {
    resources.pids_limit = profile.pids_limit;
    return absl::OkStatus();
  }
  int64_t limit = 0;
  if (absl::SimpleAtoi(asked->second, &limit) && limit <= profile.pids_limit) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("unified[\"pids.max\"]: \"", asked->second, "\" is not within the ",
                   profile.pids_limit, " that the handler \"", profile.handler, "\" allows"));
}

}  // namespace bulkhead::policy
