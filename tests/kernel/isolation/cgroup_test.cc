#include "runtime/isolation/cgroup.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "runtime/isolation/cgroup_join.h"
#include "runtime/isolation/descriptors.h"
#include "runtime/isolation/freezer.h"
#include "runtime/kernel/file.h"
#include "runtime/kernel/process.h"

namespace bulkhead::isolation {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

absl::Time Soon() { return absl::Now() + absl::Seconds(10); }

class CgroupTest : public testing::Test {
 protected:
  void SetUp() override {
    absl::StatusOr<HostFacts> facts = ProbeHost();
    ASSERT_TRUE(facts.ok()) << facts.status();
    facts_ = *facts;
    manager_ = CgroupManager::ForHost(facts_);
    parent_ = absl::StrCat("/bulkhead-test-", getpid());
    pod_ = parent_ + "/pod";
    path_ = pod_ + "/container";
  }

  void TearDown() override {
    EXPECT_TRUE(manager_->Kill(parent_, Soon()).ok());
    absl::Status removed = manager_->Remove(parent_, Soon());
    EXPECT_TRUE(removed.ok()) << removed;
    EXPECT_FALSE(Exists(parent_));
  }

  // In any hierarchy.
  bool Exists(const std::string& path) const {
    struct stat st;
    for (const CgroupHierarchy& hierarchy : facts_.cgroup.v1) {
      if (stat((hierarchy.mount_point + path).c_str(), &st) == 0) return true;
    }
    return facts_.cgroup.v2.has_value() &&
           stat((facts_.cgroup.v2->mount_point + path).c_str(), &st) == 0;
  }

  // The file with a v1 name or else the v2 name.
  std::string Read(const std::string& controller, const std::string& v1, const std::string& v2) {
    const CgroupHierarchy* hierarchy = facts_.cgroup.FindV1(controller);
    const std::string directory =
        (hierarchy != nullptr ? hierarchy->mount_point : facts_.cgroup.v2->mount_point) + path_;
    std::string text = ReadFile(directory + "/" + (hierarchy != nullptr ? v1 : v2)).value_or("?");
    if (text.ends_with('\n')) text.pop_back();
    return text;
  }

  bool OnV1() const { return facts_.cgroup.layout != CgroupLayout::kV2; }

  // A child in the cgroups of `paths` that forks on when `bomb`, ignores every signal it can, and
  // never ends by itself.
  pid_t Spawn(const CgroupJoinPaths& paths, bool bomb) {
    DescriptorList list;
    const plan::CgroupJoin join = PlanCgroupJoin(paths, list);
    absl::StatusOr<std::vector<UniqueFd>> fds = OpenDescriptors(list, {}, {});
    EXPECT_TRUE(fds.ok()) << fds.status();
    absl::StatusOr<CgroupFds> cgroup = PlannedCgroup(join, *fds);
    EXPECT_TRUE(cgroup.ok());
    int ready[2];
    EXPECT_EQ(pipe(ready), 0);
    absl::StatusOr<CloneResult> child = Clone(0, cgroup->v2_directory);
    if (!child.ok()) {
      ADD_FAILURE() << child.status();
      return -1;
    }
    if (child->pid == 0) {
      const bool joined = JoinCgroupsInside(cgroup->v1_tasks).ok();
      for (int signal = 1; signal < 32; ++signal) ::signal(signal, SIG_IGN);
      if (bomb && fork() == 0) {
        while (true) {
          if (fork() > 0) _exit(0);
        }
      }
      if (write(ready[1], joined ? "y" : "n", 1) != 1) _exit(1);
      while (true) pause();
    }
    close(ready[1]);
    char answer = 0;
    EXPECT_EQ(read(ready[0], &answer, 1), 1);
    EXPECT_EQ(answer, 'y') << "the child could not join";
    close(ready[0]);
    return child->pid;
  }

  void ExpectKilled(pid_t pid) {
    int status = 0;
    EXPECT_EQ(waitpid(pid, &status, 0), pid);
    EXPECT_TRUE(WIFSIGNALED(status));
    EXPECT_EQ(WTERMSIG(status), SIGKILL);
  }

  HostFacts facts_;
  std::unique_ptr<CgroupManager> manager_;
  std::string parent_, pod_, path_;
};

TEST_F(CgroupTest, CreatingTellsWhatWasMadeAndASecondTimeNothing) {
  EXPECT_THAT(*manager_->Create(path_), ElementsAre(parent_, pod_, path_));
  EXPECT_THAT(*manager_->Create(path_), IsEmpty());
  EXPECT_TRUE(manager_->Remove(path_, Soon()).ok());
  EXPECT_TRUE(manager_->Remove(path_, Soon()).ok());
  EXPECT_TRUE(Exists(pod_));
}

TEST_F(CgroupTest, APathThatLeadsOutIsRefused) {
  for (const std::string& path : {std::string("/a/../../b"), std::string("relative"),
                                  std::string("/a\nb"), std::string("/a\0b", 4)}) {
    EXPECT_TRUE(absl::IsInvalidArgument(manager_->Create(path).status()));
    EXPECT_TRUE(absl::IsInvalidArgument(manager_->Kill(path, Soon())));
    EXPECT_TRUE(absl::IsInvalidArgument(manager_->Remove(path, Soon())));
  }
}

TEST_F(CgroupTest, LimitsAreSetRaisedAndLowered) {
  ASSERT_TRUE(manager_->Create(path_).ok());
  constexpr int64_t kMiB = 1 << 20;
  spec::Resources resources;
  for (const int64_t limit : {64 * kMiB, 256 * kMiB, 32 * kMiB}) {
    resources.memory_limit = limit;
    resources.memory_swap_limit = limit;
    resources.cpu_shares = 1024;
    resources.cpu_period = 50000;
    resources.cpu_quota = limit / kMiB * 1000;
    absl::Status status = manager_->SetResources(path_, resources);
    ASSERT_TRUE(status.ok()) << status;
    EXPECT_EQ(Read("memory", "memory.limit_in_bytes", "memory.max"), absl::StrCat(limit));
    EXPECT_EQ(Read("cpu", OnV1() ? "cpu.cfs_quota_us" : "", "cpu.max"),
              absl::StrCat(limit / kMiB * 1000, OnV1() ? "" : " 50000"));
  }
  EXPECT_EQ(Read("cpu", "cpu.shares", "cpu.weight"), OnV1() ? "1024" : "100");
}

TEST_F(CgroupTest, AQuotaBelowTheOldPeriodAndAPeriodAboveTheOldQuotaAreTaken) {
  ASSERT_TRUE(manager_->Create(path_).ok());
  for (const auto& [period, quota] : std::vector<std::pair<int, int>>{
           {100000, 50000}, {1000, 2000}, {1000000, 1000}, {10000, 900000}}) {
    spec::Resources resources;
    resources.cpu_period = period;
    resources.cpu_quota = quota;
    absl::Status status = manager_->SetResources(path_, resources);
    EXPECT_TRUE(status.ok()) << status << " for " << quota << "/" << period;
  }
}

TEST_F(CgroupTest, AnUnlimitedHugepageLimitIsToleratedAndOneThatCannotBeSetIsRefused) {
  ASSERT_TRUE(manager_->Create(path_).ok());
  spec::Resources resources;
  resources.hugepage_limits = {{"2MB", 0}, {"1GB", 9223372036854771712ULL}};
  absl::Status status = manager_->SetResources(path_, resources);
  EXPECT_TRUE(status.ok()) << status;
  resources.hugepage_limits = {{"3MB", 6 << 20}};
  status = manager_->SetResources(path_, resources);
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("hugepage_limits[0] of 3MB"));
}

TEST_F(CgroupTest, AnImpossibleCpusetIsAnErrorThatNamesTheField) {
  ASSERT_TRUE(manager_->Create(path_).ok());
  spec::Resources resources;
  resources.cpuset_cpus = "90000";
  absl::Status status = manager_->SetResources(path_, resources);
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("cpuset_cpus"));
}

TEST_F(CgroupTest, KillingEndsAForkBombAndWhatIgnoresSignals) {
  ASSERT_TRUE(manager_->Create(path_).ok());
  const pid_t pid = Spawn(manager_->JoinPaths(path_), true);
  EXPECT_FALSE(*manager_->IsEmpty(path_));
  // The child is this process' to reap; a zombie is no process to the cgroup.
  absl::Status status = manager_->Kill(path_, Soon());
  EXPECT_TRUE(status.ok()) << status;
  ExpectKilled(pid);
  EXPECT_TRUE(*manager_->IsEmpty(path_));
}

// As the supervisors' cgroup lies below the daemon's own.
TEST_F(CgroupTest, ACgroupBelowOneWithProcessesCanBeEntered) {
  ASSERT_TRUE(manager_->Create(pod_).ok());
  const pid_t above = Spawn(manager_->JoinPaths(pod_), false);
  ASSERT_TRUE(manager_->Create(path_).ok());
  const pid_t below = Spawn(manager_->JoinPaths(path_), false);
  ASSERT_TRUE(manager_->Kill(pod_, Soon()).ok());
  ExpectKilled(above);
  ExpectKilled(below);
}

TEST_F(CgroupTest, KillingAnExecLeafSparesTheContainer) {
  ASSERT_TRUE(manager_->Create(path_).ok());
  const pid_t container = Spawn(manager_->JoinPaths(path_), false);
  absl::StatusOr<std::string> leaf = manager_->CreateExecLeaf(path_, "1");
  ASSERT_TRUE(leaf.ok()) << leaf.status();
  const pid_t exec = Spawn(manager_->ExecJoinPaths(path_, *leaf), false);
  ASSERT_TRUE(manager_->Kill(*leaf, Soon()).ok());
  ExpectKilled(exec);
  ASSERT_TRUE(manager_->Remove(*leaf, Soon()).ok());
  EXPECT_EQ(kill(container, 0), 0);
  EXPECT_FALSE(*manager_->IsEmpty(path_));
  ASSERT_TRUE(manager_->Kill(path_, Soon()).ok());
  ExpectKilled(container);
}

TEST_F(CgroupTest, NoContainerGoesBesideThreads) {
  if (OnV1()) GTEST_SKIP() << "cgroup v1";
  ASSERT_TRUE(manager_->Create(pod_).ok());
  const std::string threads = facts_.cgroup.v2->mount_point + pod_ + "/threads";
  ASSERT_EQ(mkdir(threads.c_str(), 0755), 0);
  ASSERT_TRUE(WriteControlFile(AT_FDCWD, threads + "/cgroup.type", "threaded").ok());
  const absl::Status refused = manager_->Create(path_).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(refused)) << refused;
  EXPECT_THAT(std::string(refused.message()), HasSubstr("domain invalid"));
}

TEST_F(CgroupTest, TheFreezerKillsWhereThereIsNoV2Tree) {
  if (facts_.cgroup.FindV1("freezer") == nullptr) GTEST_SKIP() << "no v1 freezer on this host";
  facts_.cgroup.v2.reset();
  facts_.cgroup.layout = CgroupLayout::kV1;
  const std::unique_ptr<CgroupManager> v1 = CgroupManager::ForHost(facts_);
  ASSERT_TRUE(v1->Create(path_).ok());
  const pid_t pid = Spawn(v1->JoinPaths(path_), true);
  absl::Status status = v1->Kill(path_, Soon());
  EXPECT_TRUE(status.ok()) << status;
  ExpectKilled(pid);
  EXPECT_TRUE(*v1->IsEmpty(path_));
}

TEST_F(CgroupTest, OnlyAllowedDevicesCanBeOpened) {
  ASSERT_TRUE(manager_->Create(path_).ok());
  // Twice: the second list takes the place of the first.
  ASSERT_TRUE(manager_->SetDevices(path_, {{'c', 1, 5, "rwm"}, {'c', 1, 3, "rwm"}}).ok());
  absl::Status status = manager_->SetDevices(path_, {{'c', 1, 3, "rwm"}, {'c', 1, 7, "r"}});
  ASSERT_TRUE(status.ok()) << status;
  DescriptorList list;
  const plan::CgroupJoin join = PlanCgroupJoin(manager_->JoinPaths(path_), list);
  absl::StatusOr<std::vector<UniqueFd>> fds = OpenDescriptors(list, {}, {});
  ASSERT_TRUE(fds.ok()) << fds.status();
  const pid_t pid = fork();
  if (pid == 0) {
    if (!JoinCgroups(*PlannedCgroup(join, *fds)).ok()) _exit(100);
    int result = 0;
    if (open("/dev/null", O_RDWR) < 0) result |= 1;
    if (open("/dev/zero", O_RDONLY) >= 0 || errno != EPERM) result |= 2;
    if (open("/dev/full", O_RDONLY) < 0) result |= 4;
    if (open("/dev/full", O_WRONLY) >= 0) result |= 8;
    _exit(result);
  }
  int wait_status = 0;
  ASSERT_EQ(waitpid(pid, &wait_status, 0), pid);
  EXPECT_EQ(WEXITSTATUS(wait_status), 0);
}

TEST_F(CgroupTest, AllowedDevicesAreReadAsPlanned) {
  ASSERT_TRUE(manager_->Create(path_).ok());
  const std::vector<DeviceRule> rules = {
      {'c', 1, 3, "r"}, {'b', -1, -1, "m"}, {'c', 1, 3, "mw"}, {'c', 136, -1, "rwm"}};
  const absl::Status status = manager_->SetDevices(path_, rules);
  ASSERT_TRUE(status.ok()) << status;
  const absl::StatusOr<std::set<std::string>> read = manager_->ReadDevices(path_);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, manager_->PlanDevices(rules));
}

}  // namespace
}  // namespace bulkhead::isolation
