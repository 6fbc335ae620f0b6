#include "tests/bench/target.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "runtime/kernel/fd.h"
#include "tests/conformance/fixture/must.h"

namespace bulkhead::bench {
namespace {

using fixture::Must;

// The process that listens on a unix socket.
pid_t ListenerOf(const std::string& endpoint) {
  constexpr std::string_view kScheme = "unix://";
  const std::string path =
      endpoint.starts_with(kScheme) ? endpoint.substr(kScheme.size()) : endpoint;
  UniqueFd connection(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{.sun_family = AF_UNIX};
  strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  ucred peer{};
  socklen_t size = sizeof peer;
  if (connect(connection.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) < 0 ||
      getsockopt(connection.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0) {
    throw std::runtime_error("nobody listens on " + path);
  }
  return peer.pid;
}

// The kibibytes that a file of /proc/PID has behind a name; 0 for a process that has ended.
long KibibytesIn(pid_t pid, const char* file, const std::string& name) {
  std::ifstream lines("/proc/" + std::to_string(pid) + "/" + file);
  for (std::string word; lines >> word;) {
    long kibibytes = 0;
    if (word == name && lines >> kibibytes) return kibibytes;
  }
  return 0;
}

long PssOf(pid_t pid) { return KibibytesIn(pid, "smaps_rollup", "Pss:"); }

std::string CommandLine(const std::filesystem::path& process) {
  // Reading fails when the process ended meanwhile.
  std::ifstream file(process / "cmdline", std::ios::binary);
  std::ostringstream content;
  content << file.rdbuf();
  std::string line = content.str();
  std::replace(line.begin(), line.end(), '\0', ' ');
  return line;
}

}  // namespace

Target::Target(const std::string& endpoint, const std::string& pod_processes,
               const std::filesystem::path& log_folder)
    : client_(Must(client::Client::Connect(endpoint, std::chrono::seconds(10)))),
      log_folder_(log_folder),
      pod_processes_(pod_processes),
      daemon_(ListenerOf(endpoint)),
      before_(PodProcesses()) {
  const auto version = Must(client_->Version());
  name_ = version.runtime_name() + " " + version.runtime_version();
}

v1::PodSandboxConfig Target::NewPod(PodNetwork network) {
  const std::string number = std::to_string(getpid()) + "-" + std::to_string(++made_);
  v1::PodSandboxConfig config;
  config.mutable_metadata()->set_name("bench-" + number);
  config.mutable_metadata()->set_namespace_("bench");
  config.mutable_metadata()->set_uid("bench-" + number);
  config.set_log_directory(log_folder_ / number);
  std::filesystem::create_directories(config.log_directory());
  auto* options = config.mutable_linux()->mutable_security_context()->mutable_namespace_options();
  options->set_pid(v1::CONTAINER);
  if (network == PodNetwork::kHost) {
    options->set_network(v1::NODE);
  } else {
    config.set_hostname("bench-" + number);
  }
  return config;
}

v1::ContainerConfig Target::NewContainer(const v1::PodSandboxConfig& pod,
                                         const std::vector<std::string>& command) {
  v1::ContainerConfig config;
  config.mutable_metadata()->set_name("main");
  config.mutable_image()->set_image(image_);
  config.set_log_path("main.log");
  for (const std::string& argument : command) config.add_command(argument);
  *config.mutable_linux()->mutable_security_context()->mutable_namespace_options() =
      pod.linux().security_context().namespace_options();
  return config;
}

std::string Target::RunIdlePod(PodNetwork network) {
  const auto pod = NewPod(network);
  const std::string id = Must(client_->RunPodSandbox(pod));
  const auto container = NewContainer(pod, {"sleep", "1000000"});
  Must(client_->StartContainer(Must(client_->CreateContainer(id, container, pod))));
  return id;
}

void Target::RemovePod(const std::string& id) {
  Must(client_->StopPodSandbox(id));
  Must(client_->RemovePodSandbox(id));
}

std::vector<pid_t> Target::PodProcesses() const {
  std::vector<pid_t> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const pid_t pid = std::stoi(name);
    if (pid == daemon_ || std::find(before_.begin(), before_.end(), pid) != before_.end()) continue;
    if (std::regex_search(CommandLine(entry.path()), pod_processes_)) found.push_back(pid);
  }
  return found;
}

long Target::DaemonPss() const { return PssOf(daemon_); }

long Target::DaemonRssAndForgetPeak() const {
  std::ofstream("/proc/" + std::to_string(daemon_) + "/clear_refs") << "5";  // proc(5)
  return KibibytesIn(daemon_, "status", "VmRSS:");
}

long Target::DaemonPeakRss() const { return KibibytesIn(daemon_, "status", "VmHWM:"); }

long Target::PodProcessesPss() const {
  long total = 0;
  for (pid_t pid : PodProcesses()) total += PssOf(pid);
  return total;
}

}  // namespace bulkhead::bench
