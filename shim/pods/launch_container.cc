// A container's way through its plans: volumes, root, user, launch.
#include <glog/logging.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "runtime/isolation/apparmor.h"
#include "runtime/isolation/plan_root.h"
#include "runtime/kernel/status.h"
#include "runtime/supervisor/protocol.h"
#include "shim/log/event.h"
#include "shim/pods/container_hooks.h"
#include "shim/pods/plan_file.h"
#include "shim/pods/seccomp_file.h"
#include "shim/pods/supervisor_connection.h"

namespace bulkhead::pods {
namespace {

constexpr std::chrono::milliseconds kCallTimeout{60000};

struct Volumes {
  std::vector<spec::Mount> mounts;
  std::vector<isolation::OpenedVolume> opened;
  std::vector<isolation::VolumeFacts> facts;
  isolation::SharedVolumes shared;
};

isolation::PodFiles FilesOf(const ContainerLaunch& launch) {
  return {.hosts = launch.pod_directory + "/hosts",
          .resolv_conf = launch.pod_directory + "/resolv.conf",
          .hostname = launch.pod_directory + "/hostname"};
}

// An image volume has nothing to open: its layers go along with the plan as the root's do.
absl::StatusOr<isolation::OpenedVolume> OpenOne(const spec::Mount& mount,
                                                const ContainerLaunch& launch,
                                                const isolation::VolumeLabel& label) {
  if (mount.image.empty()) return isolation::OpenVolume(mount, label);
  const auto layers = launch.volume_layers.find(mount.image);
  if (layers == launch.volume_layers.end()) {
    return absl::InternalError(absl::StrCat("no layers were leased of image ", mount.image));
  }
  return isolation::OpenedVolume{.facts = {.layers = layers->second}};
}

absl::StatusOr<Volumes> OpenVolumes(std::vector<spec::Mount> mounts, const ContainerLaunch& launch,
                                    const std::vector<std::string>& own_directories) {
  const isolation::VolumeLabel label{.label = launch.container.selinux.mount,
                                     .spared = own_directories,
                                     .stopped = launch.stopped};
  Volumes volumes{.mounts = std::move(mounts)};
  for (const spec::Mount& mount : volumes.mounts) {
    absl::StatusOr<isolation::OpenedVolume> volume = OpenOne(mount, launch, label);
    if (!volume.ok()) return volume.status();
    volumes.facts.push_back(volume->facts);
    if (volume->peer.valid()) volumes.shared.Add(mount.container_path, std::move(volume->peer));
    volumes.opened.push_back(*std::move(volume));
  }
  return volumes;
}

void LogUnknownCalls(const ContainerRecord& container, const std::vector<std::string>& calls) {
  if (calls.empty()) return;
  LOG(WARNING) << Event(
                      "seccomp profile names calls that libseccomp does not know; its "
                      "default action decides on them")
                      .With("profile", container.spec.security.seccomp.localhost_ref)
                      .With("count", calls.size())
                      .With("calls", absl::StrJoin(calls, ","));
}

}  // namespace

absl::StatusOr<SupervisorConnection::MadeRoot> SupervisorConnection::PrepareRoot(
    const ContainerLaunch& launch) {
  if (!launch.volume_layers.empty() && protocol_ < supervisor::kProtocolImageVolumes) {
    return absl::FailedPreconditionError("the supervisor is of a version without image volumes");
  }
  const absl::Status known = CheckSelinux(launch.container.selinux.mount);
  if (!known.ok()) return known;
  absl::StatusOr<Volumes> volumes =
      OpenVolumes(isolation::ContainerMounts(launch.container.spec, FilesOf(launch)), launch,
                  context_.own_directories);
  if (!volumes.ok()) return volumes.status();
  auto devices = isolation::FindDevices(launch.container.spec);
  if (!devices.ok()) return devices.status();
  std::set<std::string> allowed;
  if (!launch.container.spec.security.privileged) {
    allowed = context_.cgroups->PlanDevices(isolation::PlanDeviceRules(*devices));
  }
  absl::StatusOr<isolation::PlannedRoot> planned =
      isolation::PlanRoot({.container_id = launch.container.id,
                           .spec = launch.container.spec,
                           .pod = launch.pod.spec,
                           .image = launch.container.image_config,
                           .host = context_.facts,
                           .layers = launch.layers,
                           .writable = launch.writable,
                           .mounts = std::move(volumes->mounts),
                           .volumes = std::move(volumes->facts),
                           .devices = *std::move(devices),
                           .mount_label = launch.container.selinux.mount});
  if (!planned.ok()) return planned.status();
  auto fds = isolation::OpenDescriptors(planned->descriptors, std::move(volumes->opened), {});
  if (!fds.ok()) return fds.status();
  supervisor::Request request;
  *request.mutable_prepare_root()->mutable_plan() = planned->plan;
  auto response = client_->Call(std::move(request), *std::move(fds), kCallTimeout);
  if (!response.ok()) return response.status();
  if (response->fds.size() != 1) {
    return absl::InternalError("the supervisor sent no root for the container");
  }
  return MadeRoot{.plan = std::move(planned->plan),
                  .shared = std::move(volumes->shared),
                  .devices = std::move(allowed),
                  .directory = std::move(response->fds[0])};
}

absl::StatusOr<LaunchedContainer> SupervisorConnection::CreateContainer(
    const ContainerLaunch& launch) {
  const ContainerRecord& container = launch.container;
  const auto apparmor = isolation::PlanAppArmor(container.spec.security, context_.facts);
  if (!apparmor.ok()) return apparmor.status();
  const absl::Status loaded = context_.apparmor->Require(*apparmor);
  if (!loaded.ok()) return loaded;
  absl::StatusOr<MadeRoot> root = PrepareRoot(launch);
  if (!root.ok()) return Annotate(root.status(), "prepare the root file system");
  const absl::StatusOr<isolation::ResolvedUser> user = isolation::ResolveUser(
      root->directory.get(),
      isolation::MakeUserRequest(container.spec.security, container.image_config));
  if (!user.ok()) return Annotate(user.status(), "resolve the user");

  absl::StatusOr<std::string> profile = isolation::ReadLocalhostProfile(container.spec.security);
  if (!profile.ok()) return profile.status();
  absl::StatusOr<Volumes> late =
      OpenVolumes(isolation::LateMounts(container.spec), launch, context_.own_directories);
  if (!late.ok()) return late.status();
  isolation::LaunchPlanInput input = context_.LaunchInput(launch.pod, container);
  input.user = *user;
  input.seccomp_profile = *std::move(profile);
  input.cgroup = context_.cgroups->JoinPaths(container.cgroup);
  input.log_path = container.log_path;
  input.exit_record = launch.exit_record;
  input.late_mounts = std::move(late->mounts);
  input.late_volumes = std::move(late->facts);
  isolation::SharedVolumes shared = std::move(root->shared);
  shared.Append(std::move(late->shared));
  input.shared_volumes = shared.destinations;
  input.oom_events = context_.cgroups->OomEventsPath(container.cgroup);
  input.pod_oom_events = context_.cgroups->PodOomEventsPath(container.cgroup);
  if (launch.target_pid != 0) {
    input.target_pid_namespace = absl::StrCat("/proc/", launch.target_pid, "/ns/pid");
  }
  absl::StatusOr<isolation::PlannedLaunch> planned = isolation::PlanLaunch(input);
  if (!planned.ok()) return planned.status();
  const absl::Status known = CheckKnown(planned->plan.lsm(), planned->plan.seccomp());
  if (!known.ok()) return known;
  LogUnknownCalls(container, planned->unknown_calls);
  absl::Status kept = WriteSeccompFile(launch.seccomp_file, planned->plan.seccomp());
  if (!kept.ok()) return Annotate(kept, "keep the system-call filter");
  kept = WritePlanFile(launch.plan_file, root->plan, planned->plan, root->devices);
  if (!kept.ok()) return Annotate(kept, "keep the plan");
  auto fds = isolation::OpenDescriptors(planned->descriptors, std::move(late->opened),
                                        std::move(shared.peers));
  if (!fds.ok()) return fds.status();
  if (launch.target_pid != 0) {
    // Only a process that the supervisor has not reaped still had its number when that was used.
    const absl::Status alive =
        SignalContainer(container.spec.security.namespaces.target_id, 0, kCallTimeout);
    if (!alive.ok()) return Annotate(alive, "namespace_options.target_id");
  }
  if (!container.spec.hooks.empty()) {
    // By RunHooks, as hooks write to it.
    planned->plan.mutable_late_mounts()->set_read_only_root(false);
  }
  supervisor::Request request;
  *request.mutable_create_container()->mutable_plan() = std::move(planned->plan);
  const auto response = client_->Call(std::move(request), *std::move(fds), kCallTimeout);
  if (!response.ok()) return Annotate(response.status(), "create container");
  const int32_t pid = response->reply.create_container().pid();
  if (absl::Status hooked = RunHooks(launch, pid); !hooked.ok()) {
    return Annotate(hooked, "hooks of CDI devices");
  }
  return LaunchedContainer{.pid = pid, .user = *user, .apparmor_profile = *apparmor};
}

absl::Status SupervisorConnection::RunHooks(const ContainerLaunch& launch, int32_t pid) {
  if (launch.container.spec.hooks.empty()) return absl::OkStatus();
  const UniqueFd process(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (!process.valid()) return ErrnoStatus(errno, "open the container's process");
  // Only a process that the supervisor has not reaped still had its number when that was used.
  absl::Status status = SignalContainer(launch.container.id, 0, kCallTimeout);
  if (!status.ok()) return status;
  const auto mounts = pods::RunHooks({.container = launch.container,
                                      .bundle = launch.pod_directory,
                                      .process = process.get(),
                                      .pid = pid,
                                      .cancel_fd = launch.cancel_fd});
  return mounts.ok() ? AddHookMounts(launch.plan_file, *mounts) : mounts.status();
}

}  // namespace bulkhead::pods
