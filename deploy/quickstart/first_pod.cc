#include "deploy/quickstart/first_pod.h"

#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "runtime/kernel/fd.h"
#include "runtime/kernel/status.h"

namespace bulkhead::quickstart {
namespace {

namespace v1 = ::runtime::v1;

constexpr char kLabel[] = "bulkhead.quickstart";
constexpr char kLogDirectory[] = "/var/log/pods/quickstart_hello_quickstart";
constexpr char kLogName[] = "hello.log";

absl::StatusOr<bool> HasPodNetwork(client::Client& client) {
  const absl::StatusOr<v1::StatusResponse> status = client.Status();
  if (!status.ok()) return status.status();
  for (const v1::RuntimeCondition& condition : status->status().conditions()) {
    if (condition.type() == "NetworkReady") return condition.status();
  }
  return false;
}

v1::PodSandboxConfig PodConfig(bool pod_network) {
  v1::PodSandboxConfig config;
  config.mutable_metadata()->set_name("hello");
  config.mutable_metadata()->set_namespace_("quickstart");
  config.mutable_metadata()->set_uid("quickstart");
  config.set_log_directory(kLogDirectory);
  config.set_hostname("hello");
  (*config.mutable_labels())[kLabel] = "true";
  v1::NamespaceOption* namespaces =
      config.mutable_linux()->mutable_security_context()->mutable_namespace_options();
  namespaces->set_pid(v1::CONTAINER);
  namespaces->set_network(pod_network ? v1::POD : v1::NODE);
  return config;
}

// As a kubelet sends a container of a pod without special wishes.
v1::ContainerConfig ContainerConfig(const std::string& image, const v1::PodSandboxConfig& pod) {
  v1::ContainerConfig config;
  config.mutable_metadata()->set_name("hello");
  config.mutable_image()->set_image(image);
  config.set_log_path(kLogName);
  config.add_command("sh");
  config.add_command("-c");
  config.add_command("echo Hello from $(hostname), process $$; exec sleep 2147483647");
  v1::LinuxContainerSecurityContext* security = config.mutable_linux()->mutable_security_context();
  *security->mutable_namespace_options() = pod.linux().security_context().namespace_options();
  security->set_no_new_privs(true);
  security->mutable_seccomp()->set_profile_type(v1::SecurityProfile::RuntimeDefault);
  for (const char* path : {"/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/timer_list",
                           "/proc/sched_debug", "/sys/firmware"}) {
    security->add_masked_paths(path);
  }
  for (const char* path :
       {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}) {
    security->add_readonly_paths(path);
  }
  v1::LinuxContainerResources* resources = config.mutable_linux()->mutable_resources();
  resources->set_memory_limit_in_bytes(int64_t{64} << 20);
  resources->set_cpu_shares(102);
  return config;
}

// Waits until the file has a whole line; at most ten seconds.
absl::StatusOr<std::string> FirstLines(const std::string& path) {
  const UniqueFd watch(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!watch.valid()) return ErrnoStatus(errno, "inotify_init1");
  if (inotify_add_watch(watch.get(), path.c_str(), IN_MODIFY) < 0) {
    return ErrnoStatus(errno, absl::StrCat("watch ", path));
  }
  for (;;) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    if (text.str().find('\n') != std::string::npos) return text.str();
    pollfd changed{watch.get(), POLLIN, 0};
    if (poll(&changed, 1, 10'000) <= 0) {
      return absl::DeadlineExceededError(absl::StrCat("nothing was logged to ", path));
    }
    char events[4096];
    (void)!read(watch.get(), events, sizeof events);
  }
}

absl::Status ShowPod(client::Client& client, const std::string& pod, bool pod_network,
                     std::ostream& out) {
  const absl::StatusOr<v1::PodSandboxStatusResponse> status = client.PodSandboxStatus(pod);
  if (!status.ok()) return status.status();
  out << "pod        " << pod << "\n           "
      << v1::PodSandboxState_Name(status->status().state()) << ", "
      << (pod_network ? "address " + status->status().network().ip()
                      : std::string("in the host's network, as no CNI configuration is there"))
      << "\n";
  return absl::OkStatus();
}

absl::Status ShowContainer(client::Client& client, const std::string& container,
                           std::ostream& out) {
  const absl::StatusOr<v1::ContainerStatusResponse> status = client.ContainerStatus(container);
  if (!status.ok()) return status.status();
  const absl::StatusOr<std::string> log = FirstLines(status->status().log_path());
  if (!log.ok()) return log.status();
  const std::vector<std::string> command = {"sh", "-c", "id; ps"};
  const absl::StatusOr<client::ExecResult> exec = client.ExecSync(container, command);
  if (!exec.ok()) return exec.status();
  out << "container  " << container << "\n           "
      << v1::ContainerState_Name(status->status().state()) << ", image "
      << status->status().image_ref() << "\n\nlog        " << status->status().log_path() << "\n"
      << *log << "\nexec       " << absl::StrJoin(command, " ") << " (exit code " << exec->exit_code
      << ")\n"
      << exec->standard_output << exec->standard_error;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> RunFirstPod(client::Client& client, const std::string& image,
                                        std::ostream& out) {
  absl::Status status = RemoveFirstPod(client).status();
  if (!status.ok()) return status;
  std::error_code error;
  std::filesystem::create_directories(kLogDirectory, error);
  if (error) return ErrnoStatus(error.value(), kLogDirectory);
  const absl::StatusOr<bool> pod_network = HasPodNetwork(client);
  if (!pod_network.ok()) return pod_network.status();

  const v1::PodSandboxConfig config = PodConfig(*pod_network);
  const absl::StatusOr<std::string> pod = client.RunPodSandbox(config);
  if (!pod.ok()) return pod.status();
  absl::StatusOr<std::string> container =
      client.CreateContainer(*pod, ContainerConfig(image, config), config);
  if (!container.ok()) return container.status();
  status = client.StartContainer(*container);
  if (status.ok()) status = ShowPod(client, *pod, *pod_network, out);
  if (status.ok()) status = ShowContainer(client, *container, out);
  if (!status.ok()) return status;
  return container;
}

absl::StatusOr<int> RemoveFirstPod(client::Client& client) {
  const absl::StatusOr<std::vector<v1::PodSandbox>> pods = client.ListPodSandbox();
  if (!pods.ok()) return pods.status();
  int others = 0;
  for (const v1::PodSandbox& pod : *pods) {
    if (!pod.labels().contains(kLabel)) {
      ++others;
      continue;
    }
    absl::Status status = client.StopPodSandbox(pod.id());
    if (status.ok()) status = client.RemovePodSandbox(pod.id());
    if (!status.ok()) return status;
  }
  std::error_code error;
  std::filesystem::remove_all(kLogDirectory, error);
  return others;
}

}  // namespace bulkhead::quickstart
