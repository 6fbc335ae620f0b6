#include "runtime/isolation/pod_namespaces.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/isolation/cgroup_join.h"
#include "runtime/isolation/oom_score.h"
#include "runtime/isolation/pid1.h"
#include "runtime/isolation/pod_layout.h"
#include "runtime/isolation/selinux.h"
#include "runtime/isolation/sysctls.h"
#include "runtime/kernel/file.h"
#include "runtime/kernel/mount.h"
#include "runtime/kernel/status.h"

namespace bulkhead::isolation {
namespace {

absl::Status JoinSupervisorCgroup(const plan::PodPlan& plan, std::span<const UniqueFd> fds) {
  absl::StatusOr<CgroupFds> cgroup = PlannedCgroup(plan.supervisor_cgroup(), fds);
  if (!cgroup.ok()) return cgroup.status();
  return JoinCgroups(*cgroup);
}

// Those that the pod's user namespace owns were made with it.
absl::Status EnterOwned(const plan::UserNamespacePlan& plan, std::span<const UniqueFd> fds,
                        PodNamespaces& pod) {
  const std::pair<const plan::Fd*, int> kOwned[] = {{&plan.ipc(), CLONE_NEWIPC},
                                                    {&plan.uts(), CLONE_NEWUTS}};
  for (const auto& [fd, type] : kOwned) {
    absl::StatusOr<int> space = PlannedFd(true, *fd, fds);
    if (!space.ok()) return space.status();
    if (setns(*space, type) != 0) return ErrnoStatus(errno, "enter the pod's namespaces");
  }
  absl::StatusOr<int> user = PlannedFd(true, plan.user(), fds);
  if (!user.ok()) return user.status();
  pod.user_namespace.reset(fcntl(*user, F_DUPFD_CLOEXEC, 3));
  if (!pod.user_namespace.valid()) return ErrnoStatus(errno, "dup the user namespace");
  pod.uids = ToIdMap(plan.uids());
  pod.gids = ToIdMap(plan.gids());
  if (absl::Status status = ValidateIdMap(pod.uids); !status.ok()) return status;
  if (absl::Status status = ValidateIdMap(pod.gids); !status.ok()) return status;
  return SuperuserOf(pod).status();
}

absl::Status UnshareNamespaces(const plan::PodPlan& plan, std::span<const UniqueFd> fds,
                               PodNamespaces& pod) {
  int flags = CLONE_NEWNS;
  if (plan.has_user_namespace()) {
    absl::Status status = EnterOwned(plan.user_namespace(), fds, pod);
    if (!status.ok()) return Annotate(status, "user namespace");
  } else {
    if (plan.own_ipc_namespace()) flags |= CLONE_NEWIPC;
    if (plan.own_uts_namespace()) flags |= CLONE_NEWUTS;
  }
  if (unshare(flags) != 0) return ErrnoStatus(errno, "unshare the pod's namespaces");
  // Before anything is mounted: on most hosts "/" is shared, and our mounts would appear there.
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    return ErrnoStatus(errno, "make the copied mounts private");
  }
  return absl::OkStatus();
}

absl::Status PivotIntoPodRoot() {
  constexpr uint64_t kAttributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
  absl::StatusOr<UniqueFd> root =
      NewFilesystem("tmpfs", {{"size", "64k"}, {"mode", "0700"}}, kAttributes);
  if (!root.ok()) return root.status();
  for (const char* directory : kPodDirectories) {
    if (mkdirat(root->get(), directory + 1, 0700) != 0) {
      return ErrnoStatus(errno, absl::StrCat("mkdir ", directory));
    }
  }
  absl::Status status = ChangeMount(root->get(), {.set = MOUNT_ATTR_RDONLY}, TreeDepth::kOneMount);
  if (!status.ok()) return status;
  const UniqueFd host_root(open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!host_root.valid()) return ErrnoStatus(errno, "open /");
  if (status = AttachMount(root->get(), host_root.get()); !status.ok()) return status;
  return PivotInto(root->get());
}

absl::Status EnterNetwork(const plan::PodPlan& plan, std::span<const UniqueFd> fds) {
  absl::StatusOr<int> network =
      PlannedFd(plan.has_network_namespace(), plan.network_namespace(), fds);
  if (!network.ok()) return network.status();
  if (*network >= 0 && setns(*network, CLONE_NEWNET) != 0) {
    return ErrnoStatus(errno, "enter the pod's network namespace");
  }
  return absl::OkStatus();
}

absl::Status SetNames(const plan::PodPlan& plan, int procfs) {
  if (plan.own_uts_namespace() && !plan.hostname().empty() &&
      sethostname(plan.hostname().data(), plan.hostname().size()) != 0) {
    return ErrnoStatus(errno, absl::StrCat("set the hostname ", plan.hostname()));
  }
  for (const plan::Sysctl& sysctl : plan.sysctls()) {
    if (absl::Status status = WriteSysctl(procfs, sysctl); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::StatusOr<UniqueFd> SharedMemory(const plan::PodPlan& plan, std::span<const UniqueFd> fds,
                                      const PodNamespaces& pod) {
  if (plan.has_host_shm()) {
    absl::StatusOr<int> host = PlannedFd(true, plan.host_shm(), fds);
    if (!host.ok()) return host.status();
    UniqueFd copy(fcntl(*host, F_DUPFD_CLOEXEC, 3));
    if (!copy.valid()) return ErrnoStatus(errno, "dup the host's /dev/shm");
    return copy;
  }
  absl::StatusOr<PodSuperuser> owner = SuperuserOf(pod);
  if (!owner.ok()) return owner.status();
  const FilesystemOptions options = {{"mode", "1777"},
                                     {"size", absl::StrCat(plan.shm_size())},
                                     {"uid", absl::StrCat(owner->uid)},
                                     {"gid", absl::StrCat(owner->gid)}};
  return NewFilesystem("tmpfs", Labelled(options, plan.mount_label()),
                       MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
}

absl::Status AttachSharedMemory(const plan::PodPlan& plan, std::span<const UniqueFd> fds,
                                const PodNamespaces& pod) {
  if (!plan.has_host_shm() && plan.shm_size() == 0) return absl::OkStatus();
  absl::StatusOr<UniqueFd> shm = SharedMemory(plan, fds, pod);
  if (!shm.ok()) return shm.status();
  const UniqueFd place(open(kPodShm, O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!place.valid()) return ErrnoStatus(errno, absl::StrCat("open ", kPodShm));
  // Nothing that a container mounts in it may reach the host.
  absl::Status status = ChangeMount(shm->get(), {.propagation = MS_PRIVATE}, TreeDepth::kRecursive);
  if (!status.ok()) return status;
  return AttachMount(shm->get(), place.get());
}

// A node of the pod's own, in a file system that nothing else is in: it is the standard input of
// most containers, who can change its mode, owner and attributes through that descriptor.
absl::StatusOr<UniqueFd> MakeNullDevice(const std::string& label) {
  absl::StatusOr<UniqueFd> tmpfs =
      NewFilesystem("tmpfs", Labelled({{"size", "4k"}, {"mode", "0700"}}, label),
                    MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
  if (!tmpfs.ok()) return tmpfs;
  // The path that /proc/PID/fd shows.
  constexpr char kNull[] = "dev/null";
  if (mkdirat(tmpfs->get(), "dev", 0700) != 0) return ErrnoStatus(errno, "mkdir");
  if (mknodat(tmpfs->get(), kNull, S_IFCHR | 0666, makedev(1, 3)) != 0) {
    return ErrnoStatus(errno, "mknod");
  }
  UniqueFd null_device(openat(tmpfs->get(), kNull, O_RDWR | O_CLOEXEC | O_NOCTTY));
  if (!null_device.valid()) return ErrnoStatus(errno, "open");
  // Whatever the umask: a user of the container may open it anew.
  if (fchmod(null_device.get(), 0666) != 0) return ErrnoStatus(errno, "chmod");
  return null_device;
}

// All mounts of an IPC namespace's message queues are one file system, which exists before the
// first of them: too late for an option, so its directory gets the label.
absl::Status LabelMessageQueues(const plan::PodPlan& plan) {
  const std::string& label = plan.mount_label();
  if (label.empty() || !plan.own_ipc_namespace()) return absl::OkStatus();
  absl::StatusOr<UniqueFd> mqueue = NewFilesystem("mqueue", {}, 0);
  if (!mqueue.ok()) return mqueue.status();
  const UniqueFd root(openat(mqueue->get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root.valid()) return ErrnoStatus(errno, "open the message queues");
  if (fsetxattr(root.get(), kSelinuxAttribute, label.c_str(), label.size() + 1, 0) != 0) {
    return ErrnoStatus(errno, absl::StrCat("label the message queues ", label));
  }
  return absl::OkStatus();
}

absl::Status AddPid1(const plan::PodPlan& plan, std::span<const UniqueFd> fds, PodNamespaces& pod) {
  if (!plan.shared_pid_namespace()) return absl::OkStatus();
  absl::StatusOr<CgroupFds> cgroup = PlannedCgroup(plan.pid1_cgroup(), fds);
  if (!cgroup.ok()) return cgroup.status();
  absl::StatusOr<CloneResult> pid1 =
      StartPid1({.cgroup = *cgroup,
                 .user_namespace = pod.user_namespace.get(),
                 .labels = {.process = plan.process_label(), .mount = plan.mount_label()},
                 .procfs = pod.procfs.get()});
  if (!pid1.ok()) return pid1.status();
  pod.pid1 = std::move(pid1->pidfd);
  pod.pid1_pid = pid1->pid;
  return absl::OkStatus();
}

absl::Status EnterPod(const plan::PodPlan& plan, std::span<const UniqueFd> fds,
                      PodNamespaces& pod) {
  if (absl::Status status = UnshareNamespaces(plan, fds, pod); !status.ok()) return status;
  if (absl::Status status = PivotIntoPodRoot(); !status.ok()) return status;
  absl::StatusOr<UniqueFd> procfs = OpenOwnProcfs();
  if (!procfs.ok()) return procfs.status();
  pod.procfs = *std::move(procfs);
  pod.mount_namespace.reset(openat(pod.procfs.get(), "self/ns/mnt", O_RDONLY | O_CLOEXEC));
  if (!pod.mount_namespace.valid()) return ErrnoStatus(errno, "open the pod's mount namespace");
  if (absl::Status status = EnterNetwork(plan, fds); !status.ok()) return status;
  if (absl::Status status = SetNames(plan, pod.procfs.get()); !status.ok()) return status;
  if (absl::Status status = LabelMessageQueues(plan); !status.ok()) return status;
  return AttachSharedMemory(plan, fds, pod);
}

}  // namespace

std::vector<IdRange> ToIdMap(const google::protobuf::RepeatedPtrField<plan::IdRange>& ranges) {
  std::vector<IdRange> map;
  for (const plan::IdRange& range : ranges) {
    map.push_back({range.container(), range.host(), range.size()});
  }
  return map;
}

void SetIdMap(const std::vector<IdRange>& map,
              google::protobuf::RepeatedPtrField<plan::IdRange>& ranges) {
  for (const IdRange& from : map) {
    plan::IdRange* range = ranges.Add();
    range->set_container(from.container);
    range->set_host(from.host);
    range->set_size(from.size);
  }
}

absl::StatusOr<PodSuperuser> SuperuserOf(const PodNamespaces& pod) {
  absl::StatusOr<uint32_t> uid = HostId(pod.uids, 0);
  if (!uid.ok()) return uid.status();
  absl::StatusOr<uint32_t> gid = HostId(pod.gids, 0);
  if (!gid.ok()) return gid.status();
  return PodSuperuser{*uid, *gid};
}

absl::StatusOr<PodNamespaces> SetUpPod(const plan::PodPlan& plan, std::span<const UniqueFd> fds) {
  PodNamespaces pod;
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return ErrnoStatus(errno, "PR_SET_DUMPABLE");
  if (absl::Status status = JoinSupervisorCgroup(plan, fds); !status.ok()) return status;
  absl::StatusOr<UniqueFd> null_device = MakeNullDevice(plan.mount_label());
  if (!null_device.ok()) return Annotate(null_device.status(), "make the pod's null device");
  pod.null_device = *std::move(null_device);
  if (absl::Status status = EnterPod(plan, fds, pod); !status.ok()) return status;
  absl::StatusOr<OomScoreSlice> score = OomScoreOutside(plan.oom_score_adj(), pod.procfs.get());
  if (!score.ok()) return score.status();
  if (Outcome outcome = SetOomScoreInside(*score); !outcome.ok()) {
    return ErrnoStatus(outcome.error, absl::StrCat("set oom_score_adj to ", score->score));
  }
  // Last: it is a child, and an earlier error would leave it behind.
  if (absl::Status status = AddPid1(plan, fds, pod); !status.ok()) return status;
  return pod;
}

}  // namespace bulkhead::isolation
