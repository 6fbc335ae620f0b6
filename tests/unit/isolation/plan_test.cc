#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>

#include "runtime/isolation/plan_launch.h"
#include "runtime/isolation/plan_pod.h"
#include "runtime/isolation/plan_root.h"
#include "runtime/isolation/process_plan.h"

namespace bulkhead::isolation {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Kind = DescriptorRequest::Kind;

std::vector<std::string> Destinations(
    const google::protobuf::RepeatedPtrField<plan::Mount>& mounts) {
  std::vector<std::string> destinations;
  for (const plan::Mount& mount : mounts) destinations.push_back(mount.destination());
  return destinations;
}

class PlansTest : public testing::Test {
 protected:
  PlansTest() {
    host_.bounding_set = 0x1ffffffffff;
    host_.open_files_hard = 4096;
    host_.dev_shm = true;
    host_.cgroup.v2 = CgroupHierarchy{"/sys/fs/cgroup", {"cpu", "memory"}, "/"};
    spec_.command = {"/bin/app"};
  }

  absl::StatusOr<PlannedPod> Pod() {
    const bool own = pod_.security.namespaces.network != spec::NamespaceMode::kNode;
    return PlanPod({.spec = pod_,
                    .host = host_,
                    .network_namespace = own ? "/run/netns/x" : "",
                    .pid1_cgroup = {.v2_directory = "/cg/pod"},
                    .supervisor_cgroup = {.v1_tasks = {"/cg1/tasks"}, .v2_directory = "/cg/sup"},
                    .selinux = {.mount = labels_.mount, .process = labels_.process}});
  }

  absl::StatusOr<PlannedRoot> Root() {
    RootInput input{.container_id = "id",
                    .spec = spec_,
                    .pod = pod_,
                    .image = image_,
                    .host = host_,
                    .layers = {"/layers/top", "/layers/base"},
                    .writable = "/containers/id",
                    .mounts = ContainerMounts(spec_, files_),
                    .mount_label = labels_.mount};
    input.volumes.resize(input.mounts.size());
    return PlanRoot(input);
  }

  LaunchPlanInput LaunchInput() {
    LaunchPlanInput input{.container_id = "id",
                          .spec = spec_,
                          .pod = pod_,
                          .image = image_,
                          .host = host_,
                          .seccomp = seccomp_,
                          .selinux = labels_,
                          .user = {.uid = 5, .gid = 6, .groups = {6, 7}, .home = "/home/five"},
                          .cgroup = {.v2_directory = "/cg/id"},
                          .log_path = "/log/0.log",
                          .exit_record = "/state/exit.id"};
    input.late_mounts = LateMounts(spec_);
    input.late_volumes.resize(input.late_mounts.size());
    return input;
  }
  absl::StatusOr<PlannedLaunch> Launch() { return PlanLaunch(LaunchInput()); }

  static std::string MessageOf(const absl::Status& status) {
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    return std::string(status.message());
  }

  HostFacts host_;
  SeccompCompiler seccomp_;
  spec::PodSpec pod_;
  spec::ContainerSpec spec_;
  spec::ImageConfig image_;
  PodFiles files_;
  SelinuxLabels labels_;
};

TEST_F(PlansTest, APodHasItsOwnNamespacesByDefaultAndDescriptorsInOrder) {
  pod_.hostname = "name";
  absl::StatusOr<PlannedPod> planned = Pod();
  ASSERT_TRUE(planned.ok()) << planned.status();
  EXPECT_TRUE(planned->plan.own_ipc_namespace());
  EXPECT_TRUE(planned->plan.own_uts_namespace());
  EXPECT_TRUE(planned->plan.shared_pid_namespace());
  EXPECT_EQ(planned->plan.hostname(), "name");
  EXPECT_EQ(planned->plan.shm_size(), 64u << 20);
  EXPECT_THAT(planned->descriptors.requests(),
              ElementsAre(DescriptorRequest{Kind::kReadOnly, "/run/netns/x"},
                          DescriptorRequest{Kind::kWriteOnly, "/cg1/tasks"},
                          DescriptorRequest{Kind::kReadOnly, "/cg/sup"},
                          DescriptorRequest{Kind::kReadOnly, "/cg/pod"}));
  EXPECT_EQ(planned->plan.supervisor_cgroup().v2_directory().index(), 2u);
  EXPECT_EQ(planned->plan.pid1_cgroup().v2_directory().index(), 3u);
}

TEST_F(PlansTest, APodOfTheHostsNamespacesTakesNothingOfItsOwn) {
  pod_.security.namespaces = {.network = spec::NamespaceMode::kNode,
                              .pid = spec::NamespaceMode::kNode,
                              .ipc = spec::NamespaceMode::kNode};
  pod_.hostname = "ignored";
  absl::StatusOr<PlannedPod> planned = Pod();
  ASSERT_TRUE(planned.ok()) << planned.status();
  EXPECT_FALSE(planned->plan.own_ipc_namespace());
  EXPECT_FALSE(planned->plan.own_uts_namespace());
  EXPECT_FALSE(planned->plan.shared_pid_namespace());
  EXPECT_FALSE(planned->plan.has_network_namespace());
  EXPECT_EQ(planned->plan.hostname(), "");
  EXPECT_TRUE(planned->plan.has_host_shm());
  pod_.sysctls = {{"net.ipv4.ip_forward", "1"}};
  EXPECT_THAT(MessageOf(Pod().status()), HasSubstr("net.ipv4.ip_forward"));
}

const spec::UserNamespace kMapped{
    .mode = spec::NamespaceMode::kPod, .uids = {{0, 100000, 65536}}, .gids = {{0, 200000, 65536}}};

TEST_F(PlansTest, APodsUserNamespaceComesWithItsMapsAndWhatItOwns) {
  pod_.security.namespaces.user = kMapped;
  absl::StatusOr<PlannedPod> planned = Pod();
  ASSERT_TRUE(planned.ok()) << planned.status();
  const plan::UserNamespacePlan& user = planned->plan.user_namespace();
  const std::vector<DescriptorRequest>& requests = planned->descriptors.requests();
  EXPECT_EQ(requests[user.user().index()], (DescriptorRequest{Kind::kGiven, "", 0}));
  EXPECT_EQ(requests[user.ipc().index()], (DescriptorRequest{Kind::kGiven, "", 1}));
  EXPECT_EQ(requests[user.uts().index()], (DescriptorRequest{Kind::kGiven, "", 2}));
  EXPECT_EQ(user.uids(0).host(), 100000u);
  EXPECT_EQ(user.gids(0).host(), 200000u);
}

TEST_F(PlansTest, AUserNamespaceExcludesTheHostsOtherNamespaces) {
  pod_.security.namespaces.user = kMapped;
  using Mode = spec::NamespaceMode;
  for (Mode spec::NamespaceOptions::*mode :
       {&spec::NamespaceOptions::network, &spec::NamespaceOptions::pid,
        &spec::NamespaceOptions::ipc}) {
    pod_.security.namespaces.*mode = Mode::kNode;
    EXPECT_THAT(MessageOf(Pod().status()), HasSubstr("NODE excludes userns_options.mode POD"));
    pod_.security.namespaces.*mode = Mode::kPod;
  }
  EXPECT_TRUE(Pod().ok());
  spec_.security.namespaces.pid = Mode::kNode;
  EXPECT_THAT(MessageOf(Launch().status()), HasSubstr("pid: NODE in a sandbox"));
}

TEST_F(PlansTest, AContainerHasItsPodsUserNamespaceOrSaysNothingOfIt) {
  spec_.security.namespaces.user = kMapped;
  EXPECT_THAT(MessageOf(Launch().status()), HasSubstr("userns_options: differs"));
  pod_.security.namespaces.user = kMapped;
  EXPECT_TRUE(Launch().ok()) << Launch().status();
  spec_.security.namespaces.user = spec::UserNamespace();
  EXPECT_THAT(MessageOf(Launch().status()), HasSubstr("userns_options: differs"));
  spec_.security.namespaces.user.reset();
  EXPECT_TRUE(Launch().ok());
}

TEST_F(PlansTest, IdsWithoutAMappingAreRefusedByField) {
  pod_.security.namespaces.user = kMapped;
  LaunchPlanInput input = LaunchInput();
  input.user.uid = 65536;
  EXPECT_THAT(MessageOf(PlanLaunch(input).status()), HasSubstr("run_as_user: 65536 is not mapped"));
  input.user = {.uid = 1, .gid = 70000};
  EXPECT_THAT(MessageOf(PlanLaunch(input).status()), HasSubstr("run_as_group: 70000"));
  input.user = {.uid = 1, .gid = 2, .groups = {2, 80000}};
  EXPECT_THAT(MessageOf(PlanLaunch(input).status()), HasSubstr("supplemental_groups: 80000"));
}

TEST_F(PlansTest, AMountIsMappedAsItsPodIsOrNotAtAll) {
  spec_.mounts = {{.container_path = "/a", .host_path = "/1"},
                  {.container_path = "/b",
                   .host_path = "/2",
                   .uid_map = kMapped.uids,
                   .gid_map = kMapped.gids}};
  EXPECT_THAT(MessageOf(Root().status()),
              HasSubstr("mounts[1].uidMappings at \"/b\": the sandbox has no user namespace"));
  pod_.security.namespaces.user = kMapped;
  absl::StatusOr<PlannedRoot> planned = Root();
  ASSERT_TRUE(planned.ok()) << planned.status();
  for (const plan::Mount& mount : planned->plan.mounts()) {
    EXPECT_EQ(mount.bind().id_mapped(), mount.destination() == "/b") << mount.destination();
  }
  spec_.mounts[1].gid_map = kMapped.uids;
  EXPECT_THAT(MessageOf(Root().status()), HasSubstr("differ from the sandbox's user namespace"));
  spec_.mounts.pop_back();
  spec_.mounts[0].propagation = spec::MountPropagation::kBidirectional;
  EXPECT_THAT(MessageOf(Root().status()), HasSubstr("BIDIRECTIONAL in a sandbox with a user"));
}

TEST_F(PlansTest, TerminalsAreOfTheMappedGroup) {
  const auto group = [this] {
    const absl::StatusOr<PlannedRoot> root = Root();
    for (const plan::Mount& mount : root->plan.mounts()) {
      if (mount.destination() != "/dev/pts") continue;
      for (const plan::FilesystemOption& option : mount.filesystem().options()) {
        if (option.key() == "gid") return option.value();
      }
    }
    return std::string();
  };
  EXPECT_EQ(group(), "5");
  pod_.security.namespaces.user = kMapped;
  EXPECT_EQ(group(), "200005");
  pod_.security.namespaces.user->gids = {{0, 200000, 3}};
  EXPECT_EQ(group(), "200000");
}

TEST_F(PlansTest, AHostnameThatTheKernelRefusesIsRefusedBefore) {
  pod_.hostname = std::string(65, 'x');
  EXPECT_THAT(MessageOf(Pod().status()), HasSubstr("hostname"));
}

TEST_F(PlansTest, ARootHasDefaultsFirstAndVolumesFromOutsideIn) {
  files_ = {.hosts = "/p/hosts", .resolv_conf = "/p/resolv", .hostname = "/p/hostname"};
  spec_.mounts = {{.container_path = "/a/b/c", .host_path = "/1"},
                  {.container_path = "/a", .host_path = "/2", .readonly = true},
                  {.container_path = "/etc/hosts", .host_path = "/3"}};
  absl::StatusOr<PlannedRoot> planned = Root();
  ASSERT_TRUE(planned.ok()) << planned.status();
  EXPECT_THAT(Destinations(planned->plan.mounts()),
              ElementsAre("/dev", "/dev/pts", "/dev/mqueue", "/sys", "/dev/shm", "/a", "/etc/hosts",
                          "/etc/resolv.conf", "/etc/hostname", "/a/b/c"));
  EXPECT_EQ(planned->plan.mounts(5).attributes(), uint64_t{MOUNT_ATTR_RDONLY});
  EXPECT_EQ(planned->plan.mounts(6).attributes(), 0u);
  EXPECT_EQ(planned->plan.layers_size(), 2);
  EXPECT_EQ(planned->descriptors.requests()[0], (DescriptorRequest{Kind::kTree, "/layers/top"}));
  EXPECT_EQ(planned->plan.working_directory(), "/");
}

TEST_F(PlansTest, SysIsWritableForPrivilegedContainersOnly) {
  EXPECT_NE(Root()->plan.mounts(3).attributes() & MOUNT_ATTR_RDONLY, 0u);
  spec_.security.privileged = true;
  EXPECT_EQ(Root()->plan.mounts(3).attributes() & MOUNT_ATTR_RDONLY, 0u);
}

TEST_F(PlansTest, AVolumeTakesTheDefaultsPlace) {
  spec_.mounts = {{.container_path = "/dev/shm/", .host_path = "/s"},
                  {.container_path = "/dev", .host_path = "/dev"}};
  absl::StatusOr<PlannedRoot> planned = Root();
  ASSERT_TRUE(planned.ok()) << planned.status();
  EXPECT_THAT(Destinations(planned->plan.mounts()),
              ElementsAre("/dev/pts", "/dev/mqueue", "/sys", "/dev", "/dev/shm/"));
  // No node is made in the host's /dev.
  EXPECT_EQ(planned->plan.devices_size(), 0);
}

TEST_F(PlansTest, ADestinationThatCannotBeIsNamed) {
  for (const char* path : {"relative", "/", "/proc", "/proc/", "/a/../b", "", "//"}) {
    spec_.mounts = {{.container_path = "/fine", .host_path = "/1"},
                    {.container_path = path, .host_path = "/2"}};
    EXPECT_THAT(MessageOf(Root().status()), HasSubstr("].container_path"));
  }
}

TEST_F(PlansTest, RecursiveReadOnlyNeedsReadOnlyAndPrivate) {
  spec_.mounts = {{.container_path = "/v", .host_path = "/1", .recursive_read_only = true}};
  EXPECT_THAT(MessageOf(Root().status()), HasSubstr("recursive_read_only"));
  spec_.mounts[0].readonly = true;
  EXPECT_TRUE(Root()->plan.mounts(5).recursive_attributes());
  spec_.mounts[0].propagation = spec::MountPropagation::kHostToContainer;
  EXPECT_THAT(MessageOf(Root().status()), HasSubstr("recursive_read_only"));
}

TEST_F(PlansTest, ARelativeWorkingDirectoryIsNamed) {
  image_.working_dir = "app";
  EXPECT_THAT(MessageOf(Root().status()), HasSubstr("the image's working directory"));
  spec_.working_dir = "/app";
  EXPECT_EQ(Root()->plan.working_directory(), "/app");
}

TEST_F(PlansTest, ArgumentsFollowTheCri) {
  const auto args = [](std::vector<std::string> command, std::vector<std::string> rest) {
    spec::ContainerSpec spec;
    spec.command = std::move(command);
    spec.args = std::move(rest);
    spec::ImageConfig image;
    image.entrypoint = {"entry"};
    image.cmd = {"cmd"};
    return ContainerArgs(spec, image);
  };
  EXPECT_THAT(args({}, {}), ElementsAre("entry", "cmd"));
  EXPECT_THAT(args({}, {"a"}), ElementsAre("entry", "a"));
  EXPECT_THAT(args({"c"}, {}), ElementsAre("c"));
  EXPECT_THAT(args({"c"}, {"a"}), ElementsAre("c", "a"));
}

TEST_F(PlansTest, NoCommandAtAllIsAnError) {
  spec_.command.clear();
  EXPECT_THAT(MessageOf(Launch().status()), HasSubstr("command"));
}

TEST_F(PlansTest, TheEnvironmentIsTheImagesThenTheContainers) {
  image_.env = {"PATH=/image", "A=1", "=bad", "none", "B=2"};
  spec_.env = {{"B", "3"}, {"C", "x=y"}};
  pod_.hostname = "host";
  spec_.tty = true;
  absl::StatusOr<PlannedLaunch> planned = Launch();
  ASSERT_TRUE(planned.ok()) << planned.status();
  EXPECT_THAT(planned->plan.process().env(),
              ElementsAre("PATH=/image", "A=1", "B=3", "C=x=y", "HOSTNAME=host", "HOME=/home/five",
                          "TERM=xterm"));
}

TEST_F(PlansTest, ABadVariableIsNamedByItsPlaceAndNotByItsValue) {
  spec_.env = {{"GOOD", "1"}, {"BAD=", "secret"}};
  const std::string message = MessageOf(Launch().status());
  EXPECT_THAT(message, HasSubstr("envs[1]"));
  EXPECT_THAT(message, testing::Not(HasSubstr("secret")));
}

TEST_F(PlansTest, ALaunchCarriesTheResolvedUserAndItsDescriptors) {
  spec_.security.no_new_privs = true;
  absl::StatusOr<PlannedLaunch> planned = Launch();
  ASSERT_TRUE(planned.ok()) << planned.status();
  EXPECT_EQ(planned->plan.credentials().uid(), 5u);
  EXPECT_THAT(planned->plan.credentials().groups(), ElementsAre(6, 7));
  EXPECT_TRUE(planned->plan.credentials().no_new_privileges());
  EXPECT_THAT(planned->descriptors.requests(),
              ElementsAre(DescriptorRequest{Kind::kReadOnly, "/cg/id"},
                          DescriptorRequest{Kind::kAppend, "/log/0.log"},
                          DescriptorRequest{Kind::kReadWrite, "/state/exit.id"}));
  EXPECT_TRUE(planned->plan.namespaces().own_cgroup_namespace());
  EXPECT_TRUE(planned->plan.late_mounts().cgroup_read_only());
}

TEST_F(PlansTest, EmptyListsOfPathsAreNoneAndPrivilegedHasNone) {
  EXPECT_THAT(Launch()->plan.late_mounts().masked_paths(), IsEmpty());
  spec_.security.masked_paths = {"/proc/kcore"};
  spec_.security.readonly_paths = {"/proc/sys"};
  EXPECT_THAT(Launch()->plan.late_mounts().masked_paths(), ElementsAre("/proc/kcore"));
  EXPECT_THAT(Launch()->plan.late_mounts().read_only_paths(), ElementsAre("/proc/sys"));
  spec_.security.privileged = true;
  EXPECT_THAT(Launch()->plan.late_mounts().masked_paths(), IsEmpty());
  EXPECT_THAT(Launch()->plan.late_mounts().read_only_paths(), IsEmpty());
}

TEST_F(PlansTest, ABidirectionalVolumeJoinsItsPeersLater) {
  spec_.mounts = {{.container_path = "/volume",
                   .host_path = "/1",
                   .propagation = spec::MountPropagation::kBidirectional}};
  EXPECT_TRUE(Root()->plan.mounts().rbegin()->bind().peer_later());
  LaunchPlanInput input = LaunchInput();
  input.shared_volumes = {"/volume"};
  const absl::StatusOr<PlannedLaunch> planned = PlanLaunch(input);
  ASSERT_TRUE(planned.ok()) << planned.status();
  ASSERT_EQ(planned->plan.late_mounts().peer_groups_size(), 1);
  const plan::PeerGroup& group = planned->plan.late_mounts().peer_groups(0);
  EXPECT_EQ(group.destination(), "/volume");
  EXPECT_EQ(planned->descriptors.requests()[group.peer().index()].kind, Kind::kGiven);
  spec_.mounts[0].propagation = spec::MountPropagation::kHostToContainer;
  EXPECT_FALSE(Root()->plan.mounts().rbegin()->bind().peer_later());
}

TEST_F(PlansTest, NothingIsMountedLateBelowABidirectionalVolume) {
  spec_.mounts = {{.container_path = "/sys/",
                   .host_path = "/1",
                   .propagation = spec::MountPropagation::kBidirectional}};
  EXPECT_TRUE(Root().ok()) << Root().status();
  spec_.security.masked_paths = {"/sys/firmware"};
  EXPECT_THAT(MessageOf(Root().status()),
              AllOf(HasSubstr("\"/sys/\""), HasSubstr("/sys/firmware")));
  spec_.security.masked_paths = {"/system"};
  EXPECT_TRUE(Root().ok()) << Root().status();
  spec_.mounts.push_back({.container_path = "/sys/fs/cgroup/x", .host_path = "/2"});
  EXPECT_THAT(MessageOf(Root().status()), HasSubstr("/sys/fs/cgroup/x"));
  spec_.mounts = {{.container_path = "/proc/fs/nfsd",
                   .host_path = "/1",
                   .propagation = spec::MountPropagation::kBidirectional}};
  EXPECT_TRUE(Root().ok()) << Root().status();
}

TEST_F(PlansTest, MountsBelowProcAreMadeLate) {
  spec_.mounts = {{.container_path = "/proc/sys/net", .host_path = "/1"},
                  {.container_path = "/sys/fs/cgroup", .host_path = "/2"},
                  {.container_path = "/process", .host_path = "/3"}};
  EXPECT_THAT(Destinations(Root()->plan.mounts()), Contains("/process"));
  EXPECT_THAT(Destinations(Root()->plan.mounts()), testing::Not(Contains("/proc/sys/net")));
  absl::StatusOr<PlannedLaunch> planned = Launch();
  ASSERT_TRUE(planned.ok()) << planned.status();
  EXPECT_THAT(Destinations(planned->plan.late_mounts().mounts()),
              ElementsAre("/proc/sys/net", "/sys/fs/cgroup"));
  EXPECT_THAT(planned->plan.late_mounts().cgroup(), IsEmpty());
  LaunchPlanInput forgotten = LaunchInput();
  forgotten.late_mounts.clear();
  EXPECT_TRUE(absl::IsInvalidArgument(PlanLaunch(forgotten).status()));
}

TEST_F(PlansTest, AHybridHostsHierarchiesAreMountedByTheirOptions) {
  host_.cgroup.layout = CgroupLayout::kHybrid;
  host_.cgroup.v2->mount_point = "/sys/fs/cgroup/unified";
  host_.cgroup.v1 = {{"/sys/fs/cgroup/cpu,cpuacct", {"cpu", "cpuacct"}, "/"},
                     {"/sys/fs/cgroup/systemd", {"name=systemd"}, "/"}};
  const plan::LateMountsPlan late = Launch()->plan.late_mounts();
  ASSERT_EQ(late.cgroup_size(), 3);
  EXPECT_EQ(late.cgroup(0).directory(), "cpu,cpuacct");
  EXPECT_EQ(late.cgroup(0).v1_options(), "cpu,cpuacct");
  EXPECT_EQ(late.cgroup(1).v1_options(), "none,name=systemd");
  EXPECT_EQ(late.cgroup(2).directory(), "unified");
  EXPECT_EQ(late.cgroup(2).v1_options(), "");
}

TEST_F(PlansTest, ACommandHasTheAppArmorProfileThatItsContainerWasLaunchedWith) {
  host_.apparmor = true;
  EXPECT_EQ(Launch()->plan.lsm().apparmor_profile(), "bulkhead-default");
  LaunchPlanInput container = LaunchInput();
  container.kept_lsm.emplace().set_apparmor_profile("earlier");
  EXPECT_EQ(PlanExec({.container = container, .args = {"ls"}})->plan.lsm().apparmor_profile(),
            "earlier");
  container.kept_lsm.emplace();
  EXPECT_EQ(PlanExec({.container = container, .args = {"ls"}})->plan.lsm().apparmor_profile(), "");
}

TEST_F(PlansTest, ALabelThatCannotBeSetFailsAndIsNamed) {
  spec_.security.apparmor = {spec::SecurityProfile::Type::kLocalhost, "mine"};
  EXPECT_TRUE(absl::IsFailedPrecondition(Launch().status()));
  EXPECT_THAT(std::string(Launch().status().message()), HasSubstr("\"mine\""));
}

TEST_F(PlansTest, SelinuxLabelsAreOfTheProcessAndOfTheFileSystemsThatAreTheContainersOwn) {
  const std::string process = "system_u:system_r:container_t:s0:c4,c5";
  labels_ = {process, "system_u:object_r:container_file_t:s0:c4,c5"};
  EXPECT_EQ(Pod()->plan.mount_label(), labels_.mount);
  EXPECT_EQ(Pod()->plan.process_label(), process);
  EXPECT_EQ(Launch()->plan.lsm().selinux_label(), process);
  EXPECT_EQ(Launch()->plan.late_mounts().mount_label(), labels_.mount);
  const plan::RootPlan root = Root()->plan;
  EXPECT_EQ(root.mount_label(), labels_.mount);
  std::vector<std::string> labelled;
  for (const plan::Mount& mount : root.mounts()) {
    for (const plan::FilesystemOption& option : mount.filesystem().options()) {
      if (option.key() != "context") continue;
      EXPECT_EQ(option.value(), labels_.mount);
      labelled.push_back(mount.destination());
    }
  }
  EXPECT_THAT(labelled, ElementsAre("/dev", "/dev/pts"));
}

TEST_F(PlansTest, ACommandHasTheSelinuxLabelThatItsContainerWasLaunchedWith) {
  labels_.process = "system_u:system_r:container_t:s0:c4,c5";
  LaunchPlanInput container = LaunchInput();
  container.kept_lsm.emplace().set_selinux_label("system_u:system_r:earlier_t:s0");
  EXPECT_EQ(PlanExec({.container = container, .args = {"ls"}})->plan.lsm().selinux_label(),
            "system_u:system_r:earlier_t:s0");
}

TEST_F(PlansTest, AnExecHasTheContainersCredentialsAndTheGivenStreams) {
  spec_.security.capabilities.drop = {"ALL"};
  const LaunchPlanInput container = LaunchInput();
  absl::StatusOr<PlannedExec> planned = PlanExec({.container = container,
                                                  .args = {"ls", "-l"},
                                                  .out = true,
                                                  .err = true,
                                                  .cgroup = {.v2_directory = "/cg/id/exec-1"}});
  ASSERT_TRUE(planned.ok()) << planned.status();
  EXPECT_THAT(planned->plan.process().args(), ElementsAre("ls", "-l"));
  EXPECT_EQ(planned->plan.credentials().bounding(), 0u);
  EXPECT_FALSE(planned->plan.has_stdin());
  EXPECT_THAT(
      planned->descriptors.requests(),
      ElementsAre(DescriptorRequest{Kind::kReadOnly, "/cg/id/exec-1"},
                  DescriptorRequest{Kind::kGiven, "", 0}, DescriptorRequest{Kind::kGiven, "", 1}));
  EXPECT_EQ(planned->plan.stdout().index(), 1u);
}

TEST_F(PlansTest, ATargetThatDoesNotRunIsNamed) {
  spec_.security.namespaces.pid = spec::NamespaceMode::kTarget;
  EXPECT_THAT(MessageOf(Launch().status()), HasSubstr("target_id"));
}

}  // namespace
}  // namespace bulkhead::isolation
