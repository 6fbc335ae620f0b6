#include "shim/pods/supervisor_connection.h"

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "runtime/isolation/plan_pod.h"
#include "runtime/kernel/status.h"
#include "runtime/supervisor/protocol.h"

namespace bulkhead::pods {
namespace {

using supervisor::Request;
using supervisor::Response;
using supervisor::SupervisorClient;

// Far above what a call takes, also on a machine that swaps.
constexpr std::chrono::milliseconds kCallTimeout{60000};

}  // namespace

SupervisorClient::Callbacks SupervisorConnection::Callbacks(std::shared_ptr<ExecTable> execs,
                                                            SupervisorCallbacks callbacks) {
  return {.on_event =
              [execs, on_event = std::move(callbacks.on_event)](const supervisor::Event& event) {
                if (event.has_exec_exited()) {
                  execs->OnExited(event.exec_exited().exec_id(), event.exec_exited().exit());
                } else {
                  on_event(event);
                }
              },
          .on_disconnect =
              [execs, on_lost = std::move(callbacks.on_lost)](const absl::Status& why) {
                execs->OnLost();
                on_lost(why);
              }};
}

SupervisorConnection::SupervisorConnection(const PlanContext& context,
                                           std::shared_ptr<SupervisorClient> client,
                                           std::shared_ptr<ExecTable> execs, UniqueFd process)
    : context_(context),
      client_(std::move(client)),
      execs_(std::move(execs)),
      process_(std::move(process)),
      // Without a client it is one that did not greet, only to be ended.
      protocol_(client_ != nullptr ? client_->hello().protocol() : 0) {}

absl::Status SupervisorConnection::Renew(std::chrono::milliseconds timeout) {
  const auto hello = Hello(timeout);
  if (hello.ok()) protocol_ = hello->protocol();
  return hello.status();
}

absl::Status SupervisorConnection::CheckKnown(const plan::LsmPlan& lsm,
                                              const plan::SeccompPlan& seccomp) const {
  if (!lsm.apparmor_profile().empty() && protocol_ < supervisor::kProtocolLsm) {
    return absl::FailedPreconditionError("the supervisor is of a version without AppArmor");
  }
  if (seccomp.has_listener() && protocol_ < supervisor::kProtocolSeccompAgent) {
    return absl::FailedPreconditionError("the supervisor is of a version without seccomp agents");
  }
  return CheckSelinux(lsm.selinux_label());
}

absl::Status SupervisorConnection::CheckSelinux(const std::string& label) const {
  if (label.empty() || protocol_ >= supervisor::kProtocolSelinux) return absl::OkStatus();
  return absl::FailedPreconditionError("the supervisor is of a version without SELinux");
}

absl::StatusOr<int32_t> SupervisorConnection::SetUp(PodSetup setup) {
  const bool user_namespace = spec::OwnUserNamespace(setup.pod.spec.security.namespaces) != nullptr;
  if (user_namespace && protocol_ < supervisor::kProtocolUserNamespaces) {
    return absl::FailedPreconditionError("the supervisor is of a version without user namespaces");
  }
  if (absl::Status known = CheckSelinux(setup.pod.selinux.mount); !known.ok()) return known;
  isolation::PodInput input{.spec = setup.pod.spec,
                            .host = context_.facts,
                            .network_namespace = setup.pod.network_namespace,
                            .selinux = setup.pod.selinux};
  if (!setup.pid1_cgroup.empty()) {
    input.pid1_cgroup = context_.cgroups->JoinPaths(setup.pid1_cgroup);
  }
  if (!context_.supervisors_cgroup.empty()) {
    input.supervisor_cgroup = context_.cgroups->JoinPaths(context_.supervisors_cgroup);
    // Moving a process on v2 waits for an RCU grace period, 15 ms and more; a new process is in
    // the daemon's cgroup already.
    input.supervisor_cgroup.v2_directory.clear();
  }
  absl::StatusOr<isolation::PlannedPod> planned = isolation::PlanPod(input);
  if (!planned.ok()) return planned.status();
  auto fds = isolation::OpenDescriptors(planned->descriptors, {}, std::move(setup.user_namespace));
  if (!fds.ok()) return fds.status();
  Request request;
  request.mutable_setup_pod()->set_pod_id(setup.pod.id);
  *request.mutable_setup_pod()->mutable_plan() = std::move(planned->plan);
  const auto response = client_->Call(std::move(request), *std::move(fds), kCallTimeout);
  if (!response.ok()) return response.status();
  if (setup.pid1_cgroup.empty()) return 0;
  const auto hello = Hello(kCallTimeout);
  if (!hello.ok()) return hello.status();
  return hello->pid1();
}

absl::StatusOr<StartedContainer> SupervisorConnection::StartContainer(const std::string& id) {
  Request request;
  request.mutable_start_container()->set_id(id);
  const absl::StatusOr<Response> response = client_->Call(std::move(request), {}, kCallTimeout);
  if (!response.ok()) return response.status();
  const supervisor::StartContainerReply& reply = response->reply.start_container();
  return StartedContainer{.at = reply.started_at(), .pid = reply.pid()};
}

absl::Status SupervisorConnection::SignalContainer(const std::string& id, int signal,
                                                   std::chrono::milliseconds timeout) {
  Request request;
  request.mutable_signal_container()->set_id(id);
  request.mutable_signal_container()->set_signal(signal);
  return client_->Call(std::move(request), {}, timeout).status();
}

absl::Status SupervisorConnection::RemoveContainer(const std::string& id) {
  // Removing waits for nothing but the end of a killed process.
  constexpr std::chrono::milliseconds kTimeout{5000};
  Request request;
  request.mutable_remove_container()->set_id(id);
  return client_->Call(std::move(request), {}, kTimeout).status();
}

absl::Status SupervisorConnection::ReopenLog(const std::string& id, const std::string& log_path) {
  absl::StatusOr<UniqueFd> log = isolation::OpenForAppending(log_path);
  if (!log.ok()) return log.status();
  Request request;
  request.mutable_reopen_log()->set_id(id);
  std::vector<UniqueFd> fds;
  fds.push_back(*std::move(log));
  return client_->Call(std::move(request), std::move(fds), kCallTimeout).status();
}

absl::StatusOr<supervisor::HelloReply> SupervisorConnection::Hello(
    std::chrono::milliseconds timeout) {
  Request request;
  request.mutable_hello()->set_protocol_min(supervisor::kProtocolMin);
  request.mutable_hello()->set_protocol_max(supervisor::kProtocolMax);
  absl::StatusOr<Response> response = client_->Call(std::move(request), {}, timeout);
  if (!response.ok()) return response.status();
  return std::move(*response->reply.mutable_hello());
}

absl::Status SupervisorConnection::Ping(std::chrono::milliseconds timeout) {
  return Hello(timeout).status();
}

absl::Status SupervisorConnection::Shutdown(std::chrono::milliseconds timeout) {
  Request request;
  request.mutable_shutdown();
  return client_->Call(std::move(request), {}, timeout).status();
}

void SupervisorConnection::Kill() {
  // It can only fail with ESRCH, for one that is gone.
  syscall(SYS_pidfd_send_signal, process_.get(), SIGKILL, nullptr, 0);
}

absl::Status AwaitEnd(int process, absl::Time deadline) {
  pollfd ended{process, POLLIN, 0};
  while (true) {
    const int64_t left = absl::ToInt64Milliseconds(deadline - absl::Now());
    const int ready = poll(&ended, 1, static_cast<int>(std::clamp<int64_t>(left, 0, 60000)));
    if (ready < 0 && errno != EINTR) return ErrnoStatus(errno, "poll a pidfd");
    if (ready > 0) return absl::OkStatus();
    if (left <= 0) return absl::DeadlineExceededError("the supervisor's process is still there");
  }
}

absl::Status SupervisorConnection::Wait(absl::Time deadline) {
  const absl::Status ended = AwaitEnd(process_.get(), deadline);
  if (!ended.ok()) return ended;
  // Reaps a child; one that an earlier daemon started is not ours to reap (ECHILD).
  siginfo_t info{};
  waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(process_.get()), &info,
         WEXITED | WNOHANG);
  return absl::OkStatus();
}

}  // namespace bulkhead::pods
