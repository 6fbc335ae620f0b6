// What isolation costs at the start: pods with all of it, and with none, in turns.
#include <string>

#include "tests/bench/measurements.h"
#include "tests/conformance/fixture/must.h"
#include "tests/conformance/fixture/user_namespace.h"

namespace bulkhead::bench {
namespace {

using fixture::Must;

// The seccomp filter, profiles, paths, capabilities, ids and limits that a container can have; with
// a network of its own also a user namespace and sysctls of its pod.
void Confine(v1::PodSandboxConfig& pod, v1::ContainerConfig& config, bool user_namespace) {
  auto& security = *config.mutable_linux()->mutable_security_context();
  security.mutable_run_as_user()->set_value(1000);
  security.mutable_run_as_group()->set_value(1000);
  security.add_supplemental_groups(1001);
  security.mutable_capabilities()->add_drop_capabilities("ALL");
  security.mutable_capabilities()->add_add_capabilities("NET_BIND_SERVICE");
  security.set_no_new_privs(true);
  security.set_readonly_rootfs(true);
  security.mutable_seccomp()->set_profile_type(v1::SecurityProfile::RuntimeDefault);
  security.mutable_apparmor()->set_profile_type(v1::SecurityProfile::RuntimeDefault);
  for (const char* path :
       {"/proc/asound", "/proc/acpi", "/proc/interrupts", "/proc/kcore", "/proc/keys",
        "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug",
        "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap"}) {
    security.add_masked_paths(path);
  }
  for (const char* path :
       {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}) {
    security.add_readonly_paths(path);
  }
  auto& resources = *config.mutable_linux()->mutable_resources();
  resources.set_memory_limit_in_bytes(64 << 20);
  resources.set_cpu_quota(50000);
  resources.set_cpu_period(100000);
  resources.set_cpu_shares(512);
  resources.set_oom_score_adj(900);
  if (!user_namespace) return;
  (*pod.mutable_linux()->mutable_sysctls())["net.ipv4.ip_unprivileged_port_start"] = "0";
  auto& namespaces = *pod.mutable_linux()->mutable_security_context()->mutable_namespace_options();
  *namespaces.mutable_userns_options() = fixture::MappedUserNamespace();
  *security.mutable_namespace_options() = pod.linux().security_context().namespace_options();
}

// Without what can be left out.
void Free(v1::ContainerConfig& config) {
  auto& security = *config.mutable_linux()->mutable_security_context();
  security.mutable_capabilities()->add_add_capabilities("ALL");
  security.mutable_seccomp()->set_profile_type(v1::SecurityProfile::Unconfined);
  security.mutable_apparmor()->set_profile_type(v1::SecurityProfile::Unconfined);
}

void OneStart(Target& target, PodNetwork network, bool confined, Report& report) {
  client::Client& cri = target.cri();
  const std::string group = network == PodNetwork::kHost ? "isolation, host network"
                                                         : "isolation with user namespace, CNI";
  const std::string kind = confined ? "all: " : "none: ";
  const auto add = [&](const char* name, double value) {
    report.Of(group, kind + name, "ms", target.name()).Add(value);
    return value;
  };
  auto pod = target.NewPod(network);
  auto config = target.NewContainer(pod, {"sleep", "1000000"});
  if (confined) {
    Confine(pod, config, network == PodNetwork::kCni);
  } else {
    Free(config);
  }
  std::string id;
  std::string container;
  double up = add("RunPodSandbox", Milliseconds([&] { id = Must(cri.RunPodSandbox(pod)); }));
  up += add("CreateContainer",
            Milliseconds([&] { container = Must(cri.CreateContainer(id, config, pod)); }));
  up += add("StartContainer", Milliseconds([&] { Must(cri.StartContainer(container)); }));
  add("up, all three", up);
  target.RemovePod(id);
}

}  // namespace

void MeasureIsolation(Targets& targets, PodNetwork network, int runs, Report& report) {
  for (int i = 0; i < runs; ++i) {
    for (auto& target : targets) {
      const bool user_namespaces = fixture::HasUserNamespaces(target->cri());
      if (network == PodNetwork::kCni && !user_namespaces) continue;
      for (const bool confined : {false, true}) OneStart(*target, network, confined, report);
    }
  }
}

}  // namespace bulkhead::bench
