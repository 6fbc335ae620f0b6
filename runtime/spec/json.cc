#include "runtime/spec/json.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

// nlohmann's macros are its way to say a struct's members once for both directions.
namespace bulkhead::spec {

NLOHMANN_JSON_SERIALIZE_ENUM(Protocol, {{Protocol::kTcp, "TCP"},
                                        {Protocol::kUdp, "UDP"},
                                        {Protocol::kSctp, "SCTP"}})
NLOHMANN_JSON_SERIALIZE_ENUM(NamespaceMode, {{NamespaceMode::kPod, "POD"},
                                             {NamespaceMode::kContainer, "CONTAINER"},
                                             {NamespaceMode::kNode, "NODE"},
                                             {NamespaceMode::kTarget, "TARGET"}})
NLOHMANN_JSON_SERIALIZE_ENUM(SecurityProfile::Type,
                             {{SecurityProfile::Type::kUnset, "Unset"},
                              {SecurityProfile::Type::kRuntimeDefault, "RuntimeDefault"},
                              {SecurityProfile::Type::kUnconfined, "Unconfined"},
                              {SecurityProfile::Type::kLocalhost, "Localhost"},
                              {SecurityProfile::Type::kRuntimeStrict, "RuntimeStrict"},
                              {SecurityProfile::Type::kRuntimeLogged, "RuntimeLogged"}})
NLOHMANN_JSON_SERIALIZE_ENUM(SupplementalGroupsPolicy,
                             {{SupplementalGroupsPolicy::kMerge, "Merge"},
                              {SupplementalGroupsPolicy::kStrict, "Strict"}})
NLOHMANN_JSON_SERIALIZE_ENUM(MountPropagation,
                             {{MountPropagation::kPrivate, "PRIVATE"},
                              {MountPropagation::kHostToContainer, "HOST_TO_CONTAINER"},
                              {MountPropagation::kBidirectional, "BIDIRECTIONAL"}})

}  // namespace bulkhead::spec

namespace nlohmann {

template <typename T>
struct adl_serializer<std::optional<T>> {
  static void to_json(json& j, const std::optional<T>& value) {
    j = value.has_value() ? json(*value) : json(nullptr);
  }
  static void from_json(const json& j, std::optional<T>& value) {
    if (j.is_null()) {
      value.reset();
    } else {
      value = j.get<T>();
    }
  }
};

}  // namespace nlohmann

namespace bulkhead::spec {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(PodMetadata, name, uid, name_space, attempt)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(DnsConfig, servers, searches, options)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(PortMapping, protocol, container_port, host_port, host_ip)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(IdRange, container, host, size)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(UserNamespace, mode, uids, gids)
// The defaults are for records of versions without user namespaces.
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(NamespaceOptions, network, pid, ipc, target_id,
                                                user)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Capabilities, add, drop, add_ambient)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(SecurityProfile, type, localhost_ref)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(SelinuxOptions, user, role, type, level)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(SecurityContext, capabilities, privileged, namespaces, selinux,
                                   run_as_user, run_as_group, run_as_username, readonly_rootfs,
                                   supplemental_groups, supplemental_groups_policy, no_new_privs,
                                   seccomp, apparmor, masked_paths, readonly_paths)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(HugepageLimit, page_size, limit)
// The default is for records of versions without a limit of processes.
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(Resources, cpu_period, cpu_quota, cpu_shares,
                                                memory_limit, memory_swap_limit, oom_score_adj,
                                                cpuset_cpus, cpuset_mems, hugepage_limits, unified,
                                                pids_limit)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(PodResources, overhead, resources)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(PodSpec, metadata, hostname, log_directory, dns, port_mappings,
                                   labels, annotations, runtime_handler, cgroup_parent, sysctls,
                                   security, resources)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ContainerMetadata, name, attempt)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(Mount, container_path, host_path, readonly,
                                                recursive_read_only, selinux_relabel, propagation,
                                                uid_map, gid_map, image, image_sub_path, nosuid,
                                                nodev, noexec)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE_WITH_DEFAULT(Device, container_path, host_path, permissions,
                                                type, major, minor, file_mode, uid, gid)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Hook, path, args, env, timeout)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ContainerSpec, metadata, user_image, image, command, args,
                                   working_dir, env, mounts, devices, cdi_devices, hooks, labels,
                                   annotations, log_path, stdin, stdin_once, tty, stop_signal,
                                   resources, security)

namespace {

template <typename Spec>
absl::StatusOr<Spec> FromJson(const nlohmann::json& json) {
  try {
    return json.get<Spec>();
  } catch (const nlohmann::json::exception& error) {
    return absl::DataLossError(absl::StrCat("not a spec of this version: ", error.what()));
  }
}

// "/security/masked_paths/2" becomes "security.masked_paths[2]".
std::string FieldPath(const std::string& pointer) {
  std::string path;
  size_t begin = 1;
  while (begin <= pointer.size()) {
    const size_t end = std::min(pointer.find('/', begin), pointer.size());
    const std::string part = pointer.substr(begin, end - begin);
    const bool index = !part.empty() && part.find_first_not_of("0123456789") == std::string::npos;
    if (index) {
      absl::StrAppend(&path, "[", part, "]");
    } else {
      absl::StrAppend(&path, path.empty() ? "" : ".", part);
    }
    begin = end + 1;
  }
  return path;
}

template <typename Spec>
std::optional<std::string> Difference(const Spec& a, const Spec& b) {
  if (a == b) return std::nullopt;
  const nlohmann::json patch = nlohmann::json::diff(ToJson(a), ToJson(b));
  return FieldPath(patch.at(0).at("path").template get<std::string>());
}

}  // namespace

nlohmann::json ToJson(const PodSpec& spec) { return spec; }
nlohmann::json ToJson(const ContainerSpec& spec) { return spec; }
nlohmann::json ToJson(const Resources& resources) { return resources; }
nlohmann::json ToJson(const PodResources& resources) { return resources; }

absl::StatusOr<PodSpec> PodSpecFromJson(const nlohmann::json& json) {
  if (json.contains("resources")) return FromJson<PodSpec>(json);
  // A record of a version that did not keep them.
  nlohmann::json completed = json;
  completed["resources"] = PodResources();
  return FromJson<PodSpec>(completed);
}

absl::StatusOr<Resources> ResourcesFromJson(const nlohmann::json& json) {
  return FromJson<Resources>(json);
}

absl::StatusOr<PodResources> PodResourcesFromJson(const nlohmann::json& json) {
  return FromJson<PodResources>(json);
}

absl::StatusOr<ContainerSpec> ContainerSpecFromJson(const nlohmann::json& json) {
  if (json.contains("cdi_devices") && json.contains("hooks")) return FromJson<ContainerSpec>(json);
  // A record of a version that had none.
  nlohmann::json completed = {{"cdi_devices", nlohmann::json::array()},
                              {"hooks", nlohmann::json::array()}};
  completed.update(json);
  return FromJson<ContainerSpec>(completed);
}

std::optional<std::string> FirstDifference(const PodSpec& a, const PodSpec& b) {
  return Difference(a, b);
}

std::optional<std::string> FirstDifference(const ContainerSpec& a, const ContainerSpec& b) {
  return Difference(a, b);
}

}  // namespace bulkhead::spec
