// AppArmor profiles, seen from within and by the kernel; needs a kernel that has it enabled.
#include "runtime/isolation/apparmor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "runtime/isolation/report.h"
#include "runtime/kernel/file.h"
#include "shim/network/child_process.h"
#include "tests/kernel/pods/real_pods.h"
#include "tests/kernel/pods/stream_client.h"

namespace bulkhead::pods {
namespace {

namespace fs = std::filesystem;
using std::chrono::seconds;
using Type = spec::SecurityProfile::Type;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr char kDefault[] = "bulkhead-default (enforce)\n";
constexpr char kLabel[] = "cat /proc/self/attr/current";
// Tells of each path whether it can be opened for writing; nothing is written.
constexpr char kOpen[] =
    "open() { for path; do if (: >>$path) 2>/dev/null; then echo open; else echo refused; fi; "
    "done; };";

// Adds the policy on standard input, or takes it away.
void Parse(const std::string& policy, const std::string& option) {
  const auto result = network::RunChild({.program = isolation::kAppArmorParser,
                                         .arguments = {option},
                                         .environment = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"},
                                         .input = policy});
  ASSERT_TRUE(result.ok()) << result.status();
  ASSERT_EQ(result->code, 0) << result->error;
}

class AppArmor : public RealPods {
 protected:
  void SetUp() override {
    const std::string path = "/sys/module/apparmor/parameters/enabled";
    if (ReadFile(path).value_or("N") != "Y\n") GTEST_SKIP() << "the kernel has no AppArmor enabled";
  }
  void TearDown() override {
    if (!loaded_.empty()) Parse(loaded_, "-R");
  }

  // A profile of this test's own; returns its name.
  std::string Load(const std::string& rules) {
    const std::string name = "bulkhead-test-" + Mark();
    loaded_ = absl::StrCat("profile ", name, " flags=(attach_disconnected) { ", rules, " }\n");
    Parse(loaded_, "-a");
    return name;
  }

  spec::ContainerSpec Confined(const spec::SecurityProfile& profile, const std::string& script) {
    spec::ContainerSpec container = ContainerOf("c", script);
    container.security.apparmor = profile;
    return container;
  }
  // A running one.
  std::string StartConfined(const spec::SecurityProfile& profile) {
    return Start(Run(PodOf(absl::StrCat("web", ++pods_run_))),
                 Confined(profile, "exec sleep 1000"));
  }
  std::string ExecSync(const std::string& id, const std::string& script) {
    const auto result = pods_->ExecSync(id, {"/bin/sh", "-c", script}, seconds(60));
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? result->standard_output + result->standard_error : "";
  }
  // The profile of the container's process, and of a command beside it.
  void ExpectProfile(const std::string& id, const std::string& expected) {
    const auto report = isolation::ReadIsolation(StatusOf(id).pid, id);
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_EQ(report->lsm_label + "\n", expected);
    EXPECT_EQ(ExecSync(id, kLabel), expected);
  }
  // What the script says under the default profile, and what under none.
  void Compare(spec::ContainerSpec container, const std::string& confined,
               const std::string& unconfined) {
    for (const Type type : {Type::kUnset, Type::kUnconfined}) {
      container.security.apparmor = {type};
      container.metadata.name = container.log_path = absl::StrCat("c", static_cast<int>(type));
      AwaitExit(Start(Run(PodOf(container.log_path)), container));
      const std::string expected = type == Type::kUnset ? confined : unconfined;
      EXPECT_EQ(Said(container), expected);
    }
  }
  // The words of its log: "TIME stdout F WORD" each.
  std::string Said(const spec::ContainerSpec& container) {
    std::string said;
    const std::string log = LogOf(container);
    for (size_t at = 0, end; (end = log.find('\n', at)) != std::string::npos; at = end + 1) {
      const std::string line = log.substr(at, end - at);
      absl::StrAppend(&said, said.empty() ? "" : " ", line.substr(line.rfind(' ') + 1));
    }
    return said;
  }

  std::string loaded_;
  int pods_run_ = 0;
};

TEST_F(AppArmor, AContainerAndItsCommandsHaveTheDefaultProfile) {
  ExpectProfile(StartConfined({}), kDefault);
  ExpectProfile(StartConfined({Type::kRuntimeDefault}), kDefault);
}

TEST_F(AppArmor, UnconfinedAndPrivilegedContainersHaveNone) {
  ExpectProfile(StartConfined({Type::kUnconfined}), "unconfined\n");
  spec::PodSpec pod = PodOf("privileged");
  pod.security.privileged = true;
  spec::ContainerSpec container = Confined({Type::kRuntimeDefault}, "exec sleep 1000");
  container.security.privileged = true;
  ExpectProfile(Start(Run(pod), container), "unconfined\n");
}

TEST_F(AppArmor, TheDefaultProfileKeepsTheKernelsSettingsFromBeingWritten) {
  const spec::ContainerSpec container =
      ContainerOf("c", absl::StrCat(kOpen,
                                    "open /proc/sys/vm/swappiness /proc/sys/kernel/shmmax "
                                    "/proc/sys/net/ipv4/ip_forward /proc/sysrq-trigger "
                                    "/proc/irq/default_smp_affinity"));
  Compare(container, "refused refused refused refused refused", "open open open open open");
}

TEST_F(AppArmor, TheDefaultProfileKeepsSysfsFromBeingWrittenButForCgroups) {
  spec::ContainerSpec container =
      ContainerOf("c", absl::StrCat(kOpen,
                                    "open /sys/bus/cpu/uevent /sys/kernel/mm/ksm/run "
                                    "/sys/fs/ext4/features/../../../kernel/mm/ksm/run "
                                    "/sys/fs/cgroup/cgroup.procs"));
  // The container's own sysfs is read-only without any profile.
  container.mounts = {{.container_path = "/sys", .host_path = "/sys"}};
  Compare(container, "refused refused refused open", "open open open open");
}

TEST_F(AppArmor, TheDefaultProfileRefusesMountsThoughACapabilityAllowsThem) {
  spec::ContainerSpec container =
      ContainerOf("c",
                  "try() { \"$@\" 2>/dev/null && echo done || echo refused; };"
                  "try busybox mount -t tmpfs none /tmp; try busybox mount --bind /etc /tmp;"
                  "try busybox umount /dev/mqueue");
  container.security.capabilities.add = {"SYS_ADMIN"};
  Compare(container, "refused refused refused", "done done done");
}

TEST_F(AppArmor, TheDefaultProfileLetsACommonProgramWork) {
  const std::string ordinary = absl::StrCat(
      kOpen,
      "open /tmp/f /etc/passwd /dev/null /dev/shm/f /proc/self/oom_score_adj /proc/self/comm;"
      "sleep 100 & kill $!; wait $! 2>/dev/null; echo $?;"
      "cat /proc/1/environ >/dev/null && echo traced;"
      "[ -d /proc/1/cwd/ ] && echo followed; test -r /sys/kernel/mm/ksm/run && echo read;"
      "nc -lp 8 127.0.0.1 & until nc -w 1 127.0.0.1 8 </dev/null 2>/dev/null; do sleep 0.1; done;"
      "kill $! 2>/dev/null; echo connected; echo $(id -u)");
  const std::string said = "open open open open open open 143 traced followed read connected 0";
  Compare(ContainerOf("c", ordinary), said, said);
}

TEST_F(AppArmor, TheHostSignalsAndReadsAConfinedContainer) {
  const spec::ContainerSpec container =
      Confined({}, "trap 'exit 42' TERM; echo ready; while :; do sleep 1; done");
  const std::string id = Start(Run(PodOf("web")), container);
  AwaitLog(container, "ready");
  EXPECT_THAT(ReadFile(absl::StrCat("/proc/", StatusOf(id).pid, "/environ")).value_or("refused"),
              HasSubstr("PATH=/bin"));
  EXPECT_TRUE(pods_->StopContainer(id, seconds(60)).ok());
  EXPECT_EQ(AwaitExit(id).exit_code, 42);
}

TEST_F(AppArmor, AProfileOfTheHostIsEnforced) {
  const std::string name = Load("file, signal, deny /tmp/** w,");
  const std::string id = StartConfined({Type::kLocalhost, name});
  ExpectProfile(id, name + " (enforce)\n");
  EXPECT_EQ(ExecSync(id, absl::StrCat(kOpen, "open /tmp/f /f")), "refused\nopen\n");
}

TEST_F(AppArmor, AProfileThatIsNotLoadedIsRefusedByNameAndNothingIsLeft) {
  const std::string pod = Run(PodOf("web"));
  const HeldDescriptors held = Held();
  for (const char* name : {"bulkhead-no-such", "unconfined", "bulkhead-default (enforce)"}) {
    const absl::Status status =
        pods_->CreateContainer(pod, Confined({Type::kLocalhost, name}, "true")).status();
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(absl::StrCat("\"", name, "\"")));
  }
  EXPECT_TRUE(fs::is_empty(root_ + "/data/containers"));
  EXPECT_TRUE(pods_->ListContainers({}).empty());
  AwaitHeld(held);
}

TEST_F(AppArmor, AProfileThatGoesBeforeTheExecFailsTheStart) {
  const std::string name = Load("file, signal,");
  const std::string id = Create(Run(PodOf("web")), Confined({Type::kLocalhost, name}, "true"));
  Parse(loaded_, "-R");
  loaded_.clear();
  const absl::Status status = pods_->StartContainer(id);
  EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr("AppArmor"), HasSubstr(name)));
  EXPECT_EQ(StatusOf(id).state, ContainerState::kExited);
}

// CVE-2025-52881: what is written for a process must not land in a file of the container's.
TEST_F(AppArmor, AVolumeOverTheAttributesOfItsProcessTakesNoProfileAway) {
  fs::create_directories(root_ + "/fake");
  for (const char* name : {"exec", "current"}) std::ofstream(absl::StrCat(root_, "/fake/", name));
  spec::ContainerSpec container = Confined({}, "exec sleep 1000");
  container.mounts = {{.container_path = "/proc/1/attr/apparmor", .host_path = root_ + "/fake"}};
  const std::string id = Start(Run(PodOf("web")), container);
  EXPECT_EQ(ExecSync(id, "ls /proc/1/attr/apparmor"), "current\nexec\n");
  ExpectProfile(id, kDefault);
  EXPECT_TRUE(fs::is_empty(root_ + "/fake/exec"));
}

TEST_F(AppArmor, TheDefaultProfileIsLoadedAgainWhenATakerAwayWasThere) {
  const std::string policy = isolation::DefaultAppArmorPolicy("");
  const std::string before = StartConfined({});
  Parse(policy, "-R");
  ExpectProfile(StartConfined({}), kDefault);
  Parse(policy, "-R");
  EXPECT_EQ(ExecSync(before, kLabel), kDefault);
  EXPECT_EQ(isolation::ReadIsolation(StatusOf(before).pid, before)->lsm_label, "unconfined");
}

TEST_F(AppArmor, TheDefaultProfileOfAnEarlierVersionIsReplacedByARestart) {
  const std::string script = absl::StrCat(kOpen, "open /proc/sys/vm/swappiness");
  Parse("profile bulkhead-default flags=(attach_disconnected) { file, signal, capability, }", "-r");
  const std::string id = StartConfined({});
  EXPECT_EQ(ExecSync(id, script), "open\n");
  Close();
  Open();
  EXPECT_EQ(ExecSync(id, script), "refused\n");
  ExpectProfile(id, kDefault);
}

TEST_F(AppArmor, CommandsHaveItOverADaemonsRestartAndBothBuildsOfTheSupervisor) {
  const std::string name = Load("file, signal, deny /tmp/** w,");
  const std::string pod = Run(PodOf("web"));
  const std::string id = Start(pod, Confined({Type::kLocalhost, name}, "exec sleep 1000"));
  spec::ContainerSpec late = Confined({}, kLabel);
  late.metadata.name = late.log_path = "late";
  const std::string created = Create(pod, late);
  Close();
  Open();
  ExpectProfile(id, name + " (enforce)\n");
  for (const char* build : {BULKHEAD_POD_NEXT, BULKHEAD_POD_PROGRAM}) {
    if (!BULKHEAD_STATIC_POD) break;
    Close();
    config_.daemon.supervisor = build;
    Open();
    ExpectProfile(id, name + " (enforce)\n");
  }
  ASSERT_TRUE(pods_->StartContainer(created).ok());
  AwaitExit(created);
  EXPECT_THAT(LogOf(late), HasSubstr("bulkhead-default (enforce)"));
}

TEST_F(AppArmor, PodsWithAUserNamespaceAndTerminalsHaveIt) {
  spec::PodSpec pod = PodOf("web");
  pod.security.namespaces.network = spec::NamespaceMode::kPod;
  const std::vector<spec::IdRange> map = {{.container = 0, .host = 262144, .size = 65536}};
  pod.security.namespaces.user = {.mode = spec::NamespaceMode::kPod, .uids = map, .gids = map};
  spec::ContainerSpec container = Confined({}, "exec sleep 1000");
  container.security.namespaces.network = spec::NamespaceMode::kPod;
  container.security.no_new_privs = true;
  const std::string id = Start(Run(pod), container);
  ExpectProfile(id, kDefault);
  const auto terminal =
      pods_->Exec(id, {"/bin/sh", "-c", absl::StrCat("echo > /dev/tty && ", kLabel)},
                  {.standard_input = true, .standard_output = true, .terminal = true});
  ASSERT_TRUE(terminal.ok()) << terminal.status();
  EXPECT_THAT(ReadToEnd((*terminal)->TakeStreams().out.get()), HasSubstr("bulkhead-default"));
  EXPECT_EQ(AwaitCode(**terminal), 0);
}

}  // namespace
}  // namespace bulkhead::pods
