#ifndef BULKHEAD_SHIM_CRI_BACKEND_H_
#define BULKHEAD_SHIM_CRI_BACKEND_H_

#include <string>
#include <vector>

#include "shim/image/image_service.h"
#include "shim/network/network.h"
#include "shim/pods/pod_service.h"
#include "shim/streaming/request.h"

namespace bulkhead::cri {

// A way to run pods that the configuration names.
struct Handler {
  std::string name;  // Empty: the default one.
  // mount_setattr(2) with AT_RECURSIVE: every supported kernel has it (Linux 5.12).
  bool recursive_read_only_mounts = true;
  bool user_namespaces = false;
};

// What Version, Status and RuntimeConfig tell of this node.
struct Node {
  std::string version;  // Of Bulkhead.
  bool systemd_cgroup_driver = false;
  std::vector<Handler> handlers = {Handler()};
  bool supplemental_groups_policy = true;
  // Shown by `crictl info`: one JSON value, without secrets; may be empty.
  std::string config_json;
};

// What the RPCs call. The pointers are borrowed.
struct Backend {
  pods::PodService* pods = nullptr;
  image::ImageService* images = nullptr;
  network::Network* network = nullptr;
  streaming::Urls* streams = nullptr;
  Node node;
};

}  // namespace bulkhead::cri

#endif  // BULKHEAD_SHIM_CRI_BACKEND_H_
