#include "shim/cri/translate_pod.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "shim/cri/translate_security.h"
#include "tests/unit/cri/status_matcher.h"

namespace bulkhead::cri {
namespace {

namespace v1 = ::runtime::v1;
using testing::ElementsAre;
using testing::Pair;

v1::RunPodSandboxRequest ARequest() {
  v1::RunPodSandboxRequest request;
  request.mutable_config()->mutable_metadata()->set_name("web");
  request.mutable_config()->mutable_metadata()->set_namespace_("default");
  request.mutable_config()->mutable_metadata()->set_uid("u1");
  return request;
}

v1::NamespaceOption& Namespaces(v1::RunPodSandboxRequest& request) {
  return *request.mutable_config()
              ->mutable_linux()
              ->mutable_security_context()
              ->mutable_namespace_options();
}

TEST(ToPodSpec, TakesOverEveryField) {
  v1::RunPodSandboxRequest request = ARequest();
  v1::PodSandboxConfig& config = *request.mutable_config();
  request.set_runtime_handler("strict");
  config.mutable_metadata()->set_attempt(3);
  config.set_hostname("web-0");
  config.set_log_directory("/var/log/pods/web");
  config.mutable_dns_config()->add_servers("10.0.0.10");
  config.mutable_dns_config()->add_searches("svc.cluster.local");
  config.mutable_dns_config()->add_options("ndots:5");
  v1::PortMapping& port = *config.add_port_mappings();
  port.set_protocol(v1::UDP);
  port.set_container_port(53);
  port.set_host_port(5353);
  port.set_host_ip("::1");
  (*config.mutable_labels())["app"] = "web";
  (*config.mutable_annotations())["note"] = "x";
  config.mutable_linux()->set_cgroup_parent("/kubepods/podu1");
  (*config.mutable_linux()->mutable_sysctls())["kernel/shm_rmid_forced"] = "1";
  Namespaces(request).set_network(v1::NODE);
  Namespaces(request).set_pid(v1::CONTAINER);
  config.mutable_linux()->mutable_overhead()->set_memory_limit_in_bytes(1 << 20);
  config.mutable_linux()->mutable_resources()->set_cpu_shares(512);

  const absl::StatusOr<spec::PodSpec> pod = ToPodSpec(request);
  ASSERT_TRUE(pod.ok()) << pod.status();
  const spec::PodSpec expected{
      .metadata = {.name = "web", .uid = "u1", .name_space = "default", .attempt = 3},
      .hostname = "web-0",
      .log_directory = "/var/log/pods/web",
      .dns = {.servers = {"10.0.0.10"}, .searches = {"svc.cluster.local"}, .options = {"ndots:5"}},
      .port_mappings = {{.protocol = spec::Protocol::kUdp,
                         .container_port = 53,
                         .host_port = 5353,
                         .host_ip = "::1"}},
      .labels = {{"app", "web"}},
      .annotations = {{"note", "x"}},
      .runtime_handler = "strict",
      .cgroup_parent = "/kubepods/podu1",
      .sysctls = {{"kernel.shm_rmid_forced", "1"}},
      .security = {.namespaces = {.network = spec::NamespaceMode::kNode,
                                  .pid = spec::NamespaceMode::kContainer}},
      .resources = {.overhead = {.memory_limit = 1 << 20}, .resources = {.cpu_shares = 512}}};
  EXPECT_EQ(*pod, expected);
}

TEST(ToPodResources, NameTheFieldOfTheUpdate) {
  v1::UpdatePodSandboxResourcesRequest request;
  request.mutable_overhead()->set_cpu_shares(2);
  request.mutable_resources()->set_memory_limit_in_bytes(64);
  EXPECT_EQ(ToPodResources(request).value(),
            (spec::PodResources{.overhead = {.cpu_shares = 2}, .resources = {.memory_limit = 64}}));
  request.mutable_resources()->set_oom_score_adj(1001);
  EXPECT_THAT(ToPodResources(request).status(),
              IsInvalid("resources.oom_score_adj: value 1001 is not in -1000 to 1000"));
}

TEST(ToPodSpec, NeedsMetadata) {
  EXPECT_THAT(ToPodSpec(v1::RunPodSandboxRequest()).status(),
              IsInvalid("config.metadata: is missing"));
  v1::RunPodSandboxRequest request = ARequest();
  request.mutable_config()->mutable_metadata()->clear_name();
  EXPECT_THAT(ToPodSpec(request).status(), IsInvalid("config.metadata.name: is empty"));
}

TEST(ToPodSpec, NamesAnEnumValueThatDoesNotExist) {
  v1::RunPodSandboxRequest request = ARequest();
  Namespaces(request).set_pid(static_cast<v1::NamespaceMode>(7));
  EXPECT_THAT(ToPodSpec(request).status(),
              IsInvalid("config.linux.security_context.namespace_options.pid: value 7 is not a "
                        "NamespaceMode"));
}

TEST(ToPodSpec, RefusesANamespaceThatASandboxCannotHave) {
  v1::RunPodSandboxRequest request = ARequest();
  Namespaces(request).set_network(v1::CONTAINER);
  EXPECT_THAT(ToPodSpec(request).status(), IsInvalidAt("config.linux.security_context."
                                                       "namespace_options.network"));
  Namespaces(request).set_network(v1::POD);
  Namespaces(request).set_pid(v1::TARGET);
  EXPECT_THAT(ToPodSpec(request).status(), IsInvalidAt("config.linux.security_context."
                                                       "namespace_options.pid"));
}

constexpr char kUserNamespace[] = "config.linux.security_context.namespace_options.userns_options";

v1::IDMapping Mapping(uint32_t container, uint32_t host, uint32_t length) {
  v1::IDMapping mapping;
  mapping.set_container_id(container);
  mapping.set_host_id(host);
  mapping.set_length(length);
  return mapping;
}

TEST(ToPodSpec, ReadsAUserNamespaceAndSaysItAgain) {
  v1::RunPodSandboxRequest request = ARequest();
  EXPECT_FALSE(ToPodSpec(request)->security.namespaces.user.has_value());
  v1::UserNamespace& users = *Namespaces(request).mutable_userns_options();
  users.set_mode(v1::NODE);
  EXPECT_EQ(ToPodSpec(request)->security.namespaces.user, spec::UserNamespace());
  users.set_mode(v1::POD);
  *users.add_uids() = Mapping(0, 65536, 65536);
  *users.add_gids() = Mapping(0, 131072, 65536);
  const absl::StatusOr<spec::PodSpec> pod = ToPodSpec(request);
  ASSERT_TRUE(pod.ok()) << pod.status();
  EXPECT_EQ(*pod->security.namespaces.user, (spec::UserNamespace{.mode = spec::NamespaceMode::kPod,
                                                                 .uids = {{0, 65536, 65536}},
                                                                 .gids = {{0, 131072, 65536}}}));
  EXPECT_EQ(FromNamespaceOptions(pod->security.namespaces).SerializeAsString(),
            Namespaces(request).SerializeAsString());
}

TEST(ToPodSpec, RefusesAUserNamespaceThatCannotBeOrProtectsNothing) {
  const auto at = [](const std::string& member) { return kUserNamespace + ("." + member); };
  v1::RunPodSandboxRequest request = ARequest();
  v1::UserNamespace& users = *Namespaces(request).mutable_userns_options();
  for (const v1::NamespaceMode mode : {v1::CONTAINER, v1::TARGET}) {
    users.set_mode(mode);
    EXPECT_THAT(ToPodSpec(request).status(), IsInvalidAt(at("mode")));
  }
  users.set_mode(v1::POD);
  EXPECT_THAT(ToPodSpec(request).status(), IsInvalidAt(at("uids")));
  *users.add_uids() = Mapping(0, 65536, 65536);
  EXPECT_THAT(ToPodSpec(request).status(), IsInvalidAt(at("gids")));
  *users.add_gids() = Mapping(0, 65536, 65535);
  EXPECT_THAT(ToPodSpec(request).status(), IsInvalidAt(at("gids[0].length")));
  const std::pair<v1::IDMapping, const char*> kFaults[] = {
      {Mapping(1, 65536, 65536), "gids[0].container_id"},
      {Mapping(0, 0, 65536), "gids[0].host_id"},
      {Mapping(0, 65536, 0), "gids[0].length"},
      {Mapping(0, 0xFFFFFFFF, 1), "gids[0].host_id"},
      {Mapping(0, 0xFFFFFFFE, 2), "gids[0].length"},
      {Mapping(0, 65536, 0xFFFFFFFF), "gids[0].length"}};
  for (const auto& [mapping, member] : kFaults) {
    *users.mutable_gids(0) = mapping;
    EXPECT_THAT(ToPodSpec(request).status(), IsInvalidAt(at(member))) << mapping.DebugString();
  }
  *users.mutable_gids(0) = Mapping(0, 65536, 65536);
  EXPECT_TRUE(ToPodSpec(request).ok()) << ToPodSpec(request).status();
  *users.add_uids() = Mapping(65536, 200000, 10);
  EXPECT_THAT(ToPodSpec(request).status(), IsInvalidAt(at("uids")));
  users.set_mode(v1::NODE);
  EXPECT_THAT(ToPodSpec(request).status(), IsInvalidAt(at("uids")));
}

TEST(ToPodSpec, RefusesAPortOutOfRange) {
  v1::RunPodSandboxRequest request = ARequest();
  v1::PortMapping& port = *request.mutable_config()->add_port_mappings();
  port.set_container_port(80);
  port.set_host_port(65536);
  EXPECT_THAT(ToPodSpec(request).status(),
              IsInvalid("config.port_mappings[0].host_port: value 65536 is not in 0 to 65535"));
  port.set_host_port(0);
  EXPECT_TRUE(ToPodSpec(request).ok());
  port.set_host_ip("10.0.0");
  EXPECT_THAT(ToPodSpec(request).status(), IsInvalidAt("config.port_mappings[0].host_ip"));
}

TEST(ToPodSpec, RefusesAGroupWithoutAUser) {
  v1::RunPodSandboxRequest request = ARequest();
  auto& context = *request.mutable_config()->mutable_linux()->mutable_security_context();
  context.mutable_run_as_group()->set_value(5);
  EXPECT_THAT(ToPodSpec(request).status(),
              IsInvalidAt("config.linux.security_context.run_as_group"));
}

TEST(ToPodSpec, RefusesALineEndInResolvConf) {
  v1::RunPodSandboxRequest request = ARequest();
  request.mutable_config()->mutable_dns_config()->add_servers("10.0.0.1\nnameserver 10.0.0.2");
  EXPECT_THAT(ToPodSpec(request).status(), IsInvalidAt("config.dns_config.servers[0]"));
}

TEST(ToPodSpec, RefusesACgroupParentThatClimbs) {
  v1::RunPodSandboxRequest request = ARequest();
  request.mutable_config()->mutable_linux()->set_cgroup_parent("/kubepods/../system.slice");
  EXPECT_THAT(ToPodSpec(request).status(), IsInvalidAt("config.linux.cgroup_parent"));
}

TEST(ToPodSpec, RefusesASysctlThatIsGivenTwiceOrClimbs) {
  v1::RunPodSandboxRequest request = ARequest();
  auto& sysctls = *request.mutable_config()->mutable_linux()->mutable_sysctls();
  sysctls["net.core.somaxconn"] = "1";
  sysctls["net/core/somaxconn"] = "2";
  EXPECT_EQ(ToPodSpec(request).status().code(), absl::StatusCode::kInvalidArgument);
  for (const char* name : {"net/../kernel/core_pattern", "net.//.kernel", "net..x", "", "/x"}) {
    sysctls.clear();
    sysctls[name] = "x";
    EXPECT_EQ(ToPodSpec(request).status().code(), absl::StatusCode::kInvalidArgument) << name;
  }
}

TEST(ToPodSpec, RefusesAHostnameLongerThanTheKernelTakes) {
  v1::RunPodSandboxRequest request = ARequest();
  request.mutable_config()->set_hostname(std::string(64, 'a'));
  EXPECT_TRUE(ToPodSpec(request).ok());
  request.mutable_config()->set_hostname(std::string(65, 'a'));
  EXPECT_THAT(ToPodSpec(request).status(), IsInvalidAt("config.hostname"));
}

TEST(DottedSysctl, SwapsTheSeparatorsWhenASlashComesFirst) {
  EXPECT_EQ(DottedSysctl("net.ipv4.conf.eth0/1.mtu"), "net.ipv4.conf.eth0/1.mtu");
  EXPECT_EQ(DottedSysctl("net/ipv4/conf/eth0.1/mtu"), "net.ipv4.conf.eth0/1.mtu");
  EXPECT_EQ(DottedSysctl("kernel"), "kernel");
}

}  // namespace
}  // namespace bulkhead::cri
