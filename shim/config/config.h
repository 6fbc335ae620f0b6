#ifndef BULKHEAD_SHIM_CONFIG_CONFIG_H_
#define BULKHEAD_SHIM_CONFIG_CONFIG_H_

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

// The daemon's configuration: plain values, a struct a section of the file, a member a key. The
// members' initial values are the defaults; what each key means, its text in the file and what it
// may be is in keys.cc and handler_keys.cc.
namespace bulkhead::config {

struct DaemonConfig {
  std::string socket = "/run/bulkhead/bulkhead.sock";
  uint32_t socket_gid = 0;
  std::string state_dir = "/run/bulkhead";
  std::string data_dir = "/var/lib/bulkhead";
  std::string supervisor = "/usr/libexec/bulkhead/bulkhead-pod";
  int log_verbosity = 0;
  std::chrono::milliseconds drain_timeout{10'000};

  bool operator==(const DaemonConfig&) const = default;
};

struct CgroupConfig {
  std::string driver = "cgroupfs";
  std::string default_parent = "/bulkhead";
  std::string supervisors = "bulkhead";

  bool operator==(const CgroupConfig&) const = default;
};

struct CniConfig {
  std::string config_dir = "/etc/cni/net.d";
  std::vector<std::string> plugin_dirs = {"/opt/cni/bin", "/usr/lib/cni"};
  std::string netns_dir = "/run/netns";
  std::chrono::milliseconds timeout{60'000};

  bool operator==(const CniConfig&) const = default;
};

struct ImageConfig {
  std::string certs_dir = "/etc/bulkhead/certs.d";
  int max_concurrent_downloads = 3;
  uint64_t max_layer_size = uint64_t{64} << 30;  // Bytes.
  std::vector<std::string> pinned;

  bool operator==(const ImageConfig&) const = default;
};

struct ExecConfig {
  uint64_t sync_output_limit = uint64_t{15} << 20;  // Bytes.

  bool operator==(const ExecConfig&) const = default;
};

struct StreamingConfig {
  std::string address = "127.0.0.1";
  uint16_t port = 0;
  std::string tls_certificate;
  std::string tls_key;
  std::chrono::milliseconds idle_timeout{4 * 3'600'000};
  std::chrono::milliseconds creation_timeout{30'000};
  bool kill_on_disconnect = false;

  bool operator==(const StreamingConfig&) const = default;
};

struct IsolationConfig {
  bool seccomp_default = false;
  std::string seccomp_agent;
  bool selinux = true;
  std::vector<std::string> cdi_spec_dirs = {"/etc/cdi", "/var/run/cdi"};
  uint32_t first_host_id = 0x70000000;
  uint32_t host_id_ranges = 1024;

  bool operator==(const IsolationConfig&) const = default;
};

// A section [handlers.NAME].
struct HandlerConfig {
  std::string kind;
  int64_t pids_limit = 0;
  bool weaker_than_default = false;

  bool operator==(const HandlerConfig&) const = default;
};

struct MetricsConfig {
  std::string address = "127.0.0.1";
  uint16_t port = 0;

  bool operator==(const MetricsConfig&) const = default;
};

struct Config {
  DaemonConfig daemon;
  CgroupConfig cgroup;
  CniConfig cni;
  ImageConfig image;
  ExecConfig exec;
  StreamingConfig streaming;
  IsolationConfig isolation;
  MetricsConfig metrics;
  std::map<std::string, HandlerConfig> handlers = {{"hardened", {.kind = "hardened"}}};

  bool operator==(const Config&) const = default;
};

// Where the parts keep their files below the data directory.
inline std::string ImageDir(const Config& config) { return config.daemon.data_dir + "/images"; }
inline std::string NetworkDir(const Config& config) { return config.daemon.data_dir + "/network"; }

}  // namespace bulkhead::config

#endif  // BULKHEAD_SHIM_CONFIG_CONFIG_H_
