// The report on running containers: nothing where all is as planned, and each thing that was taken
// from a container behind the daemon's back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "runtime/isolation/cgroup.h"
#include "runtime/isolation/comparison.h"
#include "tests/kernel/pods/real_pods.h"

namespace bulkhead::pods {
namespace {

using isolation::Comparison;
using isolation::Verdict;
using ::testing::Contains;
using ::testing::IsEmpty;
using ::testing::Key;

constexpr char kIdle[] = "exec sleep 1000";

class IsolationReport : public RealPods {
 protected:
  std::map<std::string, Comparison> Report(const std::string& id) {
    std::map<std::string, Comparison> report;
    const auto comparisons = pods_->CompareIsolation(id);
    EXPECT_TRUE(comparisons.ok()) << comparisons.status();
    if (!comparisons.ok()) return report;
    for (const Comparison& one : *comparisons) report[one.mechanism] = one;
    return report;
  }
  // What differs, with what it is.
  std::map<std::string, std::string> Differences(const std::string& id) {
    std::map<std::string, std::string> differences;
    for (const auto& [mechanism, one] : Report(id)) {
      if (one.verdict == Verdict::kDiffers) differences[mechanism] = one.actual;
    }
    return differences;
  }
  // A container with something of everything.
  spec::ContainerSpec Confined() {
    spec::ContainerSpec container = ContainerOf("c", kIdle);
    container.resources.memory_limit = int64_t{64} << 20;
    container.resources.cpu_quota = 50000;
    container.resources.cpu_period = 100000;
    container.security.readonly_rootfs = true;
    container.security.no_new_privs = true;
    container.security.masked_paths = {"/proc/keys", "/proc/not-there", "/sys/firmware"};
    container.security.readonly_paths = {"/proc/sys"};
    container.security.seccomp.type = spec::SecurityProfile::Type::kRuntimeDefault;
    container.mounts = {{.container_path = "/volume", .host_path = root_, .readonly = true}};
    return container;
  }
  // In the mount namespace of a container.
  void InMounts(const std::string& id, const std::string& command) {
    const std::string line =
        absl::StrCat("nsenter -t ", StatusOf(id).pid, " -m /bin/busybox ", command);
    ASSERT_EQ(std::system(line.c_str()), 0) << line;
  }
};

TEST_F(IsolationReport, FindsAConfinedContainerAsPlanned) {
  const std::string id = Start(Run(PodOf("web")), Confined());
  const auto report = Report(id);
  EXPECT_THAT(Differences(id), IsEmpty());
  for (const char* mechanism : {"namespace net", "capabilities bounding", "seccomp", "no_new_privs",
                                "mount /", "mount /volume", "masked /proc/keys",
                                "masked /proc/not-there", "read-only /proc/sys", "oom_score_adj"}) {
    EXPECT_THAT(report, Contains(Key(mechanism)));
  }
}

TEST_F(IsolationReport, FindsAPrivilegedContainerOfTheHostsNamespacesAsPlanned) {
  spec::PodSpec pod = PodOf("host");
  pod.security.privileged = true;
  pod.security.namespaces = {.network = spec::NamespaceMode::kNode,
                             .pid = spec::NamespaceMode::kNode,
                             .ipc = spec::NamespaceMode::kNode};
  spec::ContainerSpec container = ContainerOf("c", kIdle);
  container.security.privileged = true;
  container.security.namespaces = pod.security.namespaces;
  const std::string id = Start(Run(pod), container);
  EXPECT_THAT(Differences(id), IsEmpty());
  EXPECT_EQ(Report(id)["namespace net"].planned, "host");
}

TEST_F(IsolationReport, FindsAContainerInAUserNamespaceAsPlanned) {
  spec::PodSpec pod = PodOf("mapped");
  pod.security.namespaces.network = spec::NamespaceMode::kPod;
  const std::vector<spec::IdRange> map = {{.container = 0, .host = 262144, .size = 65536}};
  pod.security.namespaces.user = {.mode = spec::NamespaceMode::kPod, .uids = map, .gids = map};
  spec::ContainerSpec container = Confined();
  container.security.namespaces.network = spec::NamespaceMode::kPod;
  container.security.namespaces.user = pod.security.namespaces.user;
  container.mounts.clear();
  const std::string id = Start(Run(pod), container);
  EXPECT_THAT(Differences(id), IsEmpty());
  EXPECT_EQ(Report(id)["uid map"].actual, "0 262144 65536");
}

TEST_F(IsolationReport, SurvivesTheDaemonAndFollowsAnUpdate) {
  const std::string id = Start(Run(PodOf("web")), Confined());
  Close();
  Open();
  EXPECT_THAT(Differences(id), IsEmpty());
  ASSERT_TRUE(pods_->UpdateContainerResources(id, {.memory_limit = int64_t{96} << 20}).ok());
  EXPECT_THAT(Differences(id), IsEmpty());
}

TEST_F(IsolationReport, MarksAMaskThatWasTakenAwayAndAMountThatWasAdded) {
  const std::string id = Start(Run(PodOf("web")), Confined());
  InMounts(id, "mount -o remount,bind,rw overlay /");
  InMounts(id, "umount /proc/keys");
  InMounts(id, "mount -t tmpfs none /bin");
  const auto differences = Differences(id);
  EXPECT_THAT(differences, Contains(Key("masked /proc/keys")));
  EXPECT_THAT(differences, Contains(Key("mount /bin")));
  EXPECT_THAT(differences, Contains(Key("mount /")));
  EXPECT_EQ(differences.size(), 3u);
}

TEST_F(IsolationReport, MarksAVolumeThatIsOfAnotherSource) {
  const std::string id = Start(Run(PodOf("web")), Confined());
  InMounts(id, "mount -t tmpfs -o ro none /volume");
  EXPECT_THAT(Differences(id)["mount /volume"], ::testing::HasSubstr("of another source"));
}

TEST_F(IsolationReport, MarksALimitThatWasRaised) {
  const std::string id = Start(Run(PodOf("web")), Confined());
  std::string raised;
  for (const auto& [mechanism, one] : Report(id)) {
    if (mechanism == "limit memory.max" || mechanism == "limit memory.limit_in_bytes") {
      raised = mechanism;
    }
  }
  ASSERT_NE(raised, "");
  const std::string file = raised.substr(raised.find(' ') + 1);
  const std::string line = absl::StrCat("find /sys/fs/cgroup -path '*", id, "*/", file,
                                        "' | while read -r f; do ", "echo 100000000 > $f; done");
  ASSERT_EQ(std::system(line.c_str()), 0);
  EXPECT_THAT(Differences(id), ::testing::ElementsAre(Key(raised)));
}

TEST_F(IsolationReport, IsRefusedForAContainerThatDoesNotRun) {
  const std::string pod = Run(PodOf("web"));
  const std::string id = Create(pod, ContainerOf("c", kIdle));
  EXPECT_EQ(pods_->CompareIsolation(id).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(pods_->CompareIsolation(std::string(64, 'e')).status().code(),
            absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace bulkhead::pods
