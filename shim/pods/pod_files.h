// The files that a pod's containers share with it: resolv.conf, hostname and hosts.
#ifndef BULKHEAD_SHIM_PODS_POD_FILES_H_
#define BULKHEAD_SHIM_PODS_POD_FILES_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "runtime/spec/pod.h"

namespace bulkhead::pods {

// resolv.conf(5) of a DNS configuration.
std::string ResolvConf(const spec::DnsConfig& dns);
// hosts(5): the loopback's names, and the pod's own for its addresses.
std::string Hosts(const std::string& hostname, const std::vector<std::string>& ips);

// Writes the three into `directory`. Without a DNS configuration the pod gets the host's
// resolv.conf; on the host's network it gets the host's hosts. They belong to the containers'
// superuser: not every kernel has ID-mapped mounts of the tmpfs that they lie on.
// `label` is their SELinux context; empty: none is set.
absl::Status WritePodFiles(const spec::PodSpec& spec, const std::vector<std::string>& ips,
                           const std::string& label, const std::string& directory);

// The SELinux context that they have; empty: none.
std::string ReadPodFilesLabel(const std::string& directory);

}  // namespace bulkhead::pods

#endif  // BULKHEAD_SHIM_PODS_POD_FILES_H_
