#include "shim/network/cni_request.h"

#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace bulkhead::network {
namespace {

using nlohmann::json;

absl::Status Invalid(const std::string& field, const std::string& value, const std::string& why) {
  return absl::InvalidArgumentError(absl::StrCat(field, " \"", value, "\" ", why));
}

bool IsId(const std::string& id) {
  for (const char c : id) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != '-' && c != '_') return false;
  }
  return !id.empty();
}

// CNI_ARGS is a list of KEY=VALUE with semicolons between and has no quoting.
absl::Status CheckArgument(const std::string& field, const std::string& value) {
  if (value.find_first_of(std::string(";\n\0", 3)) == std::string::npos) return absl::OkStatus();
  return Invalid(field, value, "has a character that CNI_ARGS cannot hold");
}

absl::Status CheckMapping(const PortMapping& mapping) {
  if (mapping.protocol != "tcp" && mapping.protocol != "udp" && mapping.protocol != "sctp") {
    return Invalid("port_mappings.protocol", mapping.protocol, "is none of tcp, udp and sctp");
  }
  if (mapping.container_port < 1 || mapping.container_port > 65535) {
    return Invalid("port_mappings.container_port", absl::StrCat(mapping.container_port),
                   "is not from 1 to 65535");
  }
  if (mapping.host_port < 0 || mapping.host_port > 65535) {
    return Invalid("port_mappings.host_port", absl::StrCat(mapping.host_port),
                   "is not from 0 to 65535");
  }
  return absl::OkStatus();
}

json PortMappings(const std::vector<PortMapping>& mappings) {
  json list = json::array();
  for (const PortMapping& mapping : mappings) {
    if (mapping.host_port == 0) continue;
    json entry = {{"hostPort", mapping.host_port},
                  {"containerPort", mapping.container_port},
                  {"protocol", mapping.protocol}};
    if (!mapping.host_ip.empty()) entry["hostIP"] = mapping.host_ip;
    list.push_back(std::move(entry));
  }
  return list;
}

json BandwidthLimits(const Bandwidth& bandwidth) {
  json limits;
  if (bandwidth.ingress_rate != 0) {
    limits["ingressRate"] = bandwidth.ingress_rate;
    limits["ingressBurst"] = bandwidth.ingress_burst;
  }
  if (bandwidth.egress_rate != 0) {
    limits["egressRate"] = bandwidth.egress_rate;
    limits["egressBurst"] = bandwidth.egress_burst;
  }
  return limits;
}

}  // namespace

absl::Status CheckPodNetworkRequest(const PodNetworkRequest& request) {
  // The id becomes a file name and CNI_CONTAINERID.
  if (!IsId(request.pod_id)) return Invalid("pod id", request.pod_id, "is not a valid id");
  absl::Status status = CheckArgument("metadata.name", request.pod_name);
  if (status.ok()) status = CheckArgument("metadata.namespace", request.pod_namespace);
  if (status.ok()) status = CheckArgument("metadata.uid", request.pod_uid);
  for (const PortMapping& mapping : request.port_mappings) {
    if (status.ok()) status = CheckMapping(mapping);
  }
  return status;
}

CniAttachment MakeAttachment(const PodNetworkRequest& request) {
  return {.container_id = request.pod_id,
          .netns = request.netns,
          .interface = "eth0",
          .args = absl::StrCat("IgnoreUnknown=1;K8S_POD_NAMESPACE=", request.pod_namespace,
                               ";K8S_POD_NAME=", request.pod_name, ";K8S_POD_INFRA_CONTAINER_ID=",
                               request.pod_id, ";K8S_POD_UID=", request.pod_uid)};
}

json MakeCapabilities(const PodNetworkRequest& request) {
  json capabilities = json::object();
  const auto add = [&](const char* name, json value) {
    if (!value.empty()) capabilities[name] = std::move(value);
  };
  add("portMappings", PortMappings(request.port_mappings));
  if (request.bandwidth.has_value()) add("bandwidth", BandwidthLimits(*request.bandwidth));
  add("ips", request.ips);
  if (!request.mac.empty()) add("mac", request.mac);
  if (!request.dns.empty()) {
    add("dns", {{"servers", request.dns.nameservers},
                {"searches", request.dns.searches},
                {"options", request.dns.options}});
  }
  if (!request.cgroup_path.empty()) add("cgroupPath", request.cgroup_path);
  add("io.kubernetes.cri.pod-annotations", request.annotations);
  return capabilities;
}

}  // namespace bulkhead::network
