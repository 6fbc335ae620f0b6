#include "shim/pods/dry_plan.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "runtime/isolation/devices.h"
#include "runtime/isolation/host_facts.h"
#include "runtime/isolation/seccomp.h"
#include "runtime/isolation/volumes.h"
#include "runtime/kernel/file.h"
#include "runtime/kernel/path.h"
#include "runtime/kernel/status.h"
#include "shim/cdi/devices.h"
#include "shim/pods/cgroups.h"
#include "shim/pods/image_leases.h"
#include "shim/pods/pod.h"
#include "shim/pods/selinux_labels.h"
#include "shim/pods/signals.h"
#include "shim/policy/apply.h"
#include "shim/policy/profile.h"

namespace bulkhead::pods {
namespace {

// In place of ids.
constexpr char kPod[] = "POD";
constexpr char kContainer[] = "CONTAINER";
constexpr uint32_t kIdsOfAPod = 65536;
constexpr char kLevel[] = "s0:c0,c1";
constexpr size_t kPasswdLimit = size_t{16} << 20;  // As ResolveUser reads.

// A file of an image as its layers have it, topmost first; empty where there is none.
absl::StatusOr<std::string> FileOfLayers(const std::vector<std::string>& layers, const char* path) {
  for (const std::string& layer : layers) {
    const UniqueFd root(open(layer.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!root.valid()) return ErrnoStatus(errno, layer);
    const UniqueFd file(OpenInRoot(root.get(), path, O_RDONLY | O_NONBLOCK));
    if (!file.valid()) continue;
    struct stat status {};
    if (fstat(file.get(), &status) != 0) return ErrnoStatus(errno, path);
    // A device in its place says that layers below are not looked at (overlayfs.rst, "whiteouts").
    return S_ISREG(status.st_mode) ? ReadAll(file.get(), kPasswdLimit) : std::string();
  }
  return std::string();
}

class Planner {
 public:
  Planner(const config::Config& config, image::ImageService& images)
      : config_(config),
        images_(&images),
        directory_(absl::StrCat(config.daemon.state_dir, "/pods/", kPod)) {}

  absl::StatusOr<DryPlan> Run(const spec::PodSpec& pod, const spec::ContainerSpec& container) {
    using Step = absl::Status (Planner::*)();
    constexpr Step kSteps[] = {&Planner::FindImage, &Planner::PlanCgroup, &Planner::PlanLabels,
                               &Planner::PlanPod,   &Planner::PlanRoot,   &Planner::ResolveUser,
                               &Planner::PlanLaunch};
    absl::Status status = Apply(pod, container);
    for (const Step step : kSteps) {
      if (status.ok()) status = (this->*step)();
    }
    images_.Release(kContainer);
    if (!status.ok()) return status;
    plan_.resources = spec_.resources;
    plan_.hooks = spec_.hooks;
    return std::move(plan_);
  }

 private:
  absl::Status Apply(const spec::PodSpec& asked, const spec::ContainerSpec& container) {
    absl::StatusOr<isolation::HostFacts> facts = isolation::ProbeHost();
    if (!facts.ok()) return facts.status();
    facts_ = *std::move(facts);
    if (!config_.isolation.selinux) facts_.selinux.reset();
    const auto profile = policy::Profiles(config_).Find(asked.runtime_handler);
    if (!profile.ok()) return profile.status();
    absl::StatusOr<spec::PodSpec> pod = policy::Apply(*profile, asked);
    if (!pod.ok()) return pod.status();
    pod_ = *std::move(pod);
    if (policy::NeedsHostIds(pod_)) {
      const std::vector<spec::IdRange> first = {
          {.container = 0, .host = config_.isolation.first_host_id, .size = kIdsOfAPod}};
      pod_.security.namespaces.user->uids = first;
      pod_.security.namespaces.user->gids = first;
    }
    absl::StatusOr<spec::ContainerSpec> spec =
        cdi::AddDevices(config_.isolation.cdi_spec_dirs, container);
    if (!spec.ok()) return spec.status();
    spec = policy::Apply(*profile, pod_, *std::move(spec));
    if (!spec.ok()) return spec.status();
    spec_ = *std::move(spec);
    if (spec_.security.namespaces.pid != spec::NamespaceMode::kTarget) return absl::OkStatus();
    return absl::UnimplementedError(
        "namespace_options.target_id: what does not run has no containers to join");
  }

  absl::Status FindImage() {
    const auto image = images_.Find(spec_.image);
    if (!image.ok()) return image.status();
    if (!image->has_value()) {
      return absl::NotFoundError(
          absl::StrCat("image.image \"", spec_.image, "\" is not on this node"));
    }
    image_ = **image;
    const auto signal = StopSignal(spec_.stop_signal, image_.stop_signal);
    if (!signal.ok()) return signal.status();
    absl::StatusOr<std::vector<std::string>> layers = images_.Acquire(kContainer, image_.id);
    if (!layers.ok()) return layers.status();
    layers_ = *std::move(layers);
    return absl::OkStatus();
  }

  absl::Status PlanCgroup() {
    const bool slices = config_.cgroup.driver == "systemd";
    absl::StatusOr<std::string> pod =
        PodCgroup(pod_, kPod, {.unnamed = config_.cgroup.default_parent, .are_slices = slices});
    if (!pod.ok()) return pod.status();
    pod_cgroup_ = *std::move(pod);
    plan_.cgroup = CgroupBelow(pod_cgroup_, kContainer);
    cgroups_ = isolation::CgroupManager::ForHost(facts_);
    return absl::OkStatus();
  }

  absl::Status PlanLabels() {
    if (!facts_.selinux.has_value()) return absl::OkStatus();
    const isolation::SelinuxFacts& facts = *facts_.selinux;
    if (absl::Status status = CheckCanLabel(facts); !status.ok()) return status;
    std::string level = pod_.security.selinux.has_value() ? pod_.security.selinux->level : "";
    if (level.empty() && !facts.process.level.empty()) level = kLevel;
    const auto given = LabelPod(pod_.security, facts, level, &isolation::CanonicalSelinuxContext);
    if (!given.ok()) return given.status();
    pod_labels_ = *given;
    auto labels = LabelContainer(spec_.security, pod_.security, facts, pod_labels_,
                                 &isolation::CanonicalSelinuxContext);
    if (!labels.ok()) return labels.status();
    labels_ = *std::move(labels);
    return absl::OkStatus();
  }

  absl::Status PlanPod() {
    isolation::PodInput input{.spec = pod_, .host = facts_, .selinux = pod_labels_};
    if (!OnHostNetwork(pod_)) input.network_namespace = absl::StrCat("/run/netns/bulkhead-", kPod);
    if (SharesPidNamespace(pod_)) {
      input.pid1_cgroup = cgroups_->JoinPaths(CgroupBelow(pod_cgroup_, kPod));
    }
    absl::StatusOr<isolation::PlannedPod> planned = isolation::PlanPod(input);
    if (!planned.ok()) return planned.status();
    plan_.pod = *std::move(planned);
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<isolation::VolumeFacts>> FindVolumes(
      const std::vector<spec::Mount>& mounts) {
    std::vector<isolation::VolumeFacts> all;
    for (const spec::Mount& mount : mounts) {
      absl::StatusOr<isolation::VolumeFacts> facts =
          mount.image.empty() ? isolation::FindVolume(mount) : FindImageVolume(mount.image);
      if (!facts.ok()) return facts.status();
      all.push_back(*std::move(facts));
    }
    return all;
  }

  absl::StatusOr<isolation::VolumeFacts> FindImageVolume(const std::string& name) {
    const auto image = images_.Find(name);
    if (!image.ok()) return image.status();
    if (!image->has_value()) {
      return absl::NotFoundError(absl::StrCat("image.image \"", name, "\" is not on this node"));
    }
    absl::StatusOr<std::vector<std::string>> layers = images_.Acquire(kContainer, (*image)->id);
    if (!layers.ok()) return layers.status();
    return isolation::VolumeFacts{.layers = *std::move(layers)};
  }

  absl::Status PlanRoot() {
    // The pod's files are made with it.
    std::vector<spec::Mount> mounts =
        isolation::ContainerMounts(spec_, {.hosts = directory_ + "/hosts",
                                           .resolv_conf = directory_ + "/resolv.conf",
                                           .hostname = directory_ + "/hostname"});
    std::vector<isolation::VolumeFacts> facts;
    for (const spec::Mount& mount : mounts) {
      const bool ours = absl::StartsWith(mount.host_path, directory_ + "/");
      absl::StatusOr<std::vector<isolation::VolumeFacts>> one =
          ours ? std::vector<isolation::VolumeFacts>{{.directory = false}} : FindVolumes({mount});
      if (!one.ok()) return one.status();
      facts.push_back(std::move(one->front()));
    }
    auto devices = isolation::FindDevices(spec_);
    if (!devices.ok()) return devices.status();
    if (!spec_.security.privileged) plan_.devices = isolation::PlanDeviceRules(*devices);
    absl::StatusOr<isolation::PlannedRoot> planned = isolation::PlanRoot(
        {.container_id = kContainer,
         .spec = spec_,
         .pod = pod_,
         .image = image_.config,
         .host = facts_,
         .layers = layers_,
         .writable = absl::StrCat(config_.daemon.data_dir, "/containers/", kContainer),
         .mounts = std::move(mounts),
         .volumes = std::move(facts),
         .devices = *std::move(devices),
         .mount_label = labels_.mount});
    if (!planned.ok()) return planned.status();
    plan_.root = *std::move(planned);
    return absl::OkStatus();
  }

  absl::Status ResolveUser() {
    const absl::StatusOr<std::string> passwd = FileOfLayers(layers_, "etc/passwd");
    if (!passwd.ok()) return passwd.status();
    const absl::StatusOr<std::string> group = FileOfLayers(layers_, "etc/group");
    if (!group.ok()) return group.status();
    absl::StatusOr<isolation::ResolvedUser> user = isolation::ResolveUserFrom(
        *passwd, *group, isolation::MakeUserRequest(spec_.security, image_.config));
    if (!user.ok()) return Annotate(user.status(), "resolve the user");
    user_ = *std::move(user);
    return absl::OkStatus();
  }

  std::vector<std::string> SharedDestinations() const {
    std::vector<std::string> destinations;
    for (const spec::Mount& mount : spec_.mounts) {
      if (mount.propagation != spec::MountPropagation::kBidirectional) continue;
      destinations.push_back(mount.container_path);
    }
    return destinations;
  }

  absl::Status PlanLaunch() {
    absl::StatusOr<std::string> profile = isolation::ReadLocalhostProfile(spec_.security);
    if (!profile.ok()) return profile.status();
    isolation::SeccompCompiler seccomp(config_.isolation.seccomp_agent);
    std::vector<spec::Mount> late = isolation::LateMounts(spec_);
    auto late_facts = FindVolumes(late);
    if (!late_facts.ok()) return late_facts.status();
    const std::string log = pod_.log_directory.empty() || spec_.log_path.empty()
                                ? ""
                                : absl::StrCat(pod_.log_directory, "/", spec_.log_path);
    absl::StatusOr<isolation::PlannedLaunch> planned =
        isolation::PlanLaunch({.container_id = kContainer,
                               .spec = spec_,
                               .pod = pod_,
                               .image = image_.config,
                               .host = facts_,
                               .seccomp = seccomp,
                               .seccomp_profile = *std::move(profile),
                               .selinux = labels_,
                               .user = user_,
                               .cgroup = cgroups_->JoinPaths(plan_.cgroup),
                               .log_path = log,
                               .exit_record = absl::StrCat(directory_, "/exit.", kContainer),
                               .late_mounts = std::move(late),
                               .late_volumes = *std::move(late_facts),
                               .shared_volumes = SharedDestinations()});
    if (!planned.ok()) return planned.status();
    plan_.launch = *std::move(planned);
    return absl::OkStatus();
  }

  const config::Config& config_;
  ImageLeases images_;
  const std::string directory_;
  isolation::HostFacts facts_;
  std::unique_ptr<isolation::CgroupManager> cgroups_;
  spec::PodSpec pod_;
  spec::ContainerSpec spec_;
  isolation::PodSelinux pod_labels_;
  isolation::SelinuxLabels labels_;
  ContainerImage image_;
  std::vector<std::string> layers_;
  isolation::ResolvedUser user_;
  std::string pod_cgroup_;
  DryPlan plan_;
};

}  // namespace

absl::StatusOr<DryPlan> PlanWithoutMaking(const config::Config& config, image::ImageService& images,
                                          const spec::PodSpec& pod,
                                          const spec::ContainerSpec& container) {
  return Planner(config, images).Run(pod, container);
}

}  // namespace bulkhead::pods
