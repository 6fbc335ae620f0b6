#include "shim/config/keys.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <limits>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace bulkhead::config {
namespace {

// The keys of one section, each bound to its member of the section's struct.
template <typename Section>
class SectionKeys {
 public:
  SectionKeys(std::string name, Section Config::*section, std::vector<Key>& keys)
      : name_(std::move(name)), section_(section), keys_(keys) {}

  // `read` returns StatusOr of what the member takes, `write` the value of the member.
  template <typename Member, typename Read, typename Write>
  void Add(const char* name, Member Section::*member, Read read, Write write, const char* comment) {
    keys_.push_back(
        {.section = name_,
         .name = name,
         .comment = comment,
         .read =
             [=, section = section_](const Value& value, Config& config) {
               auto result = read(value);
               if (result.ok()) config.*section.*member = static_cast<Member>(*std::move(result));
               return result.status();
             },
         .write = [=, section = section_](
                      const Config& config) { return Value(write(config.*section.*member)); }});
  }

  template <typename Member, typename Read>
  void Add(const char* name, Member Section::*member, Read read, const char* comment) {
    Add(
        name, member, read, [](const Member& value) { return value; }, comment);
  }

  void AddSize(const char* name, uint64_t Section::*member, uint64_t lowest, uint64_t highest,
               const char* comment) {
    Add(
        name, member, [=](const Value& value) { return ReadSize(value, lowest, highest); },
        WriteSize, comment);
  }

  template <typename Member>
  void AddInteger(const char* name, Member Section::*member, int64_t lowest, int64_t highest,
                  const char* comment) {
    Add(
        name, member, [=](const Value& value) { return ReadInteger(value, lowest, highest); },
        [](Member number) { return static_cast<int64_t>(number); }, comment);
  }

  void AddDuration(const char* name, std::chrono::milliseconds Section::*member,
                   const char* comment) {
    Add(name, member, ReadDuration, WriteDuration, comment);
  }

 private:
  const std::string name_;
  Section Config::*const section_;
  std::vector<Key>& keys_;
};

absl::Status Invalid(const std::string& message) { return absl::InvalidArgumentError(message); }

// sun_path of unix(7) holds 107 bytes and the terminator.
absl::StatusOr<std::string> ReadSocket(const Value& value) {
  absl::StatusOr<std::string> path = ReadPath(value);
  if (path.ok() && path->size() > 107) {
    return Invalid(
        absl::StrCat("a unix socket's path has at most 107 bytes, this one has ", path->size()));
  }
  return path;
}

absl::StatusOr<std::string> ReadOptionalSocket(const Value& value) {
  if (value == Value(std::string())) return std::string();
  return ReadSocket(value);
}

absl::StatusOr<std::string> ReadCgroupDriver(const Value& value) {
  absl::StatusOr<std::string> driver = ReadString(value);
  if (!driver.ok() || *driver == "cgroupfs" || *driver == "systemd") return driver;
  return Invalid(absl::StrCat("expected \"cgroupfs\" or \"systemd\", found ", ToText(value)));
}

absl::StatusOr<std::string> ReadIpAddress(const Value& value) {
  absl::StatusOr<std::string> address = ReadString(value);
  char bytes[sizeof(in6_addr)];
  if (address.ok() && inet_pton(AF_INET, address->c_str(), bytes) != 1 &&
      inet_pton(AF_INET6, address->c_str(), bytes) != 1) {
    return Invalid(absl::StrCat("expected an IP address, found ", ToText(value)));
  }
  return address;
}

// A path below the root of the cgroup tree, "/kubepods" as the kubelet writes it.
absl::StatusOr<std::string> ReadCgroupParent(const Value& value) {
  absl::StatusOr<std::string> path = ReadPath(value);
  if (path.ok() && *path == "/") return Invalid("expected a cgroup below the root, found \"/\"");
  return path;
}

// The ids are given in ranges of 65,536, and the host's own are below the first.
absl::StatusOr<int64_t> ReadFirstHostId(const Value& value) {
  absl::StatusOr<int64_t> id = ReadInteger(value, 65536, std::numeric_limits<int32_t>::max());
  if (id.ok() && *id % 65536 != 0) {
    return Invalid(absl::StrCat("expected a multiple of 65536, found ", *id));
  }
  return id;
}

absl::StatusOr<std::string> ReadFileName(const Value& value) {
  absl::StatusOr<std::string> name = ReadString(value);
  if (name.ok() && (*name == "." || *name == ".." || absl::StrContains(*name, "/"))) {
    return Invalid(absl::StrCat("expected a name without slashes, found ", ToText(value)));
  }
  return name;
}

void AddDaemon(SectionKeys<DaemonConfig> section) {
  section.Add("socket", &DaemonConfig::socket, ReadSocket,
              "The unix socket on which the CRI is served; the kubelet's\n"
              "--container-runtime-endpoint is unix:// and this path.");
  section.AddInteger("socket_gid", &DaemonConfig::socket_gid, 0,
                     std::numeric_limits<uint32_t>::max() - 1,
                     "The group that may use the socket, besides root. Who may use it is root.");
  section.Add("state_dir", &DaemonConfig::state_dir, ReadPath,
              "Records of running pods. Belongs on a tmpfs: it must not outlive a reboot.");
  section.Add("data_dir", &DaemonConfig::data_dir, ReadPath,
              "Images, containers' writable layers, network leases. Belongs on a disk.");
  section.Add("supervisor", &DaemonConfig::supervisor, ReadPath,
              "The program that holds a pod; one process a pod.");
  section.AddInteger(
      "log_verbosity", &DaemonConfig::log_verbosity, 0, 10,
      "0 logs what an operator needs, higher numbers more. SIGUSR1 raises it by one\n"
      "in a running daemon, SIGUSR2 lowers it.");
  section.AddDuration("drain_timeout", &DaemonConfig::drain_timeout,
                      "How long calls in progress may take to end after SIGTERM. Pods run on.");
}

void AddCgroup(SectionKeys<CgroupConfig> section) {
  section.Add(
      "driver", &CgroupConfig::driver, ReadCgroupDriver,
      "Who makes the cgroups: \"cgroupfs\" is the daemon itself, \"systemd\" has systemd make a\n"
      "scope for each container, on cgroup v2. Has to be the kubelet's cgroupDriver.");
  section.Add(
      "default_parent", &CgroupConfig::default_parent, ReadCgroupParent,
      "The parent of pods whose request names none. The kubelet always names one. With the\n"
      "systemd driver \"/a/b\" is the slice a-b.slice.");
  section.Add(
      "supervisors", &CgroupConfig::supervisors, ReadFileName,
      "The group of the pods' supervisors in the hierarchies of cgroup v1, below the daemon's\n"
      "own. On v2 they stay in the daemon's.");
}

void AddCni(SectionKeys<CniConfig> section) {
  section.Add("config_dir", &CniConfig::config_dir, ReadPath,
              "The first valid .conflist, .conf or .json of this directory is the pods' network.");
  section.Add("plugin_dirs", &CniConfig::plugin_dirs, ReadPaths,
              "Where the plugins' programs are looked for, in this order.");
  section.Add("netns_dir", &CniConfig::netns_dir, ReadPath,
              "Where pods' network namespaces are pinned.");
  section.AddDuration("timeout", &CniConfig::timeout,
                      "How long one plugin may take before it is killed.");
}

void AddImage(SectionKeys<ImageConfig> section) {
  section.Add("certs_dir", &ImageConfig::certs_dir, ReadPath,
              "Registries and their mirrors: HOST/hosts.toml in this directory.");
  section.AddInteger("max_concurrent_downloads", &ImageConfig::max_concurrent_downloads, 1, 64,
                     "Layers of one pull that are fetched at once.");
  section.AddSize("max_layer_size", &ImageConfig::max_layer_size, uint64_t{1} << 20,
                  uint64_t{1} << 50, "A layer that unpacks to more than this is refused.");
  section.Add("pinned", &ImageConfig::pinned, ReadStrings,
              "References of images that the kubelet must not collect.");
}

void AddExec(SectionKeys<ExecConfig> section) {
  section.AddSize("sync_output_limit", &ExecConfig::sync_output_limit, 1024, uint64_t{15} << 20,
                  "What ExecSync returns at most, standard output and error together; the rest is\n"
                  "cut. The kubelet refuses messages over 16MiB.");
}

void AddStreaming(SectionKeys<StreamingConfig> section) {
  section.Add(
      "address", &StreamingConfig::address, ReadIpAddress,
      "Where exec, attach and port-forward are served: the kubelet passes what its clients\n"
      "send on to it. An address that other machines reach needs the TLS keys below.");
  section.AddInteger("port", &StreamingConfig::port, 0, 65535, "0 is a free one.");
  section.Add(
      "tls_certificate", &StreamingConfig::tls_certificate, ReadOptionalPath,
      "The server's certificate with its chain, PEM; none: no TLS. It and its key are read\n"
      "again for the next connection when their files change.");
  section.Add("tls_key", &StreamingConfig::tls_key, ReadOptionalPath,
              "The certificate's key, PEM, without a password.");
  section.AddDuration("idle_timeout", &StreamingConfig::idle_timeout,
                      "A connection is closed when nothing was sent on it for this long.");
  section.AddDuration("creation_timeout", &StreamingConfig::creation_timeout,
                      "How long a client may take to open the streams of a command or of one\n"
                      "forwarded connection.");
  section.Add(
      "kill_on_disconnect", &StreamingConfig::kill_on_disconnect, ReadBoolean,
      "Whether a command whose client leaves is killed with all that it started. If not, it\n"
      "sees the end of its input, SIGPIPE where it writes, or SIGHUP on its terminal.");
}

void AddIsolation(SectionKeys<IsolationConfig> section) {
  section.Add(
      "seccomp_default", &IsolationConfig::seccomp_default, ReadBoolean,
      "Whether a container that names no seccomp profile gets RuntimeDefault. If not, it gets\n"
      "none, but under handlers that say otherwise.");
  section.Add(
      "seccomp_agent", &IsolationConfig::seccomp_agent, ReadOptionalSocket,
      "The socket of the program that decides on the calls which a seccomp profile notifies\n"
      "(SCMP_ACT_NOTIFY); none: such profiles are refused.");
  section.Add(
      "selinux", &IsolationConfig::selinux, ReadBoolean,
      "Whether containers and their files get SELinux labels on a host that has SELinux with a\n"
      "policy loaded. If not, selinux_options are passed over there as on other hosts.");
  section.Add(
      "cdi_spec_dirs", &IsolationConfig::cdi_spec_dirs, ReadPaths,
      "Where vendors' tools describe devices for the Container Device Interface. What is in a\n"
      "later directory takes precedence.");
  section.Add(
      "first_host_id", &IsolationConfig::first_host_id, ReadFirstHostId,
      [](uint32_t id) { return int64_t{id}; },
      "The first of the host's ids that pods get whose handler gives them a user namespace, a\n"
      "multiple of 65536. They have to be apart from the kubelet's (`getsubids kubelet`) and from\n"
      "everybody else's, and below 2147483648.");
  section.AddInteger("host_id_ranges", &IsolationConfig::host_id_ranges, 1, 32767,
                     "How many such pods there can be at a time; each gets 65,536 ids.");
}

void AddMetrics(SectionKeys<MetricsConfig> section) {
  section.Add("address", &MetricsConfig::address, ReadIpAddress,
              "Where metrics are served over HTTP, at /metrics, without TLS or a password.");
  section.AddInteger("port", &MetricsConfig::port, 0, 65535, "0: they are not served.");
}

}  // namespace

std::vector<Key> Keys() {
  std::vector<Key> keys;
  AddDaemon({"daemon", &Config::daemon, keys});
  AddCgroup({"cgroup", &Config::cgroup, keys});
  AddCni({"cni", &Config::cni, keys});
  AddImage({"image", &Config::image, keys});
  AddExec({"exec", &Config::exec, keys});
  AddStreaming({"streaming", &Config::streaming, keys});
  AddIsolation({"isolation", &Config::isolation, keys});
  AddMetrics({"metrics", &Config::metrics, keys});
  return keys;
}

}  // namespace bulkhead::config
