#ifndef BULKHEAD_RUNTIME_SPEC_SECURITY_H_
#define BULKHEAD_RUNTIME_SPEC_SECURITY_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace bulkhead::spec {

// CRI NamespaceMode.
enum class NamespaceMode { kPod, kContainer, kNode, kTarget };

// A run of user or group ids: a line of a uid_map or gid_map (user_namespaces(7)).
struct IdRange {
  uint32_t container = 0;
  uint32_t host = 0;
  uint32_t size = 0;

  bool operator==(const IdRange&) const = default;
};

// CRI UserNamespace: kPod, with one range of users and one of groups, or kNode.
struct UserNamespace {
  NamespaceMode mode = NamespaceMode::kNode;
  std::vector<IdRange> uids;
  std::vector<IdRange> gids;

  bool operator==(const UserNamespace&) const = default;
};

struct NamespaceOptions {
  NamespaceMode network = NamespaceMode::kPod;
  NamespaceMode pid = NamespaceMode::kPod;
  NamespaceMode ipc = NamespaceMode::kPod;
  // The container whose PID namespace is joined with kTarget.
  std::string target_id;
  // Absent: a pod's is the host's, a container's the pod's.
  std::optional<UserNamespace> user;

  bool operator==(const NamespaceOptions&) const = default;
};

// The user namespace that a pod with these options has of its own, or null.
inline const UserNamespace* OwnUserNamespace(const NamespaceOptions& pod) {
  return pod.user.has_value() && pod.user->mode == NamespaceMode::kPod ? &*pod.user : nullptr;
}

// Capability names without the CAP_ prefix, upper case; "ALL" stands for all.
struct Capabilities {
  std::vector<std::string> add;
  std::vector<std::string> drop;
  std::vector<std::string> add_ambient;

  bool operator==(const Capabilities&) const = default;
};

// CRI SecurityProfile, for seccomp and AppArmor.
struct SecurityProfile {
  // The last two are not the CRI's, and for seccomp alone: what handlers of the daemon make of
  // kRuntimeDefault.
  enum class Type {
    kUnset,
    kRuntimeDefault,
    kUnconfined,
    kLocalhost,
    kRuntimeStrict,  // The default profile without what every capability would add, and less.
    kRuntimeLogged,  // The default profile, which logs what it would refuse.
  };
  Type type = Type::kUnset;
  std::string localhost_ref;

  bool operator==(const SecurityProfile&) const = default;
};

struct SelinuxOptions {
  std::string user;
  std::string role;
  std::string type;
  std::string level;

  bool operator==(const SelinuxOptions&) const = default;
};

enum class SupplementalGroupsPolicy { kMerge, kStrict };

// CRI LinuxContainerSecurityContext, and of a pod what LinuxSandboxSecurityContext shares with it.
struct SecurityContext {
  Capabilities capabilities;
  bool privileged = false;
  NamespaceOptions namespaces;
  std::optional<SelinuxOptions> selinux;
  std::optional<int64_t> run_as_user;
  std::optional<int64_t> run_as_group;
  std::string run_as_username;
  bool readonly_rootfs = false;
  std::vector<int64_t> supplemental_groups;
  SupplementalGroupsPolicy supplemental_groups_policy = SupplementalGroupsPolicy::kMerge;
  bool no_new_privs = false;
  SecurityProfile seccomp;
  SecurityProfile apparmor;
  // An empty list is none: ProcMount Unmasked.
  std::vector<std::string> masked_paths;
  std::vector<std::string> readonly_paths;

  bool operator==(const SecurityContext&) const = default;
};

}  // namespace bulkhead::spec

#endif  // BULKHEAD_RUNTIME_SPEC_SECURITY_H_
