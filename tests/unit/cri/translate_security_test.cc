#include "shim/cri/translate_security.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/cri/status_matcher.h"

namespace bulkhead::cri {
namespace {

namespace v1 = ::runtime::v1;
using Type = spec::SecurityProfile::Type;
using testing::ElementsAre;

struct Translated {
  spec::SecurityContext security;
  absl::Status status;
};

template <typename Context>
Translated Translate(const Context& context) {
  Faults faults;
  spec::SecurityContext security = ToSecurityContext(context, Field("sc"), faults);
  return {security, faults.status()};
}

TEST(ToSecurityContext, TakesOverEveryFieldOfAContainer) {
  v1::LinuxContainerSecurityContext context;
  context.mutable_capabilities()->add_add_capabilities("CAP_NET_ADMIN");
  context.mutable_capabilities()->add_drop_capabilities("all");
  context.mutable_capabilities()->add_add_ambient_capabilities("net_bind_service");
  context.set_privileged(true);
  context.mutable_namespace_options()->set_pid(v1::TARGET);
  context.mutable_namespace_options()->set_target_id("c1");
  context.mutable_selinux_options()->set_type("container_t");
  context.mutable_run_as_user()->set_value(0);
  context.mutable_run_as_group()->set_value(7);
  context.set_readonly_rootfs(true);
  context.add_supplemental_groups(9);
  context.set_supplemental_groups_policy(v1::Strict);
  context.set_no_new_privs(true);
  context.add_masked_paths("/proc/kcore");
  context.add_readonly_paths("/proc/sys");
  context.mutable_seccomp()->set_profile_type(v1::SecurityProfile::Localhost);
  context.mutable_seccomp()->set_localhost_ref("/etc/x.json");
  context.mutable_apparmor()->set_profile_type(v1::SecurityProfile::Unconfined);

  const Translated translated = Translate(context);
  ASSERT_TRUE(translated.status.ok()) << translated.status;
  const spec::SecurityContext expected{
      .capabilities = {.add = {"NET_ADMIN"}, .drop = {"ALL"}, .add_ambient = {"NET_BIND_SERVICE"}},
      .privileged = true,
      .namespaces = {.pid = spec::NamespaceMode::kTarget, .target_id = "c1"},
      .selinux = spec::SelinuxOptions{.type = "container_t"},
      .run_as_user = 0,
      .run_as_group = 7,
      .readonly_rootfs = true,
      .supplemental_groups = {9},
      .supplemental_groups_policy = spec::SupplementalGroupsPolicy::kStrict,
      .no_new_privs = true,
      .seccomp = {.type = Type::kLocalhost, .localhost_ref = "/etc/x.json"},
      .apparmor = {.type = Type::kUnconfined},
      .masked_paths = {"/proc/kcore"},
      .readonly_paths = {"/proc/sys"}};
  EXPECT_EQ(translated.security, expected);
}

TEST(ToSecurityContext, KeepsAnAbsentUserApartFromRoot) {
  v1::LinuxContainerSecurityContext context;
  EXPECT_EQ(Translate(context).security.run_as_user, std::nullopt);
  context.mutable_run_as_user();
  EXPECT_EQ(Translate(context).security.run_as_user, 0);
}

TEST(ToSecurityContext, TakesNoMaskedPathsForNone) {
  EXPECT_TRUE(Translate(v1::LinuxContainerSecurityContext()).security.masked_paths.empty());
}

TEST(ToSecurityContext, KeepsAnAbsentProfileApartFromTheDefaultOne) {
  v1::LinuxContainerSecurityContext context;
  EXPECT_EQ(Translate(context).security.seccomp.type, Type::kUnset);
  context.mutable_seccomp();
  EXPECT_EQ(Translate(context).security.seccomp.type, Type::kRuntimeDefault);
}

TEST(ToSecurityContext, ReadsADeprecatedProfileOnlyWithoutTheNewOne) {
  v1::LinuxContainerSecurityContext context;
  context.set_seccomp_profile_path("localhost//p/audit.json");
  context.set_apparmor_profile("runtime/default");
  EXPECT_EQ(Translate(context).security.seccomp.type, Type::kLocalhost);
  EXPECT_EQ(Translate(context).security.seccomp.localhost_ref, "/p/audit.json");
  EXPECT_EQ(Translate(context).security.apparmor.type, Type::kRuntimeDefault);
  context.mutable_seccomp()->set_profile_type(v1::SecurityProfile::Unconfined);
  EXPECT_EQ(Translate(context).security.seccomp.type, Type::kUnconfined);
  context.clear_seccomp();
  context.set_seccomp_profile_path("nonsense");
  EXPECT_THAT(Translate(context).status, IsInvalidAt("sc.seccomp_profile_path"));
}

TEST(ToSecurityContext, RefusesAProfileWithoutItsReferenceOrWithOneTooMany) {
  v1::LinuxSandboxSecurityContext context;
  context.mutable_seccomp()->set_profile_type(v1::SecurityProfile::Localhost);
  EXPECT_THAT(Translate(context).status, IsInvalid("sc.seccomp.localhost_ref: is empty"));
  context.mutable_seccomp()->set_profile_type(v1::SecurityProfile::Unconfined);
  context.mutable_seccomp()->set_localhost_ref("x");
  EXPECT_THAT(Translate(context).status, IsInvalidAt("sc.seccomp.localhost_ref"));
}

TEST(ToSecurityContext, ASeccompProfileIsAnAbsolutePathAndAnAppArmorProfileAName) {
  v1::LinuxContainerSecurityContext context;
  context.mutable_apparmor()->set_profile_type(v1::SecurityProfile::Localhost);
  for (const char* name : {"name", "localhost/name"}) {
    context.mutable_apparmor()->set_localhost_ref(name);
    EXPECT_TRUE(Translate(context).status.ok()) << name;
    EXPECT_EQ(Translate(context).security.apparmor.localhost_ref, "name");
  }
  context.mutable_apparmor()->set_localhost_ref("localhost/");
  EXPECT_THAT(Translate(context).status, IsInvalidAt("sc.apparmor.localhost_ref"));
  context.mutable_apparmor()->set_localhost_ref("name");
  context.mutable_seccomp()->set_profile_type(v1::SecurityProfile::Localhost);
  context.mutable_seccomp()->set_localhost_ref("name.json");
  EXPECT_THAT(Translate(context).status, IsInvalidAt("sc.seccomp.localhost_ref"));
  context.clear_seccomp();
  context.set_seccomp_profile_path("localhost/name.json");
  EXPECT_THAT(Translate(context).status, IsInvalidAt("sc.seccomp_profile_path"));
}

TEST(ToSecurityContext, RefusesSelinuxOptionsThatNoContextCanHave) {
  v1::LinuxSandboxSecurityContext context;
  v1::SELinuxOption& options = *context.mutable_selinux_options();
  options.set_user("system_u");
  options.set_role("system_r");
  options.set_type("svirt_lxc_net_t");
  options.set_level("s0:c4,c5");
  EXPECT_TRUE(Translate(context).status.ok());
  options.set_level("s0,c4,c5");
  EXPECT_THAT(Translate(context).status, IsInvalidAt("sc.selinux_options.level"));
  options.set_level("");
  options.set_type("container_t:s0");
  EXPECT_THAT(Translate(context).status, IsInvalidAt("sc.selinux_options.type"));
  options.set_role("system r");
  EXPECT_THAT(Translate(context).status, IsInvalidAt("sc.selinux_options.role"));
  options.set_user("\n");
  EXPECT_THAT(Translate(context).status, IsInvalidAt("sc.selinux_options.user"));
}

TEST(ToSecurityContext, RefusesAUserGivenTwiceAndAGroupAlone) {
  v1::LinuxContainerSecurityContext context;
  context.mutable_run_as_group()->set_value(1);
  EXPECT_THAT(Translate(context).status, IsInvalidAt("sc.run_as_group"));
  context.set_run_as_username("www");
  EXPECT_TRUE(Translate(context).status.ok());
  context.mutable_run_as_user()->set_value(1);
  EXPECT_THAT(Translate(context).status, IsInvalidAt("sc.run_as_username"));
}

TEST(ToSecurityContext, RefusesIdsThatTheKernelTakesForNone) {
  v1::LinuxContainerSecurityContext context;
  context.mutable_run_as_user()->set_value(0xFFFFFFFF);
  EXPECT_THAT(Translate(context).status, IsInvalidAt("sc.run_as_user"));
  context.mutable_run_as_user()->set_value(-1);
  EXPECT_THAT(Translate(context).status, IsInvalidAt("sc.run_as_user"));
  context.mutable_run_as_user()->set_value(1);
  context.add_supplemental_groups(-5);
  EXPECT_THAT(Translate(context).status,
              IsInvalid("sc.supplemental_groups[0]: value -5 is not in 0 to 4294967294"));
}

TEST(ToSecurityContext, NeedsATargetForItsPidNamespace) {
  v1::LinuxContainerSecurityContext context;
  context.mutable_namespace_options()->set_pid(v1::TARGET);
  EXPECT_THAT(Translate(context).status, IsInvalid("sc.namespace_options.target_id: is empty"));
}

TEST(ToSecurityContext, RefusesWhatIsNoCapability) {
  v1::LinuxContainerSecurityContext context;
  context.mutable_capabilities()->add_drop_capabilities("NET ADMIN");
  EXPECT_THAT(Translate(context).status, IsInvalidAt("sc.capabilities.drop_capabilities[0]"));
}

TEST(ToSecurityContext, RefusesARelativeMaskedPath) {
  v1::LinuxContainerSecurityContext context;
  context.add_masked_paths("proc/kcore");
  EXPECT_THAT(Translate(context).status, IsInvalidAt("sc.masked_paths[0]"));
}

TEST(FromNamespaceOptions, GivesBackEveryMode) {
  for (int value = v1::NamespaceMode_MIN; value <= v1::NamespaceMode_MAX; ++value) {
    v1::LinuxContainerSecurityContext context;
    v1::NamespaceOption& options = *context.mutable_namespace_options();
    options.set_pid(static_cast<v1::NamespaceMode>(value));
    options.set_ipc(v1::NODE);
    options.set_target_id("t");
    const Translated translated = Translate(context);
    ASSERT_TRUE(translated.status.ok()) << translated.status;
    EXPECT_EQ(FromNamespaceOptions(translated.security.namespaces).SerializeAsString(),
              options.SerializeAsString());
  }
}

}  // namespace
}  // namespace bulkhead::cri
