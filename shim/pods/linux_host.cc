#include "shim/pods/linux_host.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <glog/logging.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/isolation/apparmor.h"
#include "runtime/isolation/devices.h"
#include "runtime/isolation/selinux_policy.h"
#include "runtime/isolation/systemd_bus.h"
#include "runtime/isolation/systemd_cgroup.h"
#include "runtime/kernel/file.h"
#include "runtime/kernel/status.h"
#include "runtime/supervisor/place_holder.h"
#include "runtime/supervisor/socket_address.h"
#include "runtime/supervisor/upgrade.h"
#include "shim/log/event.h"
#include "shim/network/localhost.h"
#include "shim/network/netns.h"
#include "shim/pods/files.h"
#include "shim/pods/isolation_status.h"

namespace bulkhead::pods {
namespace {

using supervisor::SupervisorClient;

// Also on a machine that is busy with starting a hundred pods.
constexpr std::chrono::milliseconds kGreetTimeout{30000};
constexpr absl::Duration kKillTimeout = absl::Seconds(10);

std::string SocketIn(const std::string& directory) { return directory + "/supervisor.sock"; }

// The cgroup that this process was started in, by the tree that the service manager uses.
std::string OwnCgroup(const isolation::CgroupFacts& facts) {
  const isolation::CgroupHierarchy* named = facts.FindV1("name=systemd");
  std::string path = named != nullptr ? named->own_path : facts.v2 ? facts.v2->own_path : "/";
  while (!path.empty() && path.back() == '/') path.pop_back();
  return path;
}

absl::StatusOr<UniqueFd> OpenProcess(pid_t pid) {
  UniqueFd process(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (!process.valid()) return ErrnoStatus(errno, absl::StrCat("open process ", pid));
  return process;
}

// The process that listens at a unix socket, whether or not it still accepts.
absl::StatusOr<pid_t> ListenerOf(const std::string& path) {
  const UniqueFd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket.valid()) return ErrnoStatus(errno, "socket");
  const absl::StatusOr<supervisor::SocketAddress> address = supervisor::SocketAddress::Of(path);
  if (!address.ok()) return address.status();
  if (connect(socket.get(), address->get(), address->size()) != 0) {
    return ErrnoStatus(errno, "connect to " + path);
  }
  ucred peer{};
  socklen_t size = sizeof(peer);
  if (getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
    return ErrnoStatus(errno, "SO_PEERCRED of " + path);
  }
  return peer.pid;
}

// Ends a supervisor that does not answer, so that nobody takes its pod for alive. OK when nobody
// listens.
absl::Status KillListener(const std::string& path, absl::Time deadline) {
  const absl::StatusOr<pid_t> pid = ListenerOf(path);
  const int error = ErrnoOf(pid.status());
  if (error == ENOENT || error == ECONNREFUSED) return absl::OkStatus();
  if (!pid.ok()) return pid.status();
  const absl::StatusOr<UniqueFd> process = OpenProcess(*pid);
  if (ErrnoOf(process.status()) == ESRCH) return absl::OkStatus();
  if (!process.ok()) return process.status();
  // Still listening, so the number was still its own when the pidfd was opened.
  const absl::StatusOr<pid_t> again = ListenerOf(path);
  if (!again.ok() || *again != *pid) return absl::OkStatus();
  syscall(SYS_pidfd_send_signal, process->get(), SIGKILL, nullptr, 0);
  return AwaitEnd(process->get(), deadline);
}

// The supervisors that an earlier daemon left: their program is taken for new ones too.
std::vector<pid_t> RunningSupervisors(const std::string& pods_directory) {
  std::vector<pid_t> pids;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(pods_directory, error), end;
       !error && entry != end; entry.increment(error)) {
    const absl::StatusOr<pid_t> pid = ListenerOf(SocketIn(entry->path()));
    if (pid.ok()) pids.push_back(*pid);
  }
  return pids;
}

// Where the files below a container's root are. Without the labels the policy keeps containers
// from their programs.
absl::Status LabelStores(const config::Config& config) {
  using isolation::StoreContent;
  const std::string containers = config.daemon.data_dir + "/containers";
  absl::Status labelled = MakeDirectories(containers, 0711);
  // What is there already is of containers that run with what it has, or never will again.
  labelled.Update(isolation::LabelStore(containers, StoreContent::kLeft));
  const std::string images = config::ImageDir(config);
  labelled.Update(isolation::LabelStore(images, StoreContent::kLabelled));
  // Each layer for itself too: one that came from a backup may have none.
  std::error_code error;
  for (std::filesystem::directory_iterator layer(images + "/layers/sha256", error), end;
       !error && layer != end; layer.increment(error)) {
    labelled.Update(isolation::LabelStore(layer->path(), StoreContent::kLabelled));
  }
  if (error && error.value() != ENOENT) labelled.Update(ErrnoStatus(error.value(), images));
  return labelled;
}

// What the host's policy says, once the stores have its labels.
std::optional<isolation::SelinuxFacts> PrepareSelinux(
    const config::Config& config, std::optional<isolation::SelinuxFacts> facts) {
  if (!config.isolation.selinux || !facts.has_value()) return std::nullopt;
  if (facts->problem.empty()) {
    const absl::Status labelled = LabelStores(config);
    if (!labelled.ok()) {
      facts->problem = absl::StrCat("images cannot be labelled: ", labelled.ToString());
    }
  }
  // Pods are refused then, each with the reason.
  LOG_IF(WARNING, !facts->problem.empty())
      << Event("no SELinux labels for containers").With("reason", facts->problem);
  return facts;
}

// The manager that the configuration asks for.
absl::StatusOr<std::unique_ptr<isolation::CgroupManager>> CgroupsFor(
    const config::CgroupConfig& config, const isolation::HostFacts& facts,
    const supervisor::SupervisorImage& image) {
  auto files = isolation::CgroupManager::ForHost(facts);
  if (config.driver != "systemd") return files;
  if (!facts.systemd) {
    return absl::FailedPreconditionError(
        "cgroup.driver \"systemd\": systemd does not run on this host; use \"cgroupfs\" here and "
        "in "
        "the kubelet");
  }
  if (facts.cgroup.layout != isolation::CgroupLayout::kV2) {
    return absl::FailedPreconditionError(
        "cgroup.driver \"systemd\": needs cgroup v2, and this host's controllers are on v1; use "
        "\"cgroupfs\" here and in the kubelet");
  }
  const absl::Status answers = isolation::SystemdBus::Check();
  if (!answers.ok()) return Annotate(answers, "cgroup.driver \"systemd\"");
  absl::StatusOr<UniqueFd> program = image.Duplicate();
  if (!program.ok()) return program.status();
  const auto shared = std::make_shared<UniqueFd>(*std::move(program));
  return std::make_unique<isolation::SystemdCgroups>(
      std::move(files), std::make_unique<isolation::SystemdBus>(),
      [shared] { return supervisor::IdleProcess::Start(shared->get()); });
}

}  // namespace

LinuxHost::LinuxHost(PlanContext context, supervisor::SupervisorImage image,
                     std::unique_ptr<supervisor::ClientLoop> loop, std::string netns_directory)
    : context_(std::move(context)),
      image_(std::move(image)),
      loop_(std::move(loop)),
      netns_directory_(std::move(netns_directory)) {}

LinuxHost::~LinuxHost() {
  if (context_.supervisors_cgroup.empty()) return;
  context_.cgroups->Remove(context_.supervisors_cgroup, absl::Now()).IgnoreError();
}

absl::StatusOr<std::unique_ptr<LinuxHost>> LinuxHost::Open(const config::Config& config) {
  PlanContext context;
  absl::StatusOr<isolation::HostFacts> facts = isolation::ProbeHost();
  if (!facts.ok()) return Annotate(facts.status(), "probe the host");
  context.facts = *std::move(facts);
  context.own_directories = {config.daemon.state_dir, config.daemon.data_dir, config.cni.netns_dir};
  context.facts.selinux = PrepareSelinux(config, std::move(context.facts.selinux));
  auto image = supervisor::SupervisorImage::Load(
      config.daemon.supervisor, RunningSupervisors(config.daemon.state_dir + "/pods"));
  if (!image.ok()) return Annotate(image.status(), "load the supervisor's program");
  auto cgroups = CgroupsFor(config.cgroup, context.facts, *image);
  if (!cgroups.ok()) return cgroups.status();
  context.cgroups = *std::move(cgroups);
  context.seccomp = std::make_unique<isolation::SeccompCompiler>(config.isolation.seccomp_agent);
  context.apparmor = std::make_unique<AppArmorProfiles>();
  if (context.facts.apparmor) {
    const absl::Status loaded = context.apparmor->RenewDefault();
    // Containers that need it get an earlier version's, or are refused where there is none.
    LOG_IF(WARNING, !loaded.ok())
        << Event("this version's default AppArmor profile is not loaded").With("reason", loaded);
  }
  if (!context.facts.cgroup.v1.empty()) {
    context.supervisors_cgroup =
        absl::StrCat(OwnCgroup(context.facts.cgroup), "/", config.cgroup.supervisors);
    const auto made = context.cgroups->Create(context.supervisors_cgroup);
    if (!made.ok()) return Annotate(made.status(), "make the supervisors' cgroup");
  }
  auto loop = supervisor::ClientLoop::Start();
  if (!loop.ok()) return loop.status();
  return std::unique_ptr<LinuxHost>(
      new LinuxHost(std::move(context), *std::move(image), *std::move(loop), config.cni.netns_dir));
}

absl::StatusOr<std::shared_ptr<PodSupervisor>> LinuxHost::SpawnSupervisor(
    const std::string& pod_id, const std::string& directory, SupervisorCallbacks callbacks) {
  auto spawned = supervisor::SpawnSupervisor(image_, pod_id, SocketIn(directory));
  if (!spawned.ok()) return spawned.status();
  auto execs = std::make_shared<ExecTable>();
  auto client = SupervisorClient::Attach(
      *loop_, std::move(spawned->connection),
      SupervisorConnection::Callbacks(execs, std::move(callbacks)), kGreetTimeout);
  const bool greeted = client.ok();
  auto connection = std::make_shared<SupervisorConnection>(context_, greeted ? *client : nullptr,
                                                           execs, std::move(spawned->pidfd));
  if (greeted) return connection;
  connection->Kill();
  connection->Wait(absl::Now() + kKillTimeout).IgnoreError();
  return client.status();
}

absl::StatusOr<std::shared_ptr<PodSupervisor>> LinuxHost::ConnectSupervisor(
    const std::string& directory, SupervisorCallbacks callbacks) {
  const std::string socket = SocketIn(directory);
  auto execs = std::make_shared<ExecTable>();
  auto client = SupervisorClient::Connect(
      *loop_, socket, SupervisorConnection::Callbacks(execs, std::move(callbacks)), kGreetTimeout);
  if (absl::IsNotFound(client.status())) return absl::UnavailableError("there is no supervisor");
  if (absl::IsDeadlineExceeded(client.status())) {
    const absl::Status killed = KillListener(socket, absl::Now() + kKillTimeout);
    return absl::UnavailableError(
        absl::StrCat("the supervisor does not answer and was killed: ", killed.ToString()));
  }
  if (!client.ok()) return client.status();
  absl::StatusOr<UniqueFd> process = OpenProcess((*client)->peer_pid());
  if (!process.ok()) return absl::UnavailableError(process.status().message());
  auto connection =
      std::make_shared<SupervisorConnection>(context_, *client, execs, *std::move(process));
  // An answer proves that the process was still there when its pidfd was opened.
  const absl::Status alive = connection->Ping(kGreetTimeout);
  if (!alive.ok()) return absl::UnavailableError(alive.message());
  const auto upgraded = supervisor::UpgradeSupervisor(**client, image_, kGreetTimeout);
  // The older build goes on; a security fix has not reached this pod, which is worth a line.
  LOG_IF(WARNING, !upgraded.ok()) << "supervisor keeps its build socket=" << socket
                                  << " error=" << upgraded.status();
  if (!upgraded.value_or(false)) return connection;
  const absl::Status renewed = connection->Renew(kGreetTimeout);
  if (!renewed.ok()) return absl::UnavailableError(renewed.message());
  return connection;
}

absl::Status LinuxHost::KillSupervisor(const std::string& directory, absl::Time deadline) {
  return KillListener(SocketIn(directory), deadline);
}

std::string LinuxHost::NetnsPath(const std::string& pod_id) const {
  return absl::StrCat(netns_directory_, "/bulkhead-", pod_id);
}

const isolation::SelinuxFacts* LinuxHost::Selinux() const {
  return context_.facts.selinux.has_value() ? &*context_.facts.selinux : nullptr;
}

absl::StatusOr<std::string> LinuxHost::CanonicalSelinuxContext(const std::string& label) {
  return isolation::CanonicalSelinuxContext(label);
}

absl::StatusOr<isolation::OwnedNamespaces> LinuxHost::CreateUserNamespace(
    const spec::UserNamespace& asked) {
  absl::StatusOr<UniqueFd> procfs = OpenOwnProcfs();
  if (!procfs.ok()) return procfs.status();
  return isolation::MakeOwnedNamespaces(procfs->get(), asked.uids, asked.gids);
}

absl::Status LinuxHost::CreateNetns(const std::string& pod_id, int network) {
  auto netns = network::PinnedNetns::Create(netns_directory_, "bulkhead-" + pod_id, network);
  if (!netns.ok()) return netns.status();
  netns->Keep();
  return absl::OkStatus();
}

absl::Status LinuxHost::RemoveNetns(const std::string& path) { return network::RemoveNetns(path); }

bool LinuxHost::CgroupExists(const std::string& path) const {
  const isolation::CgroupJoinPaths join = context_.cgroups->JoinPaths(path);
  const std::string file = join.v1_tasks.empty() ? join.v2_directory : join.v1_tasks.front();
  return access(file.c_str(), F_OK) == 0;
}

absl::StatusOr<std::unique_ptr<isolation::CgroupHold>> LinuxHost::CreateCgroup(
    const std::string& path, const spec::Resources& resources) {
  return context_.cgroups->CreateLimited(path, resources);
}

absl::Status LinuxHost::Confine(const std::string& path, const spec::ContainerSpec& spec) {
  if (spec.security.privileged) return absl::OkStatus();
  const auto devices = isolation::FindDevices(spec);
  if (!devices.ok()) return devices.status();
  return context_.cgroups->SetDevices(path, isolation::PlanDeviceRules(*devices));
}

absl::StatusOr<std::vector<isolation::Comparison>> LinuxHost::CompareIsolation(
    const PodRecord& pod, const ContainerRecord& container, const std::string& plan_file,
    int32_t pid) {
  return CompareWithPlan(*context_.cgroups, pod, container, plan_file, pid);
}

absl::Status LinuxHost::SetResources(const std::string& path, const spec::Resources& resources) {
  return context_.cgroups->SetResources(path, resources);
}

absl::Status LinuxHost::KillCgroup(const std::string& path, absl::Time deadline) {
  return context_.cgroups->Kill(path, deadline);
}

absl::StatusOr<bool> LinuxHost::CgroupIsEmpty(const std::string& path) {
  return context_.cgroups->IsEmpty(path);
}

absl::Status LinuxHost::RemoveCgroup(const std::string& path, absl::Time deadline) {
  return context_.cgroups->Remove(path, deadline);
}

absl::StatusOr<std::string> LinuxHost::CreateExecLeaf(const std::string& container,
                                                      const std::string& name) {
  return context_.cgroups->CreateExecLeaf(container, name);
}

std::vector<std::string> LinuxHost::ExecLeavesOf(const std::string& container) {
  return context_.cgroups->ExecLeavesOf(container);
}

absl::StatusOr<bool> LinuxHost::RemoveExecLeaf(const std::string& leaf) {
  return context_.cgroups->RemoveExecLeaf(leaf);
}

std::string LinuxHost::ExecLeafEvents(const std::string& leaf) const {
  return context_.cgroups->ExecLeafEvents(leaf);
}

absl::StatusOr<UniqueFd> LinuxHost::Connect(const std::string& netns, uint16_t port,
                                            std::chrono::milliseconds bound) {
  return network::ConnectToLocalhost(netns, port, bound);
}

}  // namespace bulkhead::pods
