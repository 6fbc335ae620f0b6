#include "tests/unit/pods/fakes.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "absl/strings/str_replace.h"
#include "runtime/kernel/path.h"
#include "shim/pods/filter.h"
#include "shim/pods/pod.h"

namespace bulkhead::pods {
namespace {

void End(const std::shared_ptr<FakePod>& pod, const std::string& id, int code) {
  supervisor::Event event;
  {
    const std::lock_guard lock(pod->mutex);
    supervisor::ContainerState& state = pod->containers[id];
    if (state.phase() == supervisor::ContainerState::EXITED) return;
    state.set_phase(supervisor::ContainerState::EXITED);
    state.set_pid(0);
    state.mutable_exit()->set_code(code);
    state.mutable_exit()->set_finished_at(Now());
    if (pod->frozen || !pod->alive) return;
    event.mutable_container_exited()->set_id(id);
    *event.mutable_container_exited()->mutable_exit() = state.exit();
  }
  pod->callbacks.on_event(event);
}

class FakeExec : public ExecProcess {
 public:
  FakeExec(Steps& steps, std::shared_ptr<FakePod> pod, std::optional<int> code)
      : steps_(steps), pod_(std::move(pod)), ended_(eventfd(code.has_value(), EFD_CLOEXEC)) {
    exit_.set_code(code.value_or(0));
  }
  int ended_fd() const override { return ended_.get(); }
  absl::StatusOr<supervisor::ExitRecord> Result() override { return exit_; }
  absl::Status Signal(int signal, std::chrono::milliseconds) override {
    const absl::Status status = steps_.Pass("SignalExec");
    const std::lock_guard lock(pod_->mutex);
    if (status.ok()) pod_->signals["exec"].push_back(signal);
    return status;
  }

 private:
  Steps& steps_;
  const std::shared_ptr<FakePod> pod_;
  UniqueFd ended_;
  supervisor::ExitRecord exit_;
};

class FakeSupervisor : public PodSupervisor {
 public:
  FakeSupervisor(Steps& steps, std::shared_ptr<FakePod> pod)
      : steps_(steps), pod_(std::move(pod)), hello_(pod_->hello) {
    for (const auto& [id, state] : pod_->containers) *hello_.add_containers() = state;
  }

  const supervisor::HelloReply& hello() const override { return hello_; }

  absl::StatusOr<int32_t> SetUp(PodSetup setup) override {
    const absl::Status status = Call("SetUp");
    if (!status.ok()) return status;
    return setup.pid1_cgroup.empty() ? 0 : 42;
  }

  absl::StatusOr<LaunchedContainer> CreateContainer(const ContainerLaunch& launch) override {
    absl::Status status = steps_.Pass("OpenVolumes", launch.stopped);
    if (status.ok()) status = Call("CreateContainer");
    if (!status.ok()) return status;
    const std::lock_guard lock(pod_->mutex);
    supervisor::ContainerState& state = pod_->containers[launch.container.id];
    state.set_id(launch.container.id);
    state.set_phase(supervisor::ContainerState::CREATED);
    state.set_pid(100);
    pod_->cgroups[launch.container.id] = launch.container.cgroup;
    return LaunchedContainer{.pid = 100, .user = {.uid = 7, .gid = 8, .groups = {8}}};
  }

  absl::StatusOr<StartedContainer> StartContainer(const std::string& id) override {
    const absl::Status status = Call("StartContainer");
    if (!status.ok()) return status;
    const std::lock_guard lock(pod_->mutex);
    supervisor::ContainerState& state = pod_->containers[id];
    if (state.phase() == supervisor::ContainerState::CREATED) {
      state.set_phase(supervisor::ContainerState::RUNNING);
    }
    state.set_started_at(Now());
    return StartedContainer{.at = state.started_at()};
  }

  absl::Status SignalContainer(const std::string& id, int signal,
                               std::chrono::milliseconds) override {
    const absl::Status status = Call("SignalContainer");
    if (!status.ok()) return status;
    bool ends = false;
    {
      const std::lock_guard lock(pod_->mutex);
      pod_->signals[id].push_back(signal);
      ends = !pod_->ignores_signals.contains(id) && !pod_->ignores_signals.contains("*");
    }
    if (ends) End(pod_, id, 128 + signal);
    return absl::OkStatus();
  }

  absl::Status RemoveContainer(const std::string& id) override {
    const absl::Status status = Call("RemoveContainer");
    if (!status.ok()) return status;
    const std::lock_guard lock(pod_->mutex);
    return pod_->containers.erase(id) > 0 ? absl::OkStatus() : absl::NotFoundError(id);
  }

  absl::Status ReopenLog(const std::string&, const std::string&) override {
    return Call("ReopenLog");
  }

  // The command `sleep` goes on; any other says its name and ends with 3.
  absl::StatusOr<StartedExec> Exec(ExecStart start) override {
    const auto late = [&start] {
      return start.deadline && std::chrono::steady_clock::now() >= *start.deadline;
    };
    const absl::Status status = Call("Exec", late);
    if (!status.ok()) return status;
    if (late()) return absl::DeadlineExceededError("no answer");
    {
      const std::lock_guard lock(pod_->mutex);
      pod_->exec_leaf = start.leaf;
      pod_->exec_deadline = start.deadline;
    }
    StartedExec started;
    const std::string& name = start.command.front();
    const bool ends = name != "sleep";
    if (start.streams.terminal) started.terminal.reset(open("/dev/ptmx", O_RDWR | O_CLOEXEC));
    if (ends && start.streams.out >= 0 && write(start.streams.out, name.data(), name.size()) < 0) {
      return absl::InternalError("write");
    }
    started.process =
        std::make_unique<FakeExec>(steps_, pod_, ends ? std::optional<int>(3) : std::nullopt);
    return started;
  }

  absl::StatusOr<UniqueFd> Attach(AttachStart start) override {
    const absl::Status status = Call("Attach");
    if (!status.ok()) return status;
    const std::lock_guard lock(pod_->mutex);
    pod_->attached_once = start.in_once;
    pod_->attached_out = std::move(start.out);
    pod_->attached_err = std::move(start.err);
    if (!start.in) return UniqueFd();
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return absl::InternalError("pipe2");
    pod_->attached_in.reset(ends[0]);
    return UniqueFd(ends[1]);
  }

  absl::Status Ping(std::chrono::milliseconds) override { return Call("Ping"); }

  absl::Status Shutdown(std::chrono::milliseconds) override {
    const absl::Status status = Call("Shutdown");
    if (status.ok()) Die();
    return status;
  }

  void Kill() override { Die(); }

  absl::Status Wait(absl::Time) override {
    const std::lock_guard lock(pod_->mutex);
    return pod_->alive ? absl::DeadlineExceededError("still there") : absl::OkStatus();
  }

 private:
  absl::Status Call(const std::string& step, const std::function<bool()>& give_up = nullptr) {
    const absl::Status status = steps_.Pass(step, [&] {
      const std::lock_guard lock(pod_->mutex);
      return !pod_->alive || (give_up && give_up());
    });
    const std::lock_guard lock(pod_->mutex);
    if (!pod_->alive) return absl::UnavailableError("the supervisor is gone");
    if (pod_->frozen) return absl::DeadlineExceededError("no answer");
    return status;
  }

  void Die() {
    {
      const std::lock_guard lock(pod_->mutex);
      if (!std::exchange(pod_->alive, false)) return;
    }
    steps_.Wake();
    pod_->callbacks.on_lost(absl::UnavailableError("connection closed"));
  }

  Steps& steps_;
  const std::shared_ptr<FakePod> pod_;
  supervisor::HelloReply hello_;
};

}  // namespace

void Steps::Fail(const std::string& step, absl::Status status, int times) {
  const std::lock_guard lock(mutex_);
  failures_[step] = {std::move(status), times};
}

void Steps::Hold(const std::string& step) {
  const std::lock_guard lock(mutex_);
  held_.insert(step);
}

void Steps::CrashIn(const std::string& step) {
  const std::lock_guard lock(mutex_);
  crashing_.insert(step);
}

void Steps::LetGo(const std::string& step) {
  const std::lock_guard lock(mutex_);
  held_.erase(step);
  crashed_.erase(step);
  changed_.notify_all();
}

void Steps::AwaitHeld(const std::string& step) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return waiting_[step] > 0; });
}

int Steps::Count(const std::string& step) {
  const std::lock_guard lock(mutex_);
  return counts_[step];
}

void Steps::Wake() {
  const std::lock_guard lock(mutex_);
  changed_.notify_all();
}

absl::Status Steps::Pass(const std::string& step, const std::function<bool()>& give_up) {
  std::unique_lock lock(mutex_);
  ++counts_[step];
  if (crashing_.erase(step) > 0) {
    crashed_.insert(step);
    ++waiting_[step];
    changed_.notify_all();
    changed_.wait(lock, [&] { return !crashed_.contains(step); });
    return absl::AbortedError("the daemon crashed");
  }
  if (held_.contains(step)) {
    ++waiting_[step];
    changed_.notify_all();
    // Someone else's descriptor or flag can end the wait, so it is looked at now and then.
    while (held_.contains(step) && !(give_up && give_up())) {
      changed_.wait_for(lock, std::chrono::milliseconds(5));
    }
    --waiting_[step];
  }
  const auto failure = failures_.find(step);
  if (failure == failures_.end() || failure->second.second == 0) return absl::OkStatus();
  --failure->second.second;
  return failure->second.first;
}

absl::StatusOr<std::shared_ptr<PodSupervisor>> FakeHost::SpawnSupervisor(
    const std::string&, const std::string& directory, SupervisorCallbacks callbacks) {
  const absl::Status status = steps_.Pass("SpawnSupervisor");
  if (!status.ok()) return status;
  auto pod = std::make_shared<FakePod>();
  pod->directory = directory;
  pod->callbacks = std::move(callbacks);
  const std::lock_guard lock(mutex_);
  if (ignore_signals_) pod->ignores_signals.insert("*");
  pods_[directory] = pod;
  return std::make_shared<FakeSupervisor>(steps_, pod);
}

absl::StatusOr<std::shared_ptr<PodSupervisor>> FakeHost::ConnectSupervisor(
    const std::string& directory, SupervisorCallbacks callbacks) {
  const absl::Status status = steps_.Pass("ConnectSupervisor");
  if (!status.ok()) return status;
  const std::lock_guard lock(mutex_);
  const auto pod = pods_.find(directory);
  if (pod == pods_.end() || !pod->second->alive) return absl::UnavailableError("nobody listens");
  pod->second->callbacks = std::move(callbacks);
  return std::make_shared<FakeSupervisor>(steps_, pod->second);
}

absl::Status FakeHost::KillSupervisor(const std::string& directory, absl::Time) {
  const absl::Status status = steps_.Pass("KillSupervisor");
  const std::lock_guard lock(mutex_);
  const auto pod = pods_.find(directory);
  if (status.ok() && pod != pods_.end()) {
    const std::lock_guard dying(pod->second->mutex);
    pod->second->alive = false;
  }
  return status;
}

absl::StatusOr<std::string> FakeHost::CanonicalSelinuxContext(const std::string& label) {
  if (unknown_type.empty() || label.find(unknown_type) == std::string::npos) {
    return absl::StrReplaceAll(label, {{"c2,c1", "c1,c2"}});
  }
  return absl::InvalidArgumentError("no context \"" + label + "\"");
}

absl::StatusOr<isolation::OwnedNamespaces> FakeHost::CreateUserNamespace(
    const spec::UserNamespace&) {
  const absl::Status status = steps_.Pass("CreateUserNamespace");
  if (!status.ok()) return status;
  isolation::OwnedNamespaces spaces;
  for (UniqueFd* space : {&spaces.user, &spaces.network, &spaces.ipc, &spaces.uts}) {
    space->reset(open("/dev/null", O_RDONLY | O_CLOEXEC));
  }
  return spaces;
}

absl::Status FakeHost::CreateNetns(const std::string& pod_id, int) {
  const absl::Status status = steps_.Pass("CreateNetns");
  const std::lock_guard lock(mutex_);
  if (status.ok()) netns_.insert(NetnsPath(pod_id));
  return status;
}

absl::Status FakeHost::RemoveNetns(const std::string& path) {
  const absl::Status status = steps_.Pass("RemoveNetns");
  const std::lock_guard lock(mutex_);
  if (status.ok()) netns_.erase(path);
  return status;
}

bool FakeHost::CgroupExists(const std::string& path) const {
  const std::lock_guard lock(mutex_);
  return cgroups.contains(path);
}

absl::StatusOr<std::unique_ptr<isolation::CgroupHold>> FakeHost::CreateCgroup(
    const std::string& path, const spec::Resources&) {
  const absl::Status status = steps_.Pass("CreateCgroup");
  if (!status.ok()) return status;
  const std::lock_guard lock(mutex_);
  for (size_t end = path.find('/', 1); true; end = path.find('/', end + 1)) {
    cgroups.insert(path.substr(0, end));
    if (end == std::string::npos) return nullptr;
  }
}

absl::Status FakeHost::Confine(const std::string&, const spec::ContainerSpec&) {
  return steps_.Pass("Confine");
}

absl::Status FakeHost::SetResources(const std::string&, const spec::Resources& resources) {
  const absl::Status status = steps_.Pass("SetResources");
  const std::lock_guard lock(mutex_);
  if (status.ok()) updated = resources;
  return status;
}

std::vector<std::shared_ptr<FakePod>> FakeHost::Pods() {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<FakePod>> pods;
  for (const auto& [directory, pod] : pods_) pods.push_back(pod);
  return pods;
}

absl::Status FakeHost::KillCgroup(const std::string& path, absl::Time) {
  const absl::Status status = steps_.Pass("KillCgroup");
  if (!status.ok()) return status;
  for (const auto& pod : Pods()) {
    std::vector<std::string> killed;
    {
      const std::lock_guard lock(pod->mutex);
      for (const auto& [id, cgroup] : pod->cgroups) {
        if (IsAtOrBelow(cgroup, path) && pod->containers.contains(id)) killed.push_back(id);
      }
    }
    for (const std::string& id : killed) End(pod, id, 128 + SIGKILL);
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> FakeHost::CgroupIsEmpty(const std::string& path) {
  for (const auto& pod : Pods()) {
    const std::lock_guard lock(pod->mutex);
    for (const auto& [id, cgroup] : pod->cgroups) {
      const auto state = pod->containers.find(id);
      if (IsAtOrBelow(cgroup, path) && state != pod->containers.end() &&
          state->second.phase() != supervisor::ContainerState::EXITED) {
        return false;
      }
    }
  }
  return true;
}

absl::Status FakeHost::RemoveCgroup(const std::string& path, absl::Time) {
  const absl::Status status = steps_.Pass("RemoveCgroup");
  const std::lock_guard lock(mutex_);
  if (status.ok()) std::erase_if(cgroups, [&](const auto& at) { return IsAtOrBelow(at, path); });
  return status;
}

absl::StatusOr<std::string> FakeHost::CreateExecLeaf(const std::string& container,
                                                     const std::string& name) {
  const absl::Status status = steps_.Pass("CreateExecLeaf");
  if (!status.ok()) return status;
  const std::lock_guard lock(mutex_);
  cgroups.insert(container + "/" + name);
  return container + "/" + name;
}

std::vector<std::string> FakeHost::ExecLeavesOf(const std::string& container) {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> leaves;
  for (const std::string& path : cgroups) {
    if (HasPrefix(path, container + "/")) leaves.push_back(path);
  }
  return leaves;
}

absl::StatusOr<bool> FakeHost::RemoveExecLeaf(const std::string& leaf) {
  const absl::Status status = steps_.Pass("RemoveExecLeaf");
  const std::lock_guard lock(mutex_);
  if (absl::IsFailedPrecondition(status)) return false;
  cgroups.erase(leaf);
  return true;
}

absl::StatusOr<UniqueFd> FakeHost::Connect(const std::string& netns, uint16_t port,
                                           std::chrono::milliseconds) {
  const absl::Status status = steps_.Pass("Connect");
  if (!status.ok()) return status;
  const std::lock_guard lock(mutex_);
  connected = {netns, port};
  return UniqueFd(eventfd(0, EFD_CLOEXEC));
}

std::shared_ptr<FakePod> FakeHost::OnlyPod() { return Pods().at(0); }

void FakeHost::EndContainer(const std::string& id, int code) {
  for (const auto& pod : Pods()) {
    bool has = false;
    {
      const std::lock_guard lock(pod->mutex);
      has = pod->containers.contains(id);
    }
    if (has) End(pod, id, code);
  }
}

void FakeHost::CrashSupervisors(bool containers_too) {
  for (const auto& pod : Pods()) {
    {
      const std::lock_guard lock(pod->mutex);
      pod->alive = false;
      if (containers_too) pod->containers.clear();
    }
    steps_.Wake();
    pod->callbacks.on_lost(absl::UnavailableError("connection closed"));
  }
}

void FakeHost::FreezeSupervisors() {
  for (const auto& pod : Pods()) {
    const std::lock_guard lock(pod->mutex);
    pod->frozen = true;
  }
}

std::vector<int> FakeHost::SignalsTo(const std::string& id) {
  std::vector<int> signals;
  for (const auto& pod : Pods()) {
    const std::lock_guard lock(pod->mutex);
    const auto found = pod->signals.find(id);
    if (found != pod->signals.end()) signals = found->second;
  }
  return signals;
}

void FakeHost::IgnoreSignals() {
  const std::lock_guard lock(mutex_);
  ignore_signals_ = true;
}

std::set<std::string> FakeHost::Left() {
  std::set<std::string> left;
  for (const auto& pod : Pods()) {
    if (pod->alive) left.insert("supervisor " + pod->directory);
  }
  const std::lock_guard lock(mutex_);
  for (const std::string& path : netns_) left.insert("netns " + path);
  for (const std::string& path : cgroups) left.insert("cgroup " + path);
  return left;
}

absl::StatusOr<network::PodNetworkResult> FakeNetwork::Add(
    const network::PodNetworkRequest& request) {
  const auto cancelled = [&request] {
    pollfd fd{request.cancel_fd, POLLIN, 0};
    return request.cancel_fd >= 0 && poll(&fd, 1, 0) == 1;
  };
  {
    const std::lock_guard lock(mutex_);
    last_request = request;
    attached.insert(request.pod_id);
  }
  const absl::Status status = steps_.Pass("Add", cancelled);
  if (cancelled()) {
    const std::lock_guard lock(mutex_);
    attached.erase(request.pod_id);
    return absl::CancelledError("cancelled");
  }
  if (!status.ok()) return status;
  return network::PodNetworkResult{.ips = {"10.0.0.2"}};
}

absl::Status FakeNetwork::Del(const std::string& pod_id) {
  const absl::Status status = steps_.Pass("Del");
  const std::lock_guard lock(mutex_);
  if (status.ok()) attached.erase(pod_id);
  return status;
}

absl::StatusOr<std::vector<std::string>> FakeNetwork::List() const {
  const std::lock_guard lock(mutex_);
  return std::vector<std::string>(attached.begin(), attached.end());
}

absl::StatusOr<std::optional<ContainerImage>> FakeImages::Find(const std::string& image) {
  const absl::Status status = steps_.Pass("Find");
  if (!status.ok()) return status;
  if (image == "data") return ContainerImage{.id = "sha256:3", .ref = "data@sha256:4"};
  if (image != "busybox") return std::optional<ContainerImage>();
  return ContainerImage{.id = "sha256:1", .ref = "busybox@sha256:2", .stop_signal = "SIGQUIT"};
}

absl::StatusOr<std::vector<std::string>> FakeImages::Acquire(const std::string& container_id,
                                                             const std::string& image_id) {
  absl::Status status = steps_.Pass("Acquire");
  if (status.ok()) status = steps_.Pass("Acquire " + image_id);
  if (!status.ok()) return status;
  const std::lock_guard lock(mutex_);
  leases.emplace(container_id, image_id);
  return std::vector<std::string>{"/layers/" + image_id};
}

void FakeImages::Release(const std::string& container_id) {
  const std::lock_guard lock(mutex_);
  std::erase_if(leases, [&](const auto& lease) { return lease.first == container_id; });
}

}  // namespace bulkhead::pods
