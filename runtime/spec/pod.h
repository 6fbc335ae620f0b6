// What is asked of a pod: value types in the terms of the CRI and the OCI runtime
// specification, made from CRI messages by pure functions and kept in the pod's record as JSON.
#ifndef BULKHEAD_RUNTIME_SPEC_POD_H_
#define BULKHEAD_RUNTIME_SPEC_POD_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "runtime/spec/resources.h"
#include "runtime/spec/security.h"

namespace bulkhead::spec {

struct PodMetadata {
  std::string name;
  std::string uid;
  std::string name_space;  // "namespace" is a keyword.
  uint32_t attempt = 0;

  bool operator==(const PodMetadata&) const = default;
};

struct DnsConfig {
  std::vector<std::string> servers;
  std::vector<std::string> searches;
  std::vector<std::string> options;

  bool operator==(const DnsConfig&) const = default;
};

enum class Protocol { kTcp, kUdp, kSctp };

struct PortMapping {
  Protocol protocol = Protocol::kTcp;
  int32_t container_port = 0;
  int32_t host_port = 0;  // 0: not mapped on the host.
  std::string host_ip;

  bool operator==(const PortMapping&) const = default;
};

// CRI PodSandboxConfig with its LinuxPodSandboxConfig.
struct PodSpec {
  PodMetadata metadata;
  std::string hostname;
  std::string log_directory;
  DnsConfig dns;
  std::vector<PortMapping> port_mappings;
  std::map<std::string, std::string> labels;
  std::map<std::string, std::string> annotations;
  std::string runtime_handler;
  // As the kubelet sends it; empty: the configured default parent.
  std::string cgroup_parent;
  // Dotted names, such as "net.ipv4.ip_forward".
  std::map<std::string, std::string> sysctls;
  SecurityContext security;
  PodResources resources;

  bool operator==(const PodSpec&) const = default;
};

}  // namespace bulkhead::spec

#endif  // BULKHEAD_RUNTIME_SPEC_POD_H_
