#include "shim/pods/pod_network_request.h"

#include <string>
#include <utility>

#include "shim/network/bandwidth.h"

namespace bulkhead::pods {
namespace {

std::string ProtocolName(spec::Protocol protocol) {
  switch (protocol) {
    case spec::Protocol::kTcp:
      return "tcp";
    case spec::Protocol::kUdp:
      return "udp";
    case spec::Protocol::kSctp:
      return "sctp";
  }
  return "tcp";
}

}  // namespace

absl::StatusOr<network::PodNetworkRequest> NetworkRequestFor(const PodRecord& pod, int cancel_fd) {
  absl::StatusOr<std::optional<network::Bandwidth>> bandwidth =
      network::ReadBandwidth(pod.spec.annotations);
  if (!bandwidth.ok()) return bandwidth.status();
  network::PodNetworkRequest request;
  request.pod_id = pod.id;
  request.pod_name = pod.spec.metadata.name;
  request.pod_namespace = pod.spec.metadata.name_space;
  request.pod_uid = pod.spec.metadata.uid;
  request.netns = pod.network_namespace;
  for (const spec::PortMapping& port : pod.spec.port_mappings) {
    // Only what is opened on the host is the network's business.
    if (port.host_port <= 0) continue;
    request.port_mappings.push_back({.protocol = ProtocolName(port.protocol),
                                     .container_port = port.container_port,
                                     .host_port = port.host_port,
                                     .host_ip = port.host_ip});
  }
  request.bandwidth = *std::move(bandwidth);
  request.dns = {.nameservers = pod.spec.dns.servers,
                 .searches = pod.spec.dns.searches,
                 .options = pod.spec.dns.options};
  request.cgroup_path = pod.cgroup;
  request.annotations = pod.spec.annotations;
  request.cancel_fd = cancel_fd;
  return request;
}

}  // namespace bulkhead::pods
