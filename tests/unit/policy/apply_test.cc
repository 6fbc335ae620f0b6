#include "shim/policy/apply.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bulkhead::policy {
namespace {

using spec::NamespaceMode;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;
using Type = spec::SecurityProfile::Type;

const Profile kDefault;
const Profile kHardened{.handler = "safe", .kind = Kind::kHardened, .pids_limit = 100};
const Profile kDebug{.handler = "dev", .kind = Kind::kDebug};

std::string Refusal(const absl::Status& status) {
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  return std::string(status.message());
}

// A sandbox as the kubelet sends it for a pod that asks for no user namespace, made hardened.
spec::PodSpec HardenedPod() {
  spec::PodSpec pod;
  pod.security.namespaces.user = spec::UserNamespace{.mode = NamespaceMode::kNode};
  pod = *Apply(kHardened, pod);
  const std::vector<spec::IdRange> map = {{0, 0x70000000, 65536}};
  pod.security.namespaces.user->uids = pod.security.namespaces.user->gids = map;
  return pod;
}

spec::ContainerSpec Hardened(const spec::ContainerSpec& asked) {
  const auto applied = Apply(kHardened, HardenedPod(), asked);
  EXPECT_TRUE(applied.ok()) << applied.status();
  return applied.value_or(spec::ContainerSpec());
}

std::string ContainerRefusal(const spec::ContainerSpec& asked) {
  return Refusal(Apply(kHardened, HardenedPod(), asked).status());
}

TEST(Apply, RefusesAPrivilegedContainerInASandboxThatWasNotRunForSuch) {
  spec::PodSpec pod;
  spec::ContainerSpec container;
  container.security.privileged = true;
  EXPECT_THAT(Refusal(Apply(kDefault, pod, container).status()), HasSubstr("privileged"));
  pod.security.privileged = true;
  EXPECT_TRUE(Apply(kDefault, pod, container).ok());
}

TEST(ApplyDefault, ChangesNothing) {
  spec::PodSpec pod;
  pod.security.namespaces.network = NamespaceMode::kNode;
  pod.security.privileged = true;
  EXPECT_EQ(*Apply(kDefault, pod), pod);
  spec::ContainerSpec container;
  container.security.privileged = true;
  EXPECT_EQ(*Apply(kDefault, pod, container), container);
}

TEST(ApplyDefault, SeccompThatIsNotSetIsTheRuntimesWhereTheNodeSaysSo) {
  const Profile profile{.seccomp_default = true};
  spec::ContainerSpec container;
  EXPECT_EQ(Apply(profile, {}, container)->security.seccomp.type, Type::kRuntimeDefault);
  for (const Type asked : {Type::kUnconfined, Type::kLocalhost, Type::kRuntimeDefault}) {
    container.security.seccomp.type = asked;
    EXPECT_EQ(Apply(profile, {}, container)->security.seccomp.type, asked);
  }
}

TEST(ApplyDefault, LimitsProcessesWhereItsHandlerSaysSo) {
  EXPECT_EQ(Apply({.pids_limit = 5}, {}, spec::ContainerSpec())->resources.pids_limit, 5);
}

TEST(ApplyDebug, LogsWhatTheDefaultProfileWouldRefuseAndChangesNothingElse) {
  spec::ContainerSpec asked;
  asked.security.seccomp.type = Type::kRuntimeDefault;
  spec::ContainerSpec logged = asked;
  logged.security.seccomp.type = Type::kRuntimeLogged;
  EXPECT_EQ(*Apply(kDebug, {}, asked), logged);
  for (const Type other : {Type::kUnset, Type::kUnconfined, Type::kLocalhost}) {
    asked.security.seccomp.type = other;
    EXPECT_EQ(*Apply(kDebug, {}, asked), asked);
  }
}

TEST(ApplyHardened, APodThatAsksForNoUserNamespaceGetsOneWhoseIdsAreToBeFound) {
  spec::PodSpec pod;
  EXPECT_FALSE(NeedsHostIds(pod));
  EXPECT_TRUE(NeedsHostIds(*Apply(kHardened, pod)));
  pod.security.namespaces.user = spec::UserNamespace{.mode = NamespaceMode::kNode};
  EXPECT_TRUE(NeedsHostIds(*Apply(kHardened, pod)));
  EXPECT_FALSE(NeedsHostIds(HardenedPod()));
}

TEST(ApplyHardened, APodKeepsTheUserNamespaceThatTheKubeletAsksFor) {
  const std::vector<spec::IdRange> map = {{0, 131072, 65536}};
  spec::PodSpec pod;
  pod.security.namespaces.user =
      spec::UserNamespace{.mode = NamespaceMode::kPod, .uids = map, .gids = map};
  EXPECT_EQ(*Apply(kHardened, pod), pod);
}

TEST(ApplyHardened, RefusesAPodTheHostsNamespacesAndPrivilege) {
  const std::pair<const char*, NamespaceMode spec::NamespaceOptions::*> modes[] = {
      {"network", &spec::NamespaceOptions::network},
      {"pid", &spec::NamespaceOptions::pid},
      {"ipc", &spec::NamespaceOptions::ipc}};
  for (const auto& [name, mode] : modes) {
    spec::PodSpec pod;
    pod.security.namespaces.*mode = NamespaceMode::kNode;
    EXPECT_EQ(Refusal(Apply(kHardened, pod).status()),
              std::string("config.linux.security_context.namespace_options.") + name +
                  ": NODE is refused by the handler \"safe\", which is hardened");
  }
  spec::PodSpec pod;
  pod.security.privileged = true;
  EXPECT_THAT(Refusal(Apply(kHardened, pod).status()),
              HasSubstr("config.linux.security_context.privileged: true is refused"));
}

TEST(ApplyHardened, RefusesAContainerWhatWouldWeakenIt) {
  spec::ContainerSpec privileged;
  privileged.security.privileged = true;
  EXPECT_THAT(ContainerRefusal(privileged), HasSubstr("security_context.privileged: true"));
  spec::ContainerSpec pid;
  pid.security.namespaces.pid = NamespaceMode::kNode;
  EXPECT_THAT(ContainerRefusal(pid), HasSubstr("namespace_options.pid: NODE"));
  spec::ContainerSpec unconfined;
  unconfined.security.seccomp.type = Type::kUnconfined;
  EXPECT_THAT(ContainerRefusal(unconfined), HasSubstr("seccomp.profile_type: Unconfined"));
  spec::ContainerSpec localhost;
  localhost.security.seccomp = {Type::kLocalhost, "/own.json"};
  EXPECT_THAT(ContainerRefusal(localhost), HasSubstr("seccomp.profile_type: Localhost"));
  spec::ContainerSpec unlabelled;
  unlabelled.security.apparmor.type = Type::kUnconfined;
  EXPECT_THAT(ContainerRefusal(unlabelled), HasSubstr("apparmor.profile_type: Unconfined"));
  spec::ContainerSpec shared{
      .mounts = {{}, {.propagation = spec::MountPropagation::kBidirectional}}};
  EXPECT_THAT(ContainerRefusal(shared),
              HasSubstr("config.mounts[1].propagation: BIDIRECTIONAL is refused"));
  const spec::ContainerSpec hooked{.hooks = {{.path = "/usr/bin/hook"}}};
  EXPECT_THAT(ContainerRefusal(hooked),
              HasSubstr("config.CDI_devices: a device with hooks is refused"));
}

TEST(ApplyHardened, RefusesSelinuxLabelsBeyondWhatEveryPodMayAskFor) {
  const std::pair<spec::SelinuxOptions, const char*> refused[] = {
      {{.user = "system_u"}, "selinux_options.user: \"system_u\" is refused"},
      {{.role = "system_r"}, "selinux_options.role: \"system_r\" is refused"},
      {{.type = "spc_t"}, "selinux_options.type: \"spc_t\" is refused"},
      {{.level = "s0-s0:c0.c1023"}, "selinux_options.level: \"s0-s0:c0.c1023\" is refused"},
      {{.level = "s0:c1,c2,c3"}, "selinux_options.level: \"s0:c1,c2,c3\" is refused"},
      {{.level = "s0"}, "selinux_options.level: \"s0\" is refused"}};
  for (const auto& [options, message] : refused) {
    spec::ContainerSpec container;
    container.security.selinux = options;
    EXPECT_THAT(ContainerRefusal(container), HasSubstr(message));
    spec::PodSpec pod;
    pod.security.selinux = options;
    EXPECT_THAT(Refusal(Apply(kHardened, pod).status()), HasSubstr(message));
  }
  spec::ContainerSpec asked;
  for (const char* type : {"", "container_t", "container_init_t"}) {
    asked.security.selinux = spec::SelinuxOptions{.type = type, .level = "s0:c4,c5"};
    EXPECT_EQ(Hardened(asked).security.selinux, asked.security.selinux);
  }
}

TEST(ApplyHardened, SetsTheStrictFilterAndNoNewPrivileges) {
  spec::ContainerSpec asked;
  for (const Type seccomp : {Type::kUnset, Type::kRuntimeDefault}) {
    asked.security.seccomp.type = seccomp;
    EXPECT_EQ(Hardened(asked).security.seccomp.type, Type::kRuntimeStrict);
    EXPECT_TRUE(Hardened(asked).security.no_new_privs);
  }
}

TEST(ApplyHardened, GivesFewCapabilitiesAndNoneThatIsDropped) {
  spec::ContainerSpec asked;
  EXPECT_THAT(Hardened(asked).security.capabilities.drop, ElementsAre("ALL"));
  EXPECT_THAT(Hardened(asked).security.capabilities.add,
              UnorderedElementsAre("CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID",
                                   "SETUID", "NET_BIND_SERVICE"));
  asked.security.capabilities = {.add = {"KILL"}, .drop = {"CHOWN"}};
  EXPECT_THAT(Hardened(asked).security.capabilities.drop, ElementsAre("CHOWN", "ALL"));
  asked.security.capabilities = {.add = {"NET_BIND_SERVICE"}, .drop = {"ALL"}};
  EXPECT_EQ(Hardened(asked).security.capabilities, asked.security.capabilities);
}

TEST(ApplyHardened, RefusesToAddACapabilityBeyondThem) {
  for (const char* name : {"ALL", "NET_RAW", "SYS_ADMIN", "NO_SUCH"}) {
    spec::ContainerSpec asked;
    asked.security.capabilities.add = {"CHOWN", name};
    EXPECT_THAT(ContainerRefusal(asked),
                HasSubstr(std::string("capabilities.add_capabilities[1]: \"") + name + "\" is"));
  }
}

TEST(ApplyHardened, MasksTheUsualPathsWhateverIsAsked) {
  spec::ContainerSpec asked;
  asked.security.masked_paths = {"/own", "/proc/kcore"};
  const spec::ContainerSpec applied = Hardened(asked);
  EXPECT_EQ(applied.security.masked_paths[0], "/own");
  EXPECT_THAT(applied.security.masked_paths, Contains("/proc/kcore").Times(1));
  EXPECT_THAT(applied.security.masked_paths, Contains("/sys/firmware"));
  EXPECT_THAT(applied.security.readonly_paths, Contains("/proc/sys"));
}

TEST(ApplyHardened, MapsVolumesOfWhichTheKubeletDoesNotKnow) {
  const std::vector<spec::IdRange> own = {{0, 1000, 10}};
  const spec::ContainerSpec asked{
      .mounts = {{.container_path = "/a"}, {.uid_map = own, .gid_map = own}}};
  const spec::ContainerSpec applied = Hardened(asked);
  EXPECT_EQ(applied.mounts[0].uid_map, HardenedPod().security.namespaces.user->uids);
  EXPECT_EQ(applied.mounts[0].gid_map, HardenedPod().security.namespaces.user->gids);
  EXPECT_EQ(applied.mounts[1], asked.mounts[1]);
}

TEST(ApplyHardened, AContainerThatRepeatsTheKubeletsNodeHasThePodsUserNamespace) {
  const spec::UserNamespace node{.mode = NamespaceMode::kNode};
  const spec::ContainerSpec asked{.security = {.namespaces = {.user = node}}};
  EXPECT_FALSE(Hardened(asked).security.namespaces.user.has_value());
}

TEST(ApplyHardened, LimitsProcessesUnlessFewerAreAsked) {
  spec::ContainerSpec asked;
  EXPECT_EQ(Hardened(asked).resources.pids_limit, 100);
  asked.resources.unified["pids.max"] = "99";
  EXPECT_EQ(Hardened(asked).resources, asked.resources);
  for (const char* more : {"max", "101", "-1x"}) {
    asked.resources.unified["pids.max"] = more;
    EXPECT_EQ(ContainerRefusal(asked),
              std::string("unified[\"pids.max\"]: \"") + more +
                  "\" is not within the 100 that the handler \"safe\" allows");
    EXPECT_FALSE(CheckUpdate(kHardened, asked.resources).ok());
  }
  EXPECT_TRUE(CheckUpdate(kHardened, {}).ok());
}

}  // namespace
}  // namespace bulkhead::policy
