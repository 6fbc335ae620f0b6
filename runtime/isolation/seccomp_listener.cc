#include "runtime/isolation/seccomp_listener.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "runtime/isolation/cgroup_join.h"
#include "runtime/isolation/launch.h"
#include "runtime/isolation/launch_report.h"
#include "runtime/isolation/oci_state.h"
#include "runtime/kernel/status.h"

namespace bulkhead::isolation {
namespace {

using nlohmann::json;

// An object of the same members without its end.
std::string Open(std::string object) {
  object.pop_back();
  return object;
}

// Whatever the errno, the host's agent is at fault, not what a client named.
absl::Status AgentFailure(int error, const char* what) {
  constexpr char kStep[] = "seccomp agent";
  const absl::Status status = ErrnoStatus(error, absl::StrCat(kStep, ": ", what));
  return WithLaunchStep(absl::FailedPreconditionError(status.message()), kStep);
}

absl::Status Send(const UniqueFd& listener, const SeccompAgent& agent) {
  iovec text = {const_cast<char*>(agent.process_state.data()), agent.process_state.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message = {};
  message.msg_iov = &text;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  const int fd = listener.get();
  memcpy(CMSG_DATA(header), &fd, sizeof(fd));
  // A connection that nothing was sent on takes it at once.
  const ssize_t sent = sendmsg(agent.connection.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0) return AgentFailure(errno, "send the listener");
  if (static_cast<size_t>(sent) == agent.process_state.size()) return absl::OkStatus();
  return AgentFailure(EMSGSIZE, "send the process state");
}

}  // namespace

absl::Status PlanSeccompListener(const std::string& agent, const ProcessState& state,
                                 plan::SeccompListener& listener, DescriptorList& descriptors) {
  if (agent.empty()) {
    return absl::FailedPreconditionError(
        "seccomp: the container's filter needs a seccomp agent, isolation.seccomp_agent names "
        "none");
  }
  // A bundle is required, and nothing that there is here.
  const json inner = OciState(state.id, state.status, "", state.annotations);
  const json outer = {
      {"ociVersion", kOciVersion}, {"fds", {"seccompFd"}}, {"metadata", listener.metadata()}};
  listener.set_process_state(absl::StrCat(Open(ToText(outer)), ",\"state\":", Open(ToText(inner))));
  *listener.mutable_agent() = descriptors.Add(DescriptorRequest::Kind::kSeccompAgent, agent);
  return absl::OkStatus();
}

absl::StatusOr<SeccompAgent> SeccompAgentOutside(const plan::SeccompPlan& plan,
                                                 std::span<const UniqueFd> fds) {
  SeccompAgent agent;
  if (!plan.has_listener()) return agent;
  const absl::StatusOr<int> fd = PlannedFd(true, plan.listener().agent(), fds);
  if (!fd.ok()) return fd.status();
  agent.connection = UniqueFd(fcntl(*fd, F_DUPFD_CLOEXEC, 3));
  if (!agent.connection.valid()) return ErrnoStatus(errno, "seccomp agent: duplicate");
  agent.process_state = plan.listener().process_state();
  return agent;
}

void AddPids(pid_t process, pid_t container, SeccompAgent& agent) {
  if (!agent.connection.valid()) return;
  absl::StrAppend(&agent.process_state, ",\"pid\":", container, "},\"pid\":", process, "}");
}

Outcome GiveListenerInside(int control) {
  if (Outcome told = SendListening(control); !told.ok()) return told;
  if (Outcome taken = AwaitListenerTaken(control); !taken.ok()) return taken;
  // Kept, it would have calls wait for ever when the agent is gone before the exec closes it.
  return FromResult(close(kSeccompListener));
}

absl::Status HandOverListener(int pidfd, SeccompAgent agent) {
  if (!agent.connection.valid()) {
    return absl::InternalError("seccomp agent: a listener that nobody asked for");
  }
  const UniqueFd listener(static_cast<int>(syscall(SYS_pidfd_getfd, pidfd, kSeccompListener, 0)));
  if (!listener.valid()) return AgentFailure(errno, "take the listener");
  return Send(listener, agent);
}

}  // namespace bulkhead::isolation
