#ifndef BULKHEAD_SHIM_NETWORK_POD_NETWORK_H_
#define BULKHEAD_SHIM_NETWORK_POD_NETWORK_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

// What is asked of and answered by a pod's network: plain values.
namespace bulkhead::network {

struct PortMapping {
  std::string protocol = "tcp";  // tcp, udp or sctp.
  int container_port = 0;        // 1 to 65535.
  int host_port = 0;             // 0: not mapped to the host.
  std::string host_ip;           // Empty: every address of the host.
};

// Bits a second, and the bits that may pass at once; 0 means unlimited.
struct Bandwidth {
  uint64_t ingress_rate = 0;
  uint64_t ingress_burst = 0;
  uint64_t egress_rate = 0;
  uint64_t egress_burst = 0;

  bool operator==(const Bandwidth&) const = default;
};

struct DnsConfig {
  std::vector<std::string> nameservers;
  std::string domain;
  std::vector<std::string> searches;
  std::vector<std::string> options;

  bool empty() const {
    return nameservers.empty() && domain.empty() && searches.empty() && options.empty();
  }
  bool operator==(const DnsConfig&) const = default;
};

struct PodNetworkRequest {
  std::string pod_id;
  std::string pod_name;
  std::string pod_namespace;
  std::string pod_uid;
  std::string netns;  // Path of the pinned network namespace.
  std::vector<PortMapping> port_mappings;
  std::optional<Bandwidth> bandwidth;
  std::vector<std::string>
      ips;          // Asked-for addresses with prefix length; empty: the plugin's choice.
  std::string mac;  // Asked-for hardware address; empty: the plugin's choice.
  DnsConfig dns;
  std::string cgroup_path;
  std::map<std::string, std::string> annotations;
  int cancel_fd = -1;  // Borrowed; readable means: give up and undo. -1 for none.
};

struct PodNetworkResult {
  std::vector<std::string> ips;  // The primary first, without prefix length.
  std::vector<std::string> macs;
  DnsConfig dns;
  std::string result;  // The CNI result, as JSON.
};

}  // namespace bulkhead::network

#endif  // BULKHEAD_SHIM_NETWORK_POD_NETWORK_H_
