#include "shim/pods/pod_files.h"

#include <fcntl.h>
#include <sys/utsname.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "runtime/isolation/id_map.h"
#include "runtime/isolation/relabel.h"
#include "runtime/isolation/selinux.h"
#include "runtime/kernel/fd.h"
#include "runtime/kernel/status.h"
#include "shim/pods/files.h"

namespace bulkhead::pods {
namespace {

constexpr size_t kHostFileLimit = 1 << 20;
// Read by every user of the containers.
constexpr mode_t kMode = 0644;

std::string HostName() {
  utsname names;
  return uname(&names) == 0 ? names.nodename : "localhost";
}

// A file of the host, or nothing where the host has none.
absl::StatusOr<std::string> HostFile(const std::string& path) {
  absl::StatusOr<std::string> content = ReadFile(path, kHostFileLimit);
  if (absl::IsNotFound(content.status())) return std::string();
  return content;
}

absl::Status WriteOwned(const std::string& path, const std::string& content,
                        const spec::UserNamespace* space, const std::string& label) {
  if (absl::Status status = WriteFile(path, content, kMode); !status.ok()) return status;
  if (!label.empty() && lsetxattr(path.c_str(), isolation::kSelinuxAttribute, label.c_str(),
                                  label.size() + 1, 0) != 0) {
    return ErrnoStatus(errno, absl::StrCat("label ", path, " ", label));
  }
  if (space == nullptr) return absl::OkStatus();
  const absl::StatusOr<uint32_t> uid = isolation::HostId(space->uids, 0);
  const absl::StatusOr<uint32_t> gid = isolation::HostId(space->gids, 0);
  if (!uid.ok()) return uid.status();
  if (!gid.ok()) return gid.status();
  if (lchown(path.c_str(), *uid, *gid) != 0) return ErrnoStatus(errno, "chown " + path);
  return absl::OkStatus();
}

}  // namespace

std::string ResolvConf(const spec::DnsConfig& dns) {
  std::string text;
  if (!dns.searches.empty()) {
    absl::StrAppend(&text, "search ", absl::StrJoin(dns.searches, " "), "\n");
  }
  for (const std::string& server : dns.servers) {
    absl::StrAppend(&text, "nameserver ", server, "\n");
  }
  if (!dns.options.empty()) {
    absl::StrAppend(&text, "options ", absl::StrJoin(dns.options, " "), "\n");
  }
  return text;
}

std::string Hosts(const std::string& hostname, const std::vector<std::string>& ips) {
  std::string text = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n";
  for (const std::string& ip : ips) absl::StrAppend(&text, ip, "\t", hostname, "\n");
  return text;
}

absl::Status WritePodFiles(const spec::PodSpec& spec, const std::vector<std::string>& ips,
                           const std::string& label, const std::string& directory) {
  const std::string hostname = spec.hostname.empty() ? HostName() : spec.hostname;
  const bool host_network = spec.security.namespaces.network == spec::NamespaceMode::kNode;
  const absl::StatusOr<std::string> resolv_conf =
      spec.dns == spec::DnsConfig() ? HostFile("/etc/resolv.conf") : ResolvConf(spec.dns);
  if (!resolv_conf.ok()) return resolv_conf.status();
  const absl::StatusOr<std::string> hosts =
      host_network ? HostFile("/etc/hosts") : Hosts(hostname, ips);
  if (!hosts.ok()) return hosts.status();
  const spec::UserNamespace* space = spec::OwnUserNamespace(spec.security.namespaces);
  absl::Status status = WriteOwned(directory + "/resolv.conf", *resolv_conf, space, label);
  status.Update(WriteOwned(directory + "/hostname", hostname + "\n", space, label));
  status.Update(WriteOwned(directory + "/hosts", *hosts, space, label));
  return status;
}

std::string ReadPodFilesLabel(const std::string& directory) {
  const UniqueFd hosts(open((directory + "/hosts").c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  return hosts.valid() ? isolation::ReadLabel(hosts.get()) : "";
}

}  // namespace bulkhead::pods
