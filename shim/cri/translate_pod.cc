#include "shim/cri/translate_pod.h"

#include <arpa/inet.h>

#include <map>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "shim/cri/faults.h"
#include "shim/cri/translate_resources.h"
#include "shim/cri/translate_security.h"

namespace bulkhead::cri {
namespace {

namespace v1 = ::runtime::v1;

// sethostname(2): the kernel's limit without the terminating byte.
constexpr size_t kLongestHostname = 64;

spec::PodMetadata ToMetadata(const v1::PodSandboxConfig& config, const Field& field,
                             Faults& faults) {
  const v1::PodSandboxMetadata& metadata = config.metadata();
  if (!config.has_metadata()) {
    faults.Invalid(field, "is missing");
    return {};
  }
  faults.NotEmpty(field.Member("name"), metadata.name());
  faults.NotEmpty(field.Member("namespace"), metadata.namespace_());
  faults.NoNul(field.Member("uid"), metadata.uid());
  return {.name = metadata.name(),
          .uid = metadata.uid(),
          .name_space = metadata.namespace_(),
          .attempt = metadata.attempt()};
}

void CheckHostname(const Field& field, const std::string& hostname, Faults& faults) {
  faults.NoNul(field, hostname);
  if (hostname.size() > kLongestHostname) {
    faults.InvalidValue(field, hostname, "is longer than the 64 bytes that the kernel takes");
  }
  if (absl::StrContains(hostname, '/') || absl::StrContains(hostname, '\n')) {
    faults.InvalidValue(field, hostname, "is not a host name");
  }
}

// A line end in a value would add lines of its own to the pod's resolv.conf.
template <typename Values>
std::vector<std::string> ToResolvConfValues(const Values& values, const Field& field,
                                            Faults& faults) {
  for (int i = 0; i < values.size(); ++i) {
    if (!faults.NotEmpty(field.Element(i), values[i])) continue;
    if (values[i].find_first_of(" \t\r\n") != std::string::npos) {
      faults.InvalidValue(field.Element(i), values[i], "contains white space");
    }
  }
  return {values.begin(), values.end()};
}

spec::DnsConfig ToDns(const v1::DNSConfig& dns, const Field& field, Faults& faults) {
  return {.servers = ToResolvConfValues(dns.servers(), field.Member("servers"), faults),
          .searches = ToResolvConfValues(dns.searches(), field.Member("searches"), faults),
          .options = ToResolvConfValues(dns.options(), field.Member("options"), faults)};
}

spec::Protocol ToProtocol(v1::Protocol protocol, const Field& field, Faults& faults) {
  switch (protocol) {
    case v1::TCP:
      return spec::Protocol::kTcp;
    case v1::UDP:
      return spec::Protocol::kUdp;
    case v1::SCTP:
      return spec::Protocol::kSctp;
    default:
      faults.InvalidValue(field, protocol, "is not a Protocol");
      return spec::Protocol::kTcp;
  }
}

bool IsIpAddress(const std::string& text) {
  in6_addr address;
  return inet_pton(AF_INET, text.c_str(), &address) == 1 ||
         inet_pton(AF_INET6, text.c_str(), &address) == 1;
}

spec::PortMapping ToPortMapping(const v1::PortMapping& mapping, const Field& field,
                                Faults& faults) {
  faults.InRange(field.Member("container_port"), mapping.container_port(), 1, 65535);
  faults.InRange(field.Member("host_port"), mapping.host_port(), 0, 65535);
  if (!mapping.host_ip().empty() && !IsIpAddress(mapping.host_ip())) {
    faults.InvalidValue(field.Member("host_ip"), mapping.host_ip(), "is not an IP address");
  }
  return {.protocol = ToProtocol(mapping.protocol(), field.Member("protocol"), faults),
          .container_port = mapping.container_port(),
          .host_port = mapping.host_port(),
          .host_ip = mapping.host_ip()};
}

std::vector<spec::PortMapping> ToPortMappings(const v1::PodSandboxConfig& config,
                                              const Field& field, Faults& faults) {
  std::vector<spec::PortMapping> mappings;
  for (int i = 0; i < config.port_mappings_size(); ++i) {
    mappings.push_back(ToPortMapping(config.port_mappings(i), field.Element(i), faults));
  }
  return mappings;
}

// Each part becomes a directory below /proc/sys, where "/" stands for a dot: "//" would be "..".
bool IsSysctlName(const std::string& dotted) {
  for (const absl::string_view part : absl::StrSplit(dotted, '.')) {
    if (part.empty() || part == "/" || part == "//") return false;
  }
  return true;
}

std::map<std::string, std::string> ToSysctls(const v1::LinuxPodSandboxConfig& linux,
                                             const Field& field, Faults& faults) {
  std::map<std::string, std::string> sysctls;
  for (const auto& [name, value] : linux.sysctls()) {
    const Field entry = field.Entry(name);
    faults.NoNul(entry, name);
    faults.NoNul(entry, value);
    const std::string dotted = DottedSysctl(name);
    if (!IsSysctlName(dotted)) faults.Invalid(entry, "is not the name of a sysctl");
    const bool added = sysctls.emplace(dotted, value).second;
    if (!added) faults.Invalid(entry, "is given twice, once with slashes and once with dots");
  }
  return sysctls;
}

void CheckCgroupParent(const Field& field, const std::string& parent, Faults& faults) {
  faults.NoNul(field, parent);
  for (const absl::string_view part : absl::StrSplit(parent, '/')) {
    if (part == "..") faults.InvalidValue(field, parent, "contains \"..\"");
  }
}

void CheckPaths(const v1::PodSandboxConfig& config, const Field& field, Faults& faults) {
  if (!config.log_directory().empty()) {
    faults.AbsolutePath(field.Member("log_directory"), config.log_directory());
  }
  CheckCgroupParent(field.Member("linux").Member("cgroup_parent"), config.linux().cgroup_parent(),
                    faults);
}

}  // namespace

std::string DottedSysctl(std::string name) {
  const size_t first = name.find_first_of("./");
  if (first == std::string::npos || name[first] == '.') return name;
  for (char& c : name) {
    if (c == '/') {
      c = '.';
    } else if (c == '.') {
      c = '/';
    }
  }
  return name;
}

absl::StatusOr<spec::PodSpec> ToPodSpec(const v1::RunPodSandboxRequest& request) {
  const v1::PodSandboxConfig& config = request.config();
  const Field field("config");
  const Field linux = field.Member("linux");
  Faults faults;
  if (config.has_windows()) faults.Invalid(field.Member("windows"), "this node runs Linux");
  CheckHostname(field.Member("hostname"), config.hostname(), faults);
  CheckPaths(config, field, faults);
  spec::PodSpec pod{
      .metadata = ToMetadata(config, field.Member("metadata"), faults),
      .hostname = config.hostname(),
      .log_directory = config.log_directory(),
      .dns = ToDns(config.dns_config(), field.Member("dns_config"), faults),
      .port_mappings = ToPortMappings(config, field.Member("port_mappings"), faults),
      .labels = {config.labels().begin(), config.labels().end()},
      .annotations = {config.annotations().begin(), config.annotations().end()},
      .runtime_handler = request.runtime_handler(),
      .cgroup_parent = config.linux().cgroup_parent(),
      .sysctls = ToSysctls(config.linux(), linux.Member("sysctls"), faults),
      .security = ToSecurityContext(config.linux().security_context(),
                                    linux.Member("security_context"), faults),
      .resources = {.overhead =
                        ToResources(config.linux().overhead(), linux.Member("overhead"), faults),
                    .resources =
                        ToResources(config.linux().resources(), linux.Member("resources"), faults)},
  };
  if (!faults.empty()) return faults.status();
  return pod;
}

absl::StatusOr<spec::PodResources> ToPodResources(
    const v1::UpdatePodSandboxResourcesRequest& request) {
  Faults faults;
  spec::PodResources resources{
      .overhead = ToResources(request.overhead(), Field("overhead"), faults),
      .resources = ToResources(request.resources(), Field("resources"), faults)};
  if (!faults.empty()) return faults.status();
  return resources;
}

}  // namespace bulkhead::cri
