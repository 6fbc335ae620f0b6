#include "runtime/isolation/comparison.h"

#include <linux/capability.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include <algorithm>
#include <map>
#include <optional>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bulkhead::isolation {
namespace {

constexpr uint64_t kChown = uint64_t{1} << CAP_CHOWN;
constexpr uint64_t kKill = uint64_t{1} << CAP_KILL;

// A container of a pod with namespaces of its own, and the process as it should be.
class CompareTest : public ::testing::Test {
 protected:
  CompareTest() {
    planned_.pod.network = spec::NamespaceMode::kPod;
    planned_.pod.ipc = spec::NamespaceMode::kPod;
    plan::LaunchPlan& launch = *planned_.plan.mutable_launch();
    launch.mutable_namespaces()->set_pid(plan::NamespacesPlan::CONTAINER);
    launch.mutable_namespaces()->set_own_cgroup_namespace(true);
    plan::CredentialsPlan& credentials = *launch.mutable_credentials();
    for (auto set : {&plan::CredentialsPlan::set_bounding, &plan::CredentialsPlan::set_effective,
                     &plan::CredentialsPlan::set_permitted}) {
      (credentials.*set)(kChown | kKill);
    }
    credentials.add_groups(10);
    plan::Rlimit& files = *launch.add_rlimits();
    files.set_resource(RLIMIT_NOFILE);
    files.set_hard(1000);
    launch.set_oom_score_adj(100);
    launch.mutable_late_mounts()->set_proc(true);
    launch.mutable_late_mounts()->add_masked_paths("/proc/kcore");
    launch.mutable_late_mounts()->add_masked_paths("/proc/acpi");
    launch.mutable_late_mounts()->add_read_only_paths("/proc/sys");
    planned_.plan.set_seccomp_filter(true);
    plan::Mount& sys = *planned_.plan.mutable_root()->add_mounts();
    sys.set_destination("/sys/");
    sys.mutable_filesystem()->set_type("sysfs");
    sys.set_attributes(MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID);
    plan::Mount& data = *planned_.plan.mutable_root()->add_mounts();
    data.set_destination("/data");
    data.mutable_bind()->set_directory(true);
    data.set_propagation(plan::Mount::SLAVE);

    for (const char* type : {"cgroup", "ipc", "mnt", "net", "pid", "user", "uts"}) {
      actual_.namespaces.push_back(
          {.type = type, .inode = 1, .shared_with_host = std::string(type) == "user"});
    }
    actual_.credentials = {.groups = {10},
                           .capabilities = {{"bounding", kChown | kKill},
                                            {"effective", kChown | kKill},
                                            {"permitted", kChown | kKill},
                                            {"inheritable", 0},
                                            {"ambient", 0}},
                           .seccomp_mode = 2,
                           .seccomp_filters = 1};
    actual_.lsm_label = "unconfined";
    actual_.oom_score_adj = 100;
    actual_.open_files_hard = 1000;
    Mount("/", "overlay", "rw");
    Mount("/proc", "proc", "rw,nosuid,nodev,noexec");
    Mount("/proc/kcore", "tmpfs", "ro");
    Mount("/proc/sys", "proc", "ro,nosuid");
    Mount("/sys", "sysfs", "ro,nosuid,nodev");
    Mount("/data", "ext4", "rw", "master:4");
    Mount("/data/below", "tmpfs", "rw");
  }

  void Mount(const std::string& destination, const std::string& type, const std::string& options,
             const std::string& propagation = "private") {
    const uint64_t id = actual_.mounts.size() + 20;
    actual_.mounts.push_back({.id = id,
                              .parent = ParentOf(destination),
                              .destination = destination,
                              .type = type,
                              .options = options,
                              .propagation = propagation});
    actual_.places[destination] = {.mount_id = id, .is_mount = true};
  }
  // The mount that a path is on so far; its own at last, as mounts are stacked.
  uint64_t ParentOf(std::string path) const {
    while (true) {
      if (const MountReport* mount = FindMount(actual_.mounts, path)) return mount->id;
      if (path == "/") return 1;
      path.resize(std::max<size_t>(path.rfind('/'), 1));
    }
  }
  MountReport& MountAt(const std::string& destination) {
    for (MountReport& mount : actual_.mounts) {
      if (mount.destination == destination) return mount;
    }
    throw std::logic_error(destination);
  }
  // The mechanisms that are not as planned.
  std::map<std::string, Verdict> Others() const {
    std::map<std::string, Verdict> others;
    for (const Comparison& one : Compare(planned_, actual_)) {
      if (one.verdict != Verdict::kAsPlanned) others[one.mechanism] = one.verdict;
    }
    return others;
  }
  using Verdicts = std::map<std::string, Verdict>;

  PlannedIsolation planned_;
  IsolationReport actual_;
};

TEST_F(CompareTest, FindsNothingWhereAllIsAsPlanned) {
  EXPECT_EQ(Others(), Verdicts());
  EXPECT_FALSE(Differs(Compare(planned_, actual_)));
}

TEST_F(CompareTest, TellsANamespaceOfTheHost) {
  actual_.namespaces[3].shared_with_host = true;
  EXPECT_EQ(Others(), (Verdicts{{"namespace net", Verdict::kDiffers}}));
  EXPECT_TRUE(Differs(Compare(planned_, actual_)));
}

TEST_F(CompareTest, TellsAMissingUserNamespaceAndOtherMaps) {
  planned_.pod.user = {.mode = spec::NamespaceMode::kPod,
                       .uids = {{.container = 0, .host = 70000, .size = 65536}},
                       .gids = {{.container = 0, .host = 70000, .size = 65536}}};
  actual_.uid_map = "0 70000 65536";
  actual_.gid_map = "0 0 4294967295";
  actual_.credentials.uid = 70000;
  actual_.credentials.gid = 70000;
  actual_.credentials.groups = {70010};
  EXPECT_EQ(Others(),
            (Verdicts{{"namespace user", Verdict::kDiffers}, {"gid map", Verdict::kDiffers}}));
}

TEST_F(CompareTest, TellsACapabilityMoreFromOneLess) {
  actual_.credentials.capabilities["effective"] = kChown;
  EXPECT_EQ(Others(), (Verdicts{{"capabilities effective", Verdict::kByItself}}));
  actual_.credentials.capabilities["effective"] = kChown | uint64_t{1} << CAP_SYS_ADMIN;
  EXPECT_EQ(Others(), (Verdicts{{"capabilities effective", Verdict::kDiffers}}));
}

TEST_F(CompareTest, ExpectsTheAmbientCapabilitiesAloneOfOthersThanTheSuperuser) {
  planned_.plan.mutable_launch()->mutable_credentials()->set_uid(101);
  planned_.plan.mutable_launch()->mutable_credentials()->set_ambient(kKill);
  actual_.credentials.uid = 101;
  for (const char* set : {"effective", "permitted", "ambient"}) {
    actual_.credentials.capabilities[set] = kKill;
  }
  EXPECT_EQ(Others(), Verdicts());
}

TEST_F(CompareTest, LetsAProcessBecomeWhomItMay) {
  plan::CredentialsPlan& plan = *planned_.plan.mutable_launch()->mutable_credentials();
  actual_.credentials.uid = 101;
  actual_.credentials.groups = {101};
  const Verdicts by_itself = {{"user", Verdict::kByItself}, {"groups", Verdict::kByItself}};
  const Verdicts differ = {{"user", Verdict::kDiffers}, {"groups", Verdict::kDiffers}};
  EXPECT_EQ(Others(), by_itself) << "a setuid program";
  plan.set_no_new_privileges(true);
  actual_.credentials.no_new_privs = true;
  EXPECT_EQ(Others(), differ);
  const uint64_t change = uint64_t{1} << CAP_SETUID | uint64_t{1} << CAP_SETGID;
  plan.set_bounding(plan.bounding() | change);
  actual_.credentials.capabilities["bounding"] |= change;
  EXPECT_EQ(Others(), by_itself);
}

TEST_F(CompareTest, LetsNoProcessHaveAnIdThatIsNotTheContainers) {
  planned_.pod.user = {.mode = spec::NamespaceMode::kPod,
                       .uids = {{.container = 0, .host = 70000, .size = 65536}},
                       .gids = {{.container = 0, .host = 70000, .size = 65536}}};
  actual_.namespaces[5].shared_with_host = false;
  actual_.uid_map = actual_.gid_map = "0 70000 65536";
  actual_.credentials.gid = 70000;
  actual_.credentials.groups = {0, 70010};
  EXPECT_EQ(Others(), (Verdicts{{"user", Verdict::kDiffers}, {"groups", Verdict::kDiffers}}));
}

TEST_F(CompareTest, LetsAProgramHaveTheCapabilitiesOfItsFile) {
  planned_.plan.mutable_launch()->mutable_credentials()->set_uid(101);
  actual_.credentials.uid = 101;
  actual_.credentials.capabilities["permitted"] = kKill;
  actual_.credentials.capabilities["effective"] = 0;
  EXPECT_EQ(Others(), (Verdicts{{"capabilities permitted", Verdict::kByItself}}));
}

TEST_F(CompareTest, TellsAProcessThatIsNotInAllItsCgroups) {
  planned_.cgroup = "/bulkhead/p/c";
  planned_.hierarchies = 2;
  actual_.cgroups = {"5:memory:/bulkhead/p/c", "4:pids:/", "0::/bulkhead/p/c/leaf"};
  EXPECT_EQ(Others(), Verdicts());
  actual_.cgroups = {"5:memory:/", "4:pids:/bulkhead/p/cc", "0::/bulkhead/p/c"};
  EXPECT_EQ(Others(), (Verdicts{{"cgroup", Verdict::kDiffers}}));
}

TEST_F(CompareTest, TellsAMissingFilterAndNewPrivileges) {
  planned_.plan.mutable_launch()->mutable_credentials()->set_no_new_privileges(true);
  actual_.credentials.seccomp_mode = 0;
  actual_.credentials.seccomp_filters = 0;
  EXPECT_EQ(Others(),
            (Verdicts{{"no_new_privs", Verdict::kDiffers}, {"seccomp", Verdict::kDiffers}}));
}

TEST_F(CompareTest, TellsAnAppArmorProfileThatIsNotEnforced) {
  planned_.plan.mutable_launch()->mutable_lsm()->set_apparmor_profile("web");
  actual_.lsm_label = "web (enforce)";
  EXPECT_EQ(Others(), Verdicts());
  for (const char* label : {"web (complain)", "unconfined", "other (enforce)", ""}) {
    actual_.lsm_label = label;
    EXPECT_EQ(Others(), (Verdicts{{"AppArmor profile", Verdict::kDiffers}})) << label;
  }
}

TEST_F(CompareTest, TellsAnotherLabelOfSelinux) {
  constexpr char kLabel[] = "system_u:system_r:container_t:s0:c4,c5";
  planned_.plan.mutable_launch()->mutable_lsm()->set_selinux_label(kLabel);
  actual_.lsm_label = kLabel;
  EXPECT_EQ(Others(), Verdicts());
  actual_.lsm_label = "system_u:system_r:container_t:s0:c4,c6";
  EXPECT_EQ(Others(), (Verdicts{{"SELinux label", Verdict::kDiffers}}));
}

TEST_F(CompareTest, TellsBoundsThatWereRaised) {
  actual_.open_files_hard = 1001;
  actual_.oom_score_adj = 99;
  EXPECT_EQ(Others(),
            (Verdicts{{"open files", Verdict::kDiffers}, {"oom_score_adj", Verdict::kDiffers}}));
  actual_.open_files_hard = 500;
  actual_.oom_score_adj = 200;
  EXPECT_EQ(Others(),
            (Verdicts{{"open files", Verdict::kByItself}, {"oom_score_adj", Verdict::kByItself}}));
}

TEST_F(CompareTest, TellsAMountThatLostItsOptionsOrItsType) {
  MountAt("/sys").options = "rw,nosuid";
  MountAt("/proc").type = "tmpfs";
  EXPECT_EQ(Others(),
            (Verdicts{{"mount /sys", Verdict::kDiffers}, {"mount /proc", Verdict::kDiffers}}));
}

TEST_F(CompareTest, FindsAVolumeOfTheProcessItself) {
  plan::Mount& own = *planned_.plan.mutable_launch()->mutable_late_mounts()->add_mounts();
  own.set_destination("/proc/self/net");
  own.mutable_bind()->set_directory(true);
  actual_.credentials.own_pid = 7;
  Mount("/proc/7/net", "ext4", "rw");
  EXPECT_EQ(Others(), Verdicts());
}

TEST_F(CompareTest, TellsAVolumeThatSpreadsItsMounts) {
  MountAt("/data").propagation = "shared:3 master:4";
  EXPECT_EQ(Others(), (Verdicts{{"mount /data", Verdict::kDiffers}}));
}

TEST_F(CompareTest, TellsTheNetworkOfAnotherPodUnlessTheContainerMayMakeOne) {
  planned_.network_namespace = 1;
  EXPECT_EQ(Others(), Verdicts());
  planned_.network_namespace = 2;
  EXPECT_EQ(Others(), (Verdicts{{"namespace net", Verdict::kDiffers}}));
  planned_.plan.mutable_launch()->mutable_credentials()->set_bounding(kChown | kKill |
                                                                      uint64_t{1} << CAP_SYS_ADMIN);
  EXPECT_EQ(Others()["namespace net"], Verdict::kByItself);
}

TEST_F(CompareTest, TellsADeviceThatIsAllowedWithoutHavingBeenPlanned) {
  planned_.plan.add_devices("c 1:3 rwm");
  planned_.plan.add_devices("c 1:5 rwm");
  EXPECT_EQ(Others(), (Verdicts{{"devices", Verdict::kDiffers}})) << "none is a list that is gone";
  actual_.devices = {"c 1:3 rwm", "c 1:5 rwm"};
  EXPECT_EQ(Others(), Verdicts());
  actual_.devices.insert("b 8:0 rwm");
  EXPECT_EQ(Others(), (Verdicts{{"devices", Verdict::kDiffers}}));
}

TEST_F(CompareTest, TellsAVolumeOfAnotherSource) {
  plan::BindSource& bind = *planned_.plan.mutable_root()->mutable_mounts(1)->mutable_bind();
  bind.set_device(8);
  bind.set_inode(30);
  EXPECT_EQ(Others(), Verdicts()) << "it was not looked up";
  actual_.places["/data"].device = 8;
  actual_.places["/data"].inode = 31;
  EXPECT_EQ(Others(), Verdicts()) << "it takes mounts from the host";
  planned_.plan.mutable_root()->mutable_mounts(1)->set_propagation(plan::Mount::PRIVATE);
  MountAt("/data").propagation = "private";
  EXPECT_EQ(Others(), (Verdicts{{"mount /data", Verdict::kDiffers}}));
  actual_.places["/data"].inode = 30;
  EXPECT_EQ(Others(), Verdicts());
  EXPECT_THAT(RequestFor(planned_).sources, testing::ElementsAre("/data"));
}

TEST_F(CompareTest, SaysNothingOfAMountThatAnotherLiesOver) {
  plan::Mount& below = *planned_.plan.mutable_root()->mutable_mounts()->Add();
  below.set_destination("/data/");
  below.mutable_bind()->set_directory(true);
  below.set_propagation(plan::Mount::SLAVE);
  planned_.plan.mutable_root()->mutable_mounts(1)->set_destination("/data/below");
  EXPECT_EQ(Others(), Verdicts());
}

TEST_F(CompareTest, TellsAVolumeThatIsNotMappedAsPlanned) {
  planned_.plan.mutable_root()->mutable_mounts(1)->mutable_bind()->set_id_mapped(true);
  EXPECT_EQ(Others(), (Verdicts{{"mount /data", Verdict::kDiffers}}));
  MountAt("/data").options += ",idmapped";
  EXPECT_EQ(Others(), Verdicts());
}

TEST_F(CompareTest, TellsAMaskThatIsGoneFromAPathThatNeverWas) {
  actual_.places["/proc/kcore"].is_mount = false;
  std::erase_if(actual_.mounts,
                [](const MountReport& m) { return m.destination == "/proc/kcore"; });
  actual_.places.erase("/proc/sys");
  std::erase_if(actual_.mounts, [](const MountReport& m) { return m.destination == "/proc/sys"; });
  EXPECT_EQ(Others(), (Verdicts{{"masked /proc/kcore", Verdict::kDiffers}}));
}

TEST_F(CompareTest, TakesNothingButAnEmptyFolderOrTheNullDeviceForAMask) {
  MountAt("/proc/kcore").options = "rw";
  EXPECT_EQ(Others(), (Verdicts{{"masked /proc/kcore", Verdict::kDiffers}}));
  MountAt("/proc/kcore").root = "/null";
  EXPECT_EQ(Others(), Verdicts());
}

TEST_F(CompareTest, KnowsAMountOfAHooksAndMissesIt) {
  planned_.plan.add_hook_mounts("/mnt");
  EXPECT_EQ(Others(), (Verdicts{{"mount /mnt", Verdict::kDiffers}}));
  Mount("/mnt", "tmpfs", "rw");
  EXPECT_FALSE(Others().contains("mount /mnt"));
}

TEST_F(CompareTest, TellsAMountThatNobodyPlannedUnlessTheContainerMayMount) {
  Mount("/etc", "tmpfs", "rw");
  EXPECT_EQ(Others(), (Verdicts{{"mount /etc", Verdict::kDiffers}}));
  planned_.plan.mutable_launch()->mutable_credentials()->set_bounding(kChown | kKill |
                                                                      uint64_t{1} << CAP_SYS_ADMIN);
  EXPECT_FALSE(Others().contains("mount /etc"));
}

TEST_F(CompareTest, TellsALimitThatWasRaisedOrIsNotThere) {
  planned_.limits = {{.file = "/c/memory.max", .value = "1000000"},
                     {.file = "/c/pids.max", .value = "10"}};
  actual_.files = {{"/c/memory.max", "max"}};
  EXPECT_EQ(Others(), (Verdicts{{"limit memory.max", Verdict::kDiffers},
                                {"limit pids.max", Verdict::kDiffers}}));
}

TEST(RequestFor, AsksForEachPathAndLimitOfThePlan) {
  PlannedIsolation planned;
  planned.plan.mutable_root()->add_mounts()->set_destination("data//volume/");
  planned.plan.mutable_launch()->mutable_late_mounts()->add_masked_paths("/proc/keys");
  planned.limits = {{.file = "/c/pids.max", .value = "10"}};
  const ReportRequest request = RequestFor(planned);
  EXPECT_THAT(request.paths, testing::IsSupersetOf({"/", "/data/volume", "/proc/keys"}));
  EXPECT_THAT(request.files, testing::ElementsAre("/c/pids.max"));
}

}  // namespace
}  // namespace bulkhead::isolation
