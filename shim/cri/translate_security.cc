#include "shim/cri/translate_security.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "runtime/spec/selinux.h"

namespace bulkhead::cri {
namespace {

namespace v1 = ::runtime::v1;

// The last value of 32 bits means "no user" to the kernel (setuid(2)).
constexpr int64_t kHighestId = 0xFFFFFFFE;

spec::NamespaceMode ToNamespaceMode(v1::NamespaceMode mode, const Field& field, Faults& faults) {
  switch (mode) {
    case v1::POD:
      return spec::NamespaceMode::kPod;
    case v1::CONTAINER:
      return spec::NamespaceMode::kContainer;
    case v1::NODE:
      return spec::NamespaceMode::kNode;
    case v1::TARGET:
      return spec::NamespaceMode::kTarget;
    default:
      faults.InvalidValue(field, mode, "is not a NamespaceMode");
      return spec::NamespaceMode::kPod;
  }
}

std::optional<spec::UserNamespace> ToUserNamespace(const v1::NamespaceOption& options,
                                                   const Field& field, Faults& faults) {
  if (!options.has_userns_options()) return std::nullopt;
  const v1::UserNamespace& from = options.userns_options();
  const Field user = field.Member("userns_options");
  switch (from.mode()) {
    case v1::NODE:
      if (!from.uids().empty() || !from.gids().empty()) {
        faults.Invalid(user.Member(from.uids().empty() ? "gids" : "uids"), "is for mode POD");
      }
      return spec::UserNamespace{.mode = spec::NamespaceMode::kNode};
    case v1::POD:
      break;
    default:
      faults.InvalidValue(user.Member("mode"), from.mode(), "is neither POD nor NODE");
      return std::nullopt;
  }
  spec::UserNamespace space{.mode = spec::NamespaceMode::kPod,
                            .uids = ToIdMap(from.uids(), user.Member("uids"), faults),
                            .gids = ToIdMap(from.gids(), user.Member("gids"), faults)};
  if (faults.empty() && space.uids[0].size != space.gids[0].size) {
    faults.InvalidValue(user.Member("gids").Element(0).Member("length"), space.gids[0].size,
                        "differs from that of uids");
  }
  return space;
}

spec::NamespaceOptions ToNamespaceOptions(const v1::NamespaceOption& options, const Field& field,
                                          Faults& faults) {
  return {
      .network = ToNamespaceMode(options.network(), field.Member("network"), faults),
      .pid = ToNamespaceMode(options.pid(), field.Member("pid"), faults),
      .ipc = ToNamespaceMode(options.ipc(), field.Member("ipc"), faults),
      .target_id = options.target_id(),
      .user = ToUserNamespace(options, field, faults),
  };
}

void RequirePodOrNode(v1::NamespaceMode mode, const Field& field, Faults& faults) {
  if (mode != v1::POD && mode != v1::NODE) {
    faults.InvalidValue(field, mode,
                        "is neither POD nor NODE, which is all that a sandbox can have");
  }
}

spec::NamespaceOptions ToPodNamespaces(const v1::NamespaceOption& options, const Field& field,
                                       Faults& faults) {
  RequirePodOrNode(options.network(), field.Member("network"), faults);
  RequirePodOrNode(options.ipc(), field.Member("ipc"), faults);
  if (options.pid() == v1::TARGET) {
    faults.InvalidValue(field.Member("pid"), options.pid(), "(TARGET) is for containers only");
  }
  return ToNamespaceOptions(options, field, faults);
}

// The network and IPC namespaces are the sandbox's whatever a container repeats of them.
spec::NamespaceOptions ToContainerNamespaces(const v1::NamespaceOption& options, const Field& field,
                                             Faults& faults) {
  if (options.pid() == v1::TARGET) {
    faults.NotEmpty(field.Member("target_id"), options.target_id());
  }
  return ToNamespaceOptions(options, field, faults);
}

spec::SecurityProfile ToProfile(const v1::SecurityProfile& profile, const Field& field,
                                Faults& faults) {
  using Type = spec::SecurityProfile::Type;
  const Field ref = field.Member("localhost_ref");
  if (profile.profile_type() == v1::SecurityProfile::Localhost) {
    faults.NotEmpty(ref, profile.localhost_ref());
    return {.type = Type::kLocalhost, .localhost_ref = profile.localhost_ref()};
  }
  if (!profile.localhost_ref().empty()) {
    faults.InvalidValue(ref, profile.localhost_ref(),
                        "is only allowed with profile_type Localhost");
  }
  switch (profile.profile_type()) {
    case v1::SecurityProfile::RuntimeDefault:
      return {.type = Type::kRuntimeDefault};
    case v1::SecurityProfile::Unconfined:
      return {.type = Type::kUnconfined};
    default:
      faults.InvalidValue(field.Member("profile_type"), profile.profile_type(),
                          "is not a ProfileType");
      return {};
  }
}

// The form that the deprecated string fields had; clients older than SecurityProfile send it alone.
spec::SecurityProfile ToLegacyProfile(const std::string& path, const Field& field, Faults& faults) {
  using Type = spec::SecurityProfile::Type;
  if (path.empty()) return {};
  if (path == "unconfined") return {.type = Type::kUnconfined};
  if (path == "runtime/default" || path == "docker/default") {
    return {.type = Type::kRuntimeDefault};
  }
  absl::string_view ref = path;
  if (absl::ConsumePrefix(&ref, "localhost/") && !ref.empty()) {
    return {.type = Type::kLocalhost, .localhost_ref = std::string(ref)};
  }
  faults.InvalidValue(field, path, "is not a profile");
  return {};
}

// seccomp stands in both kinds of context, with the same names.
template <typename Context>
spec::SecurityProfile ToSeccomp(const Context& context, const Field& field, Faults& faults) {
  const Field own = field.Member(context.has_seccomp() ? "seccomp" : "seccomp_profile_path");
  spec::SecurityProfile profile =
      context.has_seccomp() ? ToProfile(context.seccomp(), own, faults)
                            : ToLegacyProfile(context.seccomp_profile_path(), own, faults);
  // AppArmor's reference is a name, this one a file.
  if (profile.type == spec::SecurityProfile::Type::kLocalhost) {
    faults.AbsolutePath(context.has_seccomp() ? own.Member("localhost_ref") : own,
                        profile.localhost_ref);
  }
  return profile;
}

// critest gives the name with the prefix of the deprecated field, which the peers take off.
spec::SecurityProfile ToAppArmor(const v1::SecurityProfile& apparmor, const Field& field,
                                 Faults& faults) {
  spec::SecurityProfile profile = ToProfile(apparmor, field, faults);
  absl::string_view name = profile.localhost_ref;
  if (!absl::ConsumePrefix(&name, "localhost/")) return profile;
  faults.NotEmpty(field.Member("localhost_ref"), name);
  profile.localhost_ref = std::string(name);
  return profile;
}

// Also on a host without SELinux: the same pod must not become another one on the next host.
void CheckSelinux(const spec::SelinuxOptions& options, const Field& field, Faults& faults) {
  const std::pair<const char*, const std::string&> names[] = {
      {"user", options.user}, {"role", options.role}, {"type", options.type}};
  for (const auto& [name, value] : names) {
    if (value.empty() || spec::IsSelinuxName(value)) continue;
    faults.InvalidValue(field.Member(name), value, "is not a name of an SELinux policy");
  }
  if (options.level.empty() || spec::IsSelinuxLevel(options.level)) return;
  faults.InvalidValue(field.Member("level"), options.level,
                      "is not an SELinux level such as \"s0:c4,c5\"");
}

std::optional<spec::SelinuxOptions> ToSelinux(const v1::SELinuxOption& options, const Field& field,
                                              Faults& faults) {
  spec::SelinuxOptions selinux{.user = options.user(),
                               .role = options.role(),
                               .type = options.type(),
                               .level = options.level()};
  if (selinux == spec::SelinuxOptions()) return std::nullopt;
  CheckSelinux(selinux, field, faults);
  return selinux;
}

spec::SupplementalGroupsPolicy ToGroupsPolicy(v1::SupplementalGroupsPolicy policy,
                                              const Field& field, Faults& faults) {
  switch (policy) {
    case v1::Merge:
      return spec::SupplementalGroupsPolicy::kMerge;
    case v1::Strict:
      return spec::SupplementalGroupsPolicy::kStrict;
    default:
      faults.InvalidValue(field, policy, "is not a SupplementalGroupsPolicy");
      return spec::SupplementalGroupsPolicy::kStrict;
  }
}

std::optional<int64_t> ToId(bool present, const v1::Int64Value& id, const Field& field,
                            Faults& faults) {
  if (!present) return std::nullopt;
  faults.InRange(field, id.value(), 0, kHighestId);
  return id.value();
}

template <typename Context>
std::vector<int64_t> ToGroups(const Context& context, const Field& field, Faults& faults) {
  for (int i = 0; i < context.supplemental_groups_size(); ++i) {
    faults.InRange(field.Member("supplemental_groups").Element(i), context.supplemental_groups(i),
                   0, kHighestId);
  }
  return {context.supplemental_groups().begin(), context.supplemental_groups().end()};
}

// What sandboxes and containers have in common.
template <typename Context>
spec::SecurityContext ToCommon(const Context& context, const Field& field, Faults& faults) {
  return {
      .privileged = context.privileged(),
      .selinux = ToSelinux(context.selinux_options(), field.Member("selinux_options"), faults),
      .run_as_user = ToId(context.has_run_as_user(), context.run_as_user(),
                          field.Member("run_as_user"), faults),
      .run_as_group = ToId(context.has_run_as_group(), context.run_as_group(),
                           field.Member("run_as_group"), faults),
      .readonly_rootfs = context.readonly_rootfs(),
      .supplemental_groups = ToGroups(context, field, faults),
      .supplemental_groups_policy = ToGroupsPolicy(
          context.supplemental_groups_policy(), field.Member("supplemental_groups_policy"), faults),
      .seccomp = ToSeccomp(context, field, faults),
      .apparmor = context.has_apparmor()
                      ? ToAppArmor(context.apparmor(), field.Member("apparmor"), faults)
                      : spec::SecurityProfile(),
  };
}

bool IsCapabilityName(absl::string_view name) {
  if (name.empty()) return false;
  for (const char c : name) {
    if (!absl::ascii_isupper(c) && !absl::ascii_isdigit(c) && c != '_') return false;
  }
  return true;
}

template <typename Names>
std::vector<std::string> ToCapabilityNames(const Names& names, const Field& field, Faults& faults) {
  std::vector<std::string> plain;
  for (int i = 0; i < names.size(); ++i) {
    const std::string upper = absl::AsciiStrToUpper(names[i]);
    plain.emplace_back(absl::StripPrefix(upper, "CAP_"));
    if (!IsCapabilityName(plain.back())) {
      faults.InvalidValue(field.Element(i), names[i], "is not the name of a capability");
    }
  }
  return plain;
}

spec::Capabilities ToCapabilities(const v1::Capability& capabilities, const Field& field,
                                  Faults& faults) {
  return {
      .add = ToCapabilityNames(capabilities.add_capabilities(), field.Member("add_capabilities"),
                               faults),
      .drop = ToCapabilityNames(capabilities.drop_capabilities(), field.Member("drop_capabilities"),
                                faults),
      .add_ambient = ToCapabilityNames(capabilities.add_ambient_capabilities(),
                                       field.Member("add_ambient_capabilities"), faults),
  };
}

template <typename Paths>
std::vector<std::string> ToAbsolutePaths(const Paths& paths, const Field& field, Faults& faults) {
  for (int i = 0; i < paths.size(); ++i) faults.AbsolutePath(field.Element(i), paths[i]);
  return {paths.begin(), paths.end()};
}

void CheckContainerUser(const v1::LinuxContainerSecurityContext& context, const Field& field,
                        Faults& faults) {
  const Field username = field.Member("run_as_username");
  faults.NoNul(username, context.run_as_username());
  if (context.has_run_as_user() && !context.run_as_username().empty()) {
    faults.InvalidValue(username, context.run_as_username(), "excludes run_as_user");
  }
  const bool has_user = context.has_run_as_user() || !context.run_as_username().empty();
  if (context.has_run_as_group() && !has_user) {
    faults.InvalidValue(field.Member("run_as_group"), context.run_as_group().value(),
                        "needs run_as_user or run_as_username");
  }
}

}  // namespace

spec::SecurityContext ToSecurityContext(const v1::LinuxSandboxSecurityContext& context,
                                        const Field& field, Faults& faults) {
  spec::SecurityContext security = ToCommon(context, field, faults);
  security.namespaces =
      ToPodNamespaces(context.namespace_options(), field.Member("namespace_options"), faults);
  if (context.has_run_as_group() && !context.has_run_as_user()) {
    faults.InvalidValue(field.Member("run_as_group"), context.run_as_group().value(),
                        "needs run_as_user");
  }
  return security;
}

spec::SecurityContext ToSecurityContext(const v1::LinuxContainerSecurityContext& context,
                                        const Field& field, Faults& faults) {
  spec::SecurityContext security = ToCommon(context, field, faults);
  CheckContainerUser(context, field, faults);
  security.namespaces =
      ToContainerNamespaces(context.namespace_options(), field.Member("namespace_options"), faults);
  security.capabilities =
      ToCapabilities(context.capabilities(), field.Member("capabilities"), faults);
  security.run_as_username = context.run_as_username();
  security.no_new_privs = context.no_new_privs();
  security.masked_paths =
      ToAbsolutePaths(context.masked_paths(), field.Member("masked_paths"), faults);
  security.readonly_paths =
      ToAbsolutePaths(context.readonly_paths(), field.Member("readonly_paths"), faults);
  if (!context.has_apparmor()) {
    security.apparmor =
        ToLegacyProfile(context.apparmor_profile(), field.Member("apparmor_profile"), faults);
  }
  return security;
}

std::vector<spec::IdRange> ToIdMap(
    const google::protobuf::RepeatedPtrField<v1::IDMapping>& mappings, const Field& field,
    Faults& faults) {
  if (mappings.size() != 1) {
    faults.InvalidValue(field, mappings.size(), "mappings instead of one");
    return {};
  }
  const v1::IDMapping& mapping = mappings[0];
  const Field at = field.Element(0);
  // The container's superuser has to be somebody, and must not be the host's.
  faults.InRange(at.Member("container_id"), mapping.container_id(), 0, 0);
  faults.InRange(at.Member("host_id"), mapping.host_id(), 1, kHighestId);
  faults.InRange(at.Member("length"), mapping.length(), 1,
                 kHighestId - std::min<int64_t>(mapping.host_id(), kHighestId - 1) + 1);
  return {{mapping.container_id(), mapping.host_id(), mapping.length()}};
}

void FromIdMap(const std::vector<spec::IdRange>& map,
               google::protobuf::RepeatedPtrField<v1::IDMapping>& mappings) {
  for (const spec::IdRange& range : map) {
    v1::IDMapping& mapping = *mappings.Add();
    mapping.set_container_id(range.container);
    mapping.set_host_id(range.host);
    mapping.set_length(range.size);
  }
}

v1::NamespaceOption FromNamespaceOptions(const spec::NamespaceOptions& options) {
  // The two enumerations have the same order; the unit tests go through all values.
  const auto mode = [](spec::NamespaceMode m) { return static_cast<v1::NamespaceMode>(m); };
  v1::NamespaceOption out;
  out.set_network(mode(options.network));
  out.set_pid(mode(options.pid));
  out.set_ipc(mode(options.ipc));
  out.set_target_id(options.target_id);
  if (options.user.has_value()) {
    v1::UserNamespace& user = *out.mutable_userns_options();
    user.set_mode(mode(options.user->mode));
    FromIdMap(options.user->uids, *user.mutable_uids());
    FromIdMap(options.user->gids, *user.mutable_gids());
  }
  return out;
}

}  // namespace bulkhead::cri
