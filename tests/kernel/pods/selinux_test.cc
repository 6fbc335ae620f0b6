// SELinux labels, seen from within and by the kernel; needs a kernel that enforces a policy with a
// module for containers.
#include "runtime/isolation/selinux.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/xattr.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "runtime/isolation/report.h"
#include "runtime/isolation/selinux_policy.h"
#include "tests/kernel/pods/real_pods.h"
#include "tests/kernel/pods/stream_client.h"

namespace bulkhead::pods {
namespace {

namespace fs = std::filesystem;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

constexpr char kProcess[] = "system_u:system_r:container_t:";
constexpr char kFile[] = "system_u:object_r:container_file_t:";
constexpr char kSleep[] = "exec sleep 1000";
// Tells what of the directory /data can be done.
constexpr char kUseData[] =
    "try() { if \"$@\" >/dev/null 2>&1; then echo done; else echo refused; fi; };"
    "try cat /data/file; try touch /data/new; try ls /data";

std::string LabelOf(const std::string& path) {
  std::array<char, 256> label{};
  const ssize_t size =
      getxattr(path.c_str(), isolation::kSelinuxAttribute, label.data(), label.size() - 1);
  return size < 0 ? absl::StrCat("errno ", errno) : label.data();
}

class Selinux : public RealPods {
 protected:
  void SetUp() override {
    const auto facts = isolation::ProbeSelinux();
    if (!facts.has_value()) GTEST_SKIP() << "the kernel has no SELinux with a policy";
    ASSERT_TRUE(facts->enforcing);
    ASSERT_EQ(facts->problem, "");
    ASSERT_TRUE(isolation::LabelStore(root_ + "/layer", isolation::StoreContent::kLabelled).ok());
    data_ = root_ + "/volume";
    fs::create_directories(data_);
    std::ofstream(data_ + "/file") << "content\n";
  }

  std::string ExecSync(const std::string& id, const std::string& script) {
    const auto result = pods_->ExecSync(id, {"/bin/sh", "-c", script}, seconds(60));
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? result->standard_output + result->standard_error : "";
  }
  std::string LabelOfProcess(const std::string& id) {
    const auto report = isolation::ReadIsolation(StatusOf(id).pid, id);
    EXPECT_TRUE(report.ok()) << report.status();
    return report.ok() ? report->lsm_label : "";
  }
  // The label of the container's process and of a command beside it.
  void ExpectLabel(const std::string& id, const std::string& expected) {
    EXPECT_EQ(LabelOfProcess(id), expected);
    EXPECT_EQ(std::string(ExecSync(id, "cat /proc/self/attr/current").c_str()), expected);
  }
  std::string LevelOf(const std::string& id) {
    return isolation::ParseSelinuxContext(LabelOfProcess(id))
        .value_or(isolation::SelinuxContext())
        .level;
  }
  // A further pod with a running container, which has data_ as a volume.
  std::string StartWithData(bool relabel) {
    const std::string name = absl::StrCat("data", ++pods_run_);
    spec::ContainerSpec container = ContainerOf(name, kSleep);
    container.mounts = {
        {.container_path = "/data", .host_path = data_, .selinux_relabel = relabel}};
    return Start(Run(PodOf(name)), container);
  }

  std::string data_;
  int pods_run_ = 0;
};

TEST_F(Selinux, EachPodHasALevelOfItsOwnThatItsContainersShare) {
  const std::string pod = Run(PodOf("a"));
  const std::string first = Start(pod, ContainerOf("first", kSleep));
  const std::string level = LevelOf(first);
  EXPECT_THAT(level, MatchesRegex("s0:c[0-9]+,c[0-9]+"));
  ExpectLabel(first, kProcess + level);
  ExpectLabel(Start(pod, ContainerOf("second", kSleep)), kProcess + level);
  EXPECT_NE(LevelOf(Start(Run(PodOf("b")), ContainerOf("other", kSleep))), level);
}

TEST_F(Selinux, ThePid1OfASharedPidNamespaceHasThePodsLabels) {
  spec::PodSpec pod = PodOf("shared");
  pod.security.namespaces.pid = spec::NamespaceMode::kPod;
  spec::ContainerSpec container = ContainerOf("c", kSleep);
  container.security.namespaces.pid = spec::NamespaceMode::kPod;
  const std::string id = Start(Run(pod), container);
  const std::string level = LevelOf(id);
  EXPECT_EQ(std::string(ExecSync(id, "cat /proc/1/comm /proc/1/attr/current").c_str()),
            absl::StrCat("pod-init\n", kProcess, level));
  EXPECT_THAT(ExecSync(id, "cat /proc/1/mountinfo"), HasSubstr(kFile + level));
}

TEST_F(Selinux, TheContainersOwnFilesHaveItsLabel) {
  spec::ContainerSpec container = ContainerOf("c", kSleep);
  container.security.masked_paths = {"/proc/acpi", "/proc/kcore"};
  const std::string id = Start(Run(PodOf("web")), container);
  const std::string label = kFile + LevelOf(id);
  const std::string root = absl::StrCat("/proc/", StatusOf(id).pid, "/root");
  for (const char* path : {"/", "/bin/busybox", "/dev", "/dev/null", "/dev/pts", "/dev/shm",
                           "/dev/mqueue", "/etc/hosts", "/etc/resolv.conf", "/etc/hostname"}) {
    EXPECT_EQ(LabelOf(root + path), label) << path;
  }
  EXPECT_EQ(ExecSync(id, "echo x >/tmp/f && echo x >/dev/shm/f && cat /tmp/f /etc/hostname"),
            "x\nweb\n");
}

TEST_F(Selinux, AContainersSessionKeyringIsItsOwn) {
  const std::string id = Start(Run(PodOf("web")), ContainerOf("c", kSleep));
  // Only keys that the policy lets the reader see are shown.
  EXPECT_THAT(ExecSync(id, "cat /proc/keys"), HasSubstr("keyring   _ses"));
}

TEST_F(Selinux, AFileOfAnotherPodsIsRefusedAndOfItsOwnIsNot) {
  const std::string owner = StartWithData(true);
  EXPECT_EQ(LabelOf(data_ + "/file"), kFile + LevelOf(owner));
  EXPECT_EQ(ExecSync(owner, kUseData), "done\ndone\ndone\n");
  const std::string other = StartWithData(false);
  EXPECT_EQ(ExecSync(other, kUseData), "refused\nrefused\nrefused\n");
  // The other way round.
  const std::string next = StartWithData(true);
  EXPECT_EQ(ExecSync(next, kUseData), "done\ndone\ndone\n");
  EXPECT_EQ(ExecSync(owner, kUseData), "refused\nrefused\nrefused\n");
}

TEST_F(Selinux, PodsThatAskForOneLevelShareFiles) {
  for (const char* name : {"a", "b"}) {
    spec::PodSpec pod = PodOf(name);
    // However it is written, it is one.
    pod.security.selinux = spec::SelinuxOptions{.level = *name == 'a' ? "s0:c1,c2" : "s0:c2,c1"};
    spec::ContainerSpec container = ContainerOf(name, kSleep);
    container.mounts = {
        {.container_path = "/data", .host_path = data_, .selinux_relabel = *name == 'a'}};
    const std::string id = Start(Run(pod), container);
    ExpectLabel(id, absl::StrCat(kProcess, "s0:c1,c2"));
    EXPECT_EQ(ExecSync(id, kUseData), "done\ndone\ndone\n");
  }
}

TEST_F(Selinux, AHostsFileIsRefusedUnlessItIsRelabelled) {
  EXPECT_EQ(ExecSync(StartWithData(false), kUseData), "refused\nrefused\nrefused\n");
}

TEST_F(Selinux, ADirectoryOfTheHostIsNotRelabelledForAPod) {
  const std::string pod = Run(PodOf("web"));
  spec::ContainerSpec container = ContainerOf("c", kSleep);
  container.mounts = {{.container_path = "/data", .host_path = "/etc", .selinux_relabel = true}};
  const std::string before = LabelOf("/etc/passwd");
  const absl::Status status = pods_->CreateContainer(pod, container).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("selinux_relabel"), HasSubstr("/etc")));
  EXPECT_EQ(LabelOf("/etc/passwd"), before);
}

TEST_F(Selinux, AStoreThatCannotBeLabelledMeansNoPod) {
  Close();
  const std::string images = config::ImageDir(config_);
  fs::create_directories(images);
  // A procfs keeps no labels.
  ASSERT_EQ(mount("proc", images.c_str(), "proc", 0, nullptr), 0);
  Open();
  const absl::Status status = pods_->RunPodSandbox(PodOf("web")).status();
  EXPECT_EQ(umount2(images.c_str(), MNT_DETACH), 0);
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("images cannot be labelled"));
}

TEST_F(Selinux, ALayerWithoutItsLabelGetsItAtTheNextStart) {
  const std::string layer = config::ImageDir(config_) + "/layers/sha256/0123";
  fs::create_directories(config::ImageDir(config_));
  Close();
  Open();
  fs::create_directories(layer + "/fs");
  const std::string other = "system_u:object_r:usr_t:s0";
  for (const std::string& path : {layer + "/fs", layer}) {
    ASSERT_EQ(
        setxattr(path.c_str(), isolation::kSelinuxAttribute, other.c_str(), other.size() + 1, 0),
        0);
  }
  Close();
  Open();
  EXPECT_THAT(LabelOf(layer + "/fs"), HasSubstr("container_ro_file_t"));
  EXPECT_THAT(LabelOf(layer), HasSubstr("container_ro_file_t"));
}

TEST_F(Selinux, APrivilegedContainerIsOfItsOwnDomain) {
  spec::PodSpec pod = PodOf("privileged");
  pod.security.privileged = true;
  spec::ContainerSpec container = ContainerOf("c", kSleep);
  container.security.privileged = true;
  container.mounts = {{.container_path = "/data", .host_path = data_}};
  const std::string id = Start(Run(pod), container);
  ExpectLabel(id, "system_u:system_r:spc_t:s0");
  EXPECT_EQ(ExecSync(id, kUseData), "done\ndone\ndone\n");
}

TEST_F(Selinux, AContextThatThePolicyLacksIsRefusedByNameAndNothingIsLeft) {
  spec::PodSpec bad = PodOf("bad");
  bad.security.selinux = spec::SelinuxOptions{.type = "no_such_t"};
  const absl::Status refused = pods_->RunPodSandbox(bad).status();
  EXPECT_TRUE(absl::IsInvalidArgument(refused)) << refused;
  const std::string pod = Run(PodOf("web"));
  const HeldDescriptors held = Held();
  for (const spec::SelinuxOptions& options :
       {spec::SelinuxOptions{.user = "no_such_u"}, spec::SelinuxOptions{.role = "no_such_r"},
        spec::SelinuxOptions{.type = "no_such_t"}, spec::SelinuxOptions{.level = "s9:c1"}}) {
    spec::ContainerSpec container = ContainerOf("c", "true");
    container.security.selinux = options;
    const absl::Status status = pods_->CreateContainer(pod, container).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("selinux_options"));
  }
  EXPECT_TRUE(fs::is_empty(root_ + "/data/containers"));
  AwaitHeld(held);
}

TEST_F(Selinux, ATransitionThatThePolicyForbidsFailsTheStart) {
  spec::ContainerSpec container = ContainerOf("c", "true");
  container.security.selinux = spec::SelinuxOptions{.type = "getty_t"};
  const std::string id = Create(Run(PodOf("web")), container);
  const absl::Status status = pods_->StartContainer(id);
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(StatusOf(id).state, ContainerState::kExited);
}

TEST_F(Selinux, PodsWithAUserNamespaceNoNewPrivilegesAndTerminalsHaveIt) {
  spec::PodSpec pod = PodOf("web");
  pod.security.namespaces.network = spec::NamespaceMode::kPod;
  const std::vector<spec::IdRange> map = {{.container = 0, .host = 262144, .size = 65536}};
  pod.security.namespaces.user = {.mode = spec::NamespaceMode::kPod, .uids = map, .gids = map};
  spec::ContainerSpec container = ContainerOf("c", kSleep);
  container.security.namespaces.network = spec::NamespaceMode::kPod;
  container.security.no_new_privs = true;
  const std::string id = Start(Run(pod), container);
  ExpectLabel(id, kProcess + LevelOf(id));
  const auto terminal =
      pods_->Exec(id, {"/bin/sh", "-c", "echo > /dev/tty && cat /proc/self/attr/current"},
                  {.standard_input = true, .standard_output = true, .terminal = true});
  ASSERT_TRUE(terminal.ok()) << terminal.status();
  EXPECT_THAT(ReadToEnd((*terminal)->TakeStreams().out.get()), HasSubstr(kProcess));
  EXPECT_EQ(AwaitCode(**terminal), 0);
}

TEST_F(Selinux, PodsKeepItOverADaemonsRestartAndBothBuildsOfTheSupervisor) {
  const std::string pod = Run(PodOf("web"));
  const std::string id = Start(pod, ContainerOf("c", kSleep));
  const std::string label = kProcess + LevelOf(id);
  spec::ContainerSpec late = ContainerOf("late", "cat /proc/self/attr/current; echo");
  const std::string created = Create(pod, late);
  for (const char* build : {BULKHEAD_POD_PROGRAM, BULKHEAD_POD_NEXT, BULKHEAD_POD_PROGRAM}) {
    if (!BULKHEAD_STATIC_POD) break;
    Close();
    config_.daemon.supervisor = build;
    Open();
    ExpectLabel(id, label);
  }
  ASSERT_TRUE(pods_->StartContainer(created).ok());
  AwaitExit(created);
  EXPECT_THAT(LogOf(late), HasSubstr(label));
  EXPECT_NE(LevelOf(Start(Run(PodOf("next")), ContainerOf("next", kSleep))),
            isolation::ParseSelinuxContext(label)->level);
}

TEST_F(Selinux, LabelsNothingWhenItIsConfiguredSo) {
  Close();
  config_.isolation.selinux = false;
  Open();
  spec::PodSpec pod = PodOf("web");
  pod.security.selinux = spec::SelinuxOptions{.type = "no_such_t"};
  const std::string id = Start(Run(pod), ContainerOf("c", "true"));
  EXPECT_EQ(AwaitExit(id).exit_code, 0);
}

}  // namespace
}  // namespace bulkhead::pods
