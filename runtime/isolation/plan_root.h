// PrepareRoot's plan.
#ifndef BULKHEAD_RUNTIME_ISOLATION_PLAN_ROOT_H_
#define BULKHEAD_RUNTIME_ISOLATION_PLAN_ROOT_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/plan.pb.h"
#include "runtime/isolation/descriptors.h"
#include "runtime/isolation/devices.h"
#include "runtime/isolation/host_facts.h"
#include "runtime/isolation/volumes.h"
#include "runtime/spec/container.h"
#include "runtime/spec/image_config.h"
#include "runtime/spec/pod.h"

namespace bulkhead::isolation {

// The pod's files on the host that its containers see; an empty path is none.
struct PodFiles {
  std::string hosts;
  std::string resolv_conf;
  std::string hostname;
};

// The spec's mounts and, where it does not mount them itself, the pod's files. Outer
// destinations come before inner ones, else the spec's order is kept. The caller opens each
// (OpenVolume) and hands list and facts to PlanRoot. Without those of LateMounts.
std::vector<spec::Mount> ContainerMounts(const spec::ContainerSpec& spec, const PodFiles& files);

// The spec's mounts below /proc and at or below /sys/fs/cgroup, which can be made only after those
// two: opened when the container is launched, and given to PlanLaunch.
std::vector<spec::Mount> LateMounts(const spec::ContainerSpec& spec);

// The spec's or else the image's, "/" without one. INVALID_ARGUMENT when it is relative.
absl::StatusOr<std::string> WorkingDirectory(const spec::ContainerSpec& spec,
                                             const spec::ImageConfig& image);

struct RootInput {
  std::string container_id;
  const spec::ContainerSpec& spec;
  const spec::PodSpec& pod;
  const spec::ImageConfig& image;
  const HostFacts& host;
  std::vector<std::string> layers;  // Directories, topmost first.
  // A directory with `upper` and `work` in it.
  std::string writable;
  // From ContainerMounts, and what opening each told.
  std::vector<spec::Mount> mounts;
  std::vector<VolumeFacts> volumes;
  // From FindDevices.
  std::vector<HostDevice> devices;
  std::string mount_label;  // SelinuxLabels::mount.
};

struct PlannedRoot {
  plan::RootPlan plan;
  DescriptorList descriptors;
};

// INVALID_ARGUMENT naming the field of what cannot be: a relative destination, one that would
// replace /, /proc or /sys, combinations that the CRI rules out.
absl::StatusOr<PlannedRoot> PlanRoot(const RootInput& input);

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_PLAN_ROOT_H_
