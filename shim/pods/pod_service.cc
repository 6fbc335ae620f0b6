#include "shim/pods/pod_service.h"

#include <utility>

#include "shim/pods/image_leases.h"
#include "shim/pods/linux_host.h"
#include "shim/pods/service.h"

namespace bulkhead::pods {

absl::StatusOr<std::unique_ptr<PodService>> PodService::Open(Dependencies dependencies) {
  const config::Config& config = *dependencies.config;
  absl::StatusOr<std::unique_ptr<LinuxHost>> host = LinuxHost::Open(config);
  if (!host.ok()) return host.status();
  Service::Options options;
  options.state_directory = config.daemon.state_dir;
  options.data_directory = config.daemon.data_dir;
  options.cgroup_parents = {.unnamed = config.cgroup.default_parent,
                            .are_slices = config.cgroup.driver == "systemd"};
  options.profiles = policy::Profiles(config);
  options.cdi_spec_dirs = config.isolation.cdi_spec_dirs;
  options.first_host_id = config.isolation.first_host_id;
  options.host_id_ranges = config.isolation.host_id_ranges;
  options.exec_output_limit = config.exec.sync_output_limit;
  options.kill_on_disconnect = config.streaming.kill_on_disconnect;
  auto service = std::make_unique<Service>(std::move(options), *std::move(host),
                                           std::make_unique<ImageLeases>(dependencies.images),
                                           dependencies.network);
  const absl::Status recovered = service->Recover();
  if (!recovered.ok()) return recovered;
  return service;
}

}  // namespace bulkhead::pods
