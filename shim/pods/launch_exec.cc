// A command's way through its plan, and a client's to a running container.
#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/kernel/status.h"
#include "shim/pods/process_streams.h"
#include "shim/pods/seccomp_file.h"
#include "shim/pods/supervisor_connection.h"

namespace bulkhead::pods {
namespace {

constexpr std::chrono::milliseconds kCallTimeout{60000};
// The writer of a log on a hung disk answers no sooner than the disk does.
constexpr std::chrono::milliseconds kAttachTimeout{10000};

std::chrono::milliseconds TimeoutOf(const ExecStart& start) {
  if (!start.deadline) return kCallTimeout;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(*start.deadline -
                                                                 std::chrono::steady_clock::now());
  return std::clamp(left, std::chrono::milliseconds(0), kCallTimeout);
}

absl::StatusOr<std::vector<UniqueFd>> DuplicateStreams(const ExecStreams& streams) {
  std::vector<UniqueFd> copies;
  for (const int fd : {streams.in, streams.out, streams.err}) {
    if (fd < 0) continue;
    copies.emplace_back(fcntl(fd, F_DUPFD_CLOEXEC, 3));
    if (!copies.back().valid()) return ErrnoStatus(errno, "duplicate a command's stream");
  }
  return copies;
}

}  // namespace

isolation::LaunchPlanInput PlanContext::LaunchInput(const PodRecord& pod,
                                                    const ContainerRecord& container) const {
  return {.container_id = container.id,
          .spec = container.spec,
          .pod = pod.spec,
          .image = container.image_config,
          .host = facts,
          .seccomp = *seccomp,
          .selinux = container.selinux,
          .user = container.user};
}

absl::StatusOr<StartedExec> SupervisorConnection::Exec(ExecStart start) {
  const ExecStreams& streams = start.streams;
  isolation::LaunchPlanInput input = context_.LaunchInput(start.pod, start.container);
  if (start.container.seccomp_kept) {
    absl::StatusOr<plan::SeccompPlan> seccomp = ReadSeccompFile(start.seccomp_file);
    if (!seccomp.ok()) return seccomp.status();
    input.kept_seccomp = *std::move(seccomp);
  }
  const absl::Status loaded = context_.apparmor->Require(start.container.apparmor_profile);
  if (!loaded.ok()) return loaded;
  plan::LsmPlan& lsm = input.kept_lsm.emplace();
  lsm.set_apparmor_profile(start.container.apparmor_profile);
  lsm.set_selinux_label(start.container.selinux.process);
  const std::string& cgroup = start.container.cgroup;
  absl::StatusOr<isolation::PlannedExec> planned = isolation::PlanExec(
      {.container = input,
       .args = std::move(start.command),
       .terminal = streams.terminal,
       .in = streams.in >= 0,
       .out = streams.out >= 0,
       .err = streams.err >= 0,
       .cgroup = start.leaf.empty() ? context_.cgroups->JoinPaths(cgroup)
                                    : context_.cgroups->ExecJoinPaths(cgroup, start.leaf)});
  if (!planned.ok()) return planned.status();
  const absl::Status known = CheckKnown(planned->plan.lsm(), planned->plan.seccomp());
  if (!known.ok()) return known;
  absl::StatusOr<std::vector<UniqueFd>> given = DuplicateStreams(streams);
  if (!given.ok()) return given.status();
  auto fds = isolation::OpenDescriptors(planned->descriptors, {}, *std::move(given));
  if (!fds.ok()) return fds.status();
  supervisor::Request request;
  *request.mutable_exec()->mutable_plan() = std::move(planned->plan);
  execs_->Begin();
  auto response = client_->Call(std::move(request), *std::move(fds), TimeoutOf(start));
  if (!response.ok()) {
    execs_->Abandon();
    return response.status();
  }
  const std::weak_ptr<supervisor::SupervisorClient> client = client_;
  const uint64_t id = response->reply.exec().exec_id();
  auto process = execs_->Finish(id, [client, id](int signal, std::chrono::milliseconds timeout) {
    return SignalExec(client, id, signal, timeout);
  });
  if (!process.ok()) return process.status();
  StartedExec started{.process = *std::move(process)};
  if (!response->fds.empty()) started.terminal = std::move(response->fds[0]);
  if (streams.terminal && !started.terminal.valid()) {
    return absl::InternalError("the supervisor sent no terminal for the command");
  }
  return started;
}

absl::Status SupervisorConnection::SignalExec(
    const std::weak_ptr<supervisor::SupervisorClient>& client, uint64_t id, int signal,
    std::chrono::milliseconds timeout) {
  const std::shared_ptr<supervisor::SupervisorClient> alive = client.lock();
  if (alive == nullptr) return absl::UnavailableError("the pod's supervisor is gone");
  supervisor::Request request;
  request.mutable_signal_exec()->set_exec_id(id);
  request.mutable_signal_exec()->set_signal(signal);
  return alive->Call(std::move(request), {}, timeout).status();
}

absl::StatusOr<UniqueFd> SupervisorConnection::Attach(AttachStart start) {
  supervisor::Request request;
  supervisor::Attach& attach = *request.mutable_attach();
  attach.set_id(start.id);
  attach.set_stdin(start.in);
  attach.set_take_stdin(start.in_once);
  std::vector<UniqueFd> fds;
  if (start.out.valid()) {
    attach.mutable_stdout()->set_index(fds.size());
    fds.push_back(std::move(start.out));
  }
  if (start.err.valid()) {
    attach.mutable_stderr()->set_index(fds.size());
    fds.push_back(std::move(start.err));
  }
  auto response = client_->Call(std::move(request), std::move(fds), kAttachTimeout);
  if (!response.ok()) return response.status();
  if (!response->fds.empty()) return std::move(response->fds[0]);
  if (start.in) return absl::InternalError("the supervisor sent no standard input");
  return UniqueFd();
}

}  // namespace bulkhead::pods
