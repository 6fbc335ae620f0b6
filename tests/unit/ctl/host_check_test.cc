#include "shim/ctl/host_check.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bulkhead::ctl {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A host with nothing to complain of.
CheckFacts FitHost() {
  CheckFacts facts;
  facts.host.kernel_release = "6.12.117+deb13-amd64";
  facts.host.cgroup.layout = isolation::CgroupLayout::kV2;
  facts.host.cgroup.v2 = {.mount_point = "/sys/fs/cgroup",
                          .controllers = {"cpuset", "cpu", "io", "memory", "hugetlb", "pids"},
                          .own_path = "/"};
  facts.host.hugepage_sizes = {"2MB"};
  facts.host.seccomp = facts.host.sys_resource = facts.host.systemd = true;
  facts.cgroup_driver = "systemd";
  facts.network = "/etc/cni/net.d/10-net.conflist";
  facts.first_host_id = 0x70000000;
  facts.host_ids_end = 0x74000000;
  facts.subordinate_ids = {"kubelet:65536:7208960", "# none", ""};
  facts.pressure = true;
  facts.open_files = 1'048'576;
  facts.daemon_runs = true;
  for (const std::string& name : CheckedSysctls()) facts.sysctls[name] = "4194304";
  return facts;
}

Finding Of(const CheckFacts& facts, const std::string& subject) {
  for (const Finding& finding : CheckHost(facts)) {
    if (finding.subject == subject) return finding;
  }
  ADD_FAILURE() << "nothing is said of " << subject;
  return {};
}

void ExpectFailure(const CheckFacts& facts, const std::string& subject) {
  EXPECT_EQ(Of(facts, subject).fitness, Fitness::kFailure) << subject;
  EXPECT_NE(Of(facts, subject).remedy, "") << subject;
  EXPECT_FALSE(IsFit(CheckHost(facts))) << subject;
}

void ExpectWarning(const CheckFacts& facts, const std::string& subject) {
  EXPECT_EQ(Of(facts, subject).fitness, Fitness::kWarning) << subject;
  EXPECT_NE(Of(facts, subject).remedy, "") << subject;
  EXPECT_TRUE(IsFit(CheckHost(facts))) << subject;
}

TEST(CheckHost, FindsNothingOnAFitHost) {
  for (const Finding& finding : CheckHost(FitHost())) {
    EXPECT_EQ(finding.fitness, Fitness::kOk) << finding.subject << ": " << finding.found;
    EXPECT_THAT(finding.remedy, IsEmpty()) << finding.subject;
  }
}

TEST(CheckHost, RefusesKernelsOlderThanThoseTested) {
  CheckFacts facts = FitHost();
  for (const char* release : {"6.1.0-31-amd64", "6.18.0", "7.0.1"}) {
    facts.host.kernel_release = release;
    EXPECT_EQ(Of(facts, "kernel").fitness, Fitness::kOk) << release;
  }
  for (const char* release : {"6.0.9", "5.15.0", "strange"}) {
    facts.host.kernel_release = release;
    ExpectFailure(facts, "kernel");
  }
}

TEST(CheckHost, TellsWhetherSelinuxLabelsContainers) {
  CheckFacts facts = FitHost();
  facts.host.selinux = {.enforcing = true,
                        .process = {"system_u", "system_r", "container_t", "s0"},
                        .file = {"system_u", "object_r", "container_file_t", "s0"}};
  EXPECT_EQ(Of(facts, "selinux").fitness, Fitness::kOk);
  EXPECT_EQ(Of(facts, "selinux").found, "enforcing container_t, container_file_t");
  facts.host.selinux->enforcing = false;
  ExpectWarning(facts, "selinux");
  facts.host.selinux->problem = "the policy has no container_t";
  ExpectFailure(facts, "selinux");
  EXPECT_THAT(Of(facts, "selinux").found, HasSubstr("container_t"));
  facts.selinux = false;
  ExpectWarning(facts, "selinux");
}

TEST(CheckHost, TellsWhoElseHasTheIdsOfHardenedPods) {
  for (const char* line : {"kubelet:1879048192:65536", "alice:1000000:4000000000"}) {
    CheckFacts facts = FitHost();
    facts.subordinate_ids.push_back(line);
    ExpectWarning(facts, "ids of hardened pods");
    EXPECT_THAT(Of(facts, "ids of hardened pods").found, HasSubstr(line));
  }
}

TEST(CheckHost, TellsOldCgroupsAndMissingControllers) {
  CheckFacts facts = FitHost();
  facts.host.cgroup.v2->controllers = {"cpuset", "cpu", "memory", "pids"};
  ExpectWarning(facts, "controllers");
  EXPECT_THAT(Of(facts, "controllers").found, HasSubstr("io hugetlb"));
  facts.host.cgroup.v2->controllers = {"cpuset", "cpu", "io", "hugetlb"};
  ExpectFailure(facts, "controllers");
  EXPECT_THAT(Of(facts, "controllers").found, HasSubstr("memory pids"));

  facts.cgroup_driver = "cgroupfs";
  facts.host.cgroup = {
      .layout = isolation::CgroupLayout::kHybrid,
      .v1 = {{"/sys/fs/cgroup/cpu", {"cpu", "cpuacct"}, "/"},
             {"/sys/fs/cgroup/rest", {"cpuset", "memory", "pids", "blkio", "hugetlb"}, "/"}}};
  ExpectWarning(facts, "cgroups");
  EXPECT_EQ(Of(facts, "controllers").fitness, Fitness::kOk);
}

TEST(CheckHost, WantsTheDriverOfTheHostsServiceManager) {
  CheckFacts facts = FitHost();
  facts.cgroup_driver = "cgroupfs";
  ExpectWarning(facts, "cgroup driver");
  facts.host.systemd = false;
  EXPECT_EQ(Of(facts, "cgroup driver").fitness, Fitness::kOk);
  facts.cgroup_driver = "systemd";
  ExpectFailure(facts, "cgroup driver");
  facts.host.systemd = true;
  facts.host.cgroup.layout = isolation::CgroupLayout::kHybrid;
  ExpectFailure(facts, "cgroup driver");
  facts.cgroup_driver = "cgroupfs";
  EXPECT_EQ(Of(facts, "cgroup driver").fitness, Fitness::kOk);
}

TEST(CheckHost, CountsThePodsThatFitIntoTheDescriptors) {
  CheckFacts facts = FitHost();
  facts.open_files = 20'000;
  EXPECT_THAT(Of(facts, "descriptors").found, HasSubstr("2468 pods fit"));
  facts.open_files = 1024;
  ExpectWarning(facts, "descriptors");
  EXPECT_THAT(Of(facts, "descriptors").found, HasSubstr("96 pods fit"));
  facts.open_files = 256;
  ExpectFailure(facts, "descriptors");
}

TEST(CheckHost, PassesOnWhyAThingWasNotPossible) {
  CheckFacts facts = FitHost();
  facts.overlay = "no such device";
  facts.network_problem = "no CNI configuration in /etc/cni/net.d";
  facts.supervisor_problem = "/x: No such file or directory";
  facts.id_mapped_mounts = "Invalid argument";
  for (const char* subject : {"overlay", "network", "supervisor"}) ExpectFailure(facts, subject);
  EXPECT_EQ(Of(facts, "network").found, facts.network_problem);
  EXPECT_EQ(Of(facts, "id-mapped mounts").fitness, Fitness::kWarning);
  facts = FitHost();
  facts.host.seccomp = false;
  ExpectFailure(facts, "seccomp");
  facts.host.apparmor = true;
  EXPECT_EQ(Of(facts, "apparmor").fitness, Fitness::kOk);
  facts.apparmor_problem = "/sbin/apparmor_parser: No such file or directory";
  ExpectFailure(facts, "apparmor");
}

TEST(CheckHost, LooksForTheSeccompAgentThatIsConfigured) {
  CheckFacts facts = FitHost();
  facts.ptrace_scope = 3;
  for (const Finding& finding : CheckHost(facts)) EXPECT_NE(finding.subject, "seccomp agent");
  facts.seccomp_agent = "/run/agent.sock";
  ExpectWarning(facts, "seccomp agent");
  EXPECT_EQ(Of(facts, "seccomp agent").found, "kernel.yama.ptrace_scope is 3");
  facts.ptrace_scope = 2;
  EXPECT_EQ(Of(facts, "seccomp agent").fitness, Fitness::kOk);
  EXPECT_EQ(Of(facts, "seccomp agent").found, "/run/agent.sock");
  facts.seccomp_agent_problem = "/run/agent.sock: No such file or directory";
  ExpectWarning(facts, "seccomp agent");
  EXPECT_EQ(Of(facts, "seccomp agent").found, facts.seccomp_agent_problem);
}

TEST(CheckHost, WarnsOfWhatOnlySomePodsNeed) {
  CheckFacts facts = FitHost();
  facts.id_mapped_mounts = "Invalid argument";
  facts.pressure = false;
  facts.state_on_tmpfs = false;
  facts.swap = true;
  facts.host.sys_resource = false;
  facts.sysctls["net.ipv4.ip_forward"] = "0";
  facts.sysctls.erase("net.bridge.bridge-nf-call-iptables");
  for (const char* subject :
       {"id-mapped mounts", "pressure", "state directory", "swap", "capabilities",
        "net.ipv4.ip_forward", "net.bridge.bridge-nf-call-iptables"}) {
    ExpectWarning(facts, subject);
  }
}

TEST(CheckHost, PrintsALineAThingWithTheRemedyBelow) {
  const std::vector<Finding> findings = {
      {"kernel", Fitness::kOk, "6.12", ""},
      {"network", Fitness::kFailure, "none", "install a network add-on"}};
  const std::string text = ToText(findings);
  EXPECT_THAT(text, HasSubstr("ok       kernel "));
  EXPECT_THAT(text, HasSubstr("failure  network "));
  EXPECT_THAT(text, HasSubstr("-> install a network add-on\n"));
  const nlohmann::json json = ToJson(findings);
  EXPECT_EQ(json["fit"], false);
  EXPECT_EQ(json["findings"][1]["result"], "failure");
  EXPECT_EQ(json["findings"][1]["remedy"], "install a network add-on");
  EXPECT_FALSE(json["findings"][0].contains("remedy"));
}

}  // namespace
}  // namespace bulkhead::ctl
