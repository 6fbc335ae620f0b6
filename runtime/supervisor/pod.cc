#include "runtime/supervisor/pod.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/syscall.h>

#include <cerrno>
#include <chrono>

#include "absl/strings/str_cat.h"
#include "runtime/kernel/status.h"
#include "runtime/supervisor/build_id.h"
#include "runtime/supervisor/saved_fd.h"
#include "runtime/supervisor/takeover.h"

namespace bulkhead::supervisor {
namespace {

// A log write that takes longer hangs, and its thread cannot be taken along.
constexpr std::chrono::milliseconds kPausePatience{2000};

}  // namespace

Pod::Pod(EventLoop& loop, std::string id, UniqueFd listener)
    : loop_(loop),
      id_(std::move(id)),
      graveyard_(loop),
      server_(
          loop, std::move(listener),
          {.on_request = [this](const ReplyTo& to, const Request& request,
                                std::vector<UniqueFd> fds) { Handle(to, request, std::move(fds)); },
           .describe = [this] { return Describe(); },
           .on_disconnect = [this] { OnDisconnect(); }}),
      containers_(loop, server_, graveyard_),
      execs_(loop, server_, graveyard_),
      // Of all others nobody wants to know how they ended.
      strays_(loop, [this](pid_t pid) { return containers_.Owns(pid) || execs_.Owns(pid); }) {}

absl::Status Pod::Begin(UniqueFd connection) {
  if (absl::Status s = strays_.Start(); !s.ok()) return s;
  if (absl::Status s = server_.Listen(); !s.ok()) return s;
  return server_.Connect(std::move(connection));
}

void Pod::Handle(const ReplyTo& to, const Request& request, std::vector<UniqueFd> fds) {
  const bool needs_pod =
      request.has_prepare_root() || request.has_create_container() || request.has_exec();
  if (needs_pod && !namespaces_.has_value()) {
    return server_.Fail(to, absl::FailedPreconditionError("the pod is not set up"));
  }
  switch (request.call_case()) {
    case Request::kSetupPod:
      return SetUp(to, request.setup_pod(), fds);
    case Request::kPrepareRoot:
      return containers_.Prepare(to, request.prepare_root().plan(), std::move(fds), *namespaces_);
    case Request::kCreateContainer:
      return containers_.Create(to, request.create_container().plan(), std::move(fds),
                                *namespaces_);
    case Request::kStartContainer:
      return containers_.Start(to, request.start_container().id());
    case Request::kSignalContainer:
      return containers_.Signal(to, request.signal_container());
    case Request::kRemoveContainer:
      return containers_.Remove(to, request.remove_container().id());
    case Request::kExec:
      return execs_.Start(to, request.exec().plan(), fds, containers_, *namespaces_);
    case Request::kReopenLog:
      return containers_.ReopenLog(to, request.reopen_log().id(), std::move(fds));
    case Request::kAttach:
      return containers_.Attach(to, request.attach(), std::move(fds));
    case Request::kSignalExec:
      return execs_.Signal(to, request.signal_exec());
    case Request::kCancelExec:
      return execs_.Cancel(to, request.cancel_exec());
    case Request::kReexec:
      return Reexec(to, std::move(fds));
    case Request::kShutdown:
      return Shutdown(to);
    case Request::kHello:  // The server's.
    case Request::CALL_NOT_SET:
      break;
  }
  server_.Fail(to, absl::UnimplementedError(
                       "this supervisor does not know the request; it may be older than the "
                       "daemon"));
}

void Pod::SetUp(const ReplyTo& to, const SetupPod& request, const std::vector<UniqueFd>& fds) {
  if (namespaces_.has_value()) {
    return server_.Fail(to, absl::FailedPreconditionError("the pod is set up already"));
  }
  if (request.pod_id() != id_) {
    return server_.Fail(
        to, absl::InvalidArgumentError(absl::StrCat("pod_id: this supervisor is of ", id_,
                                                    ", not of ", request.pod_id())));
  }
  absl::StatusOr<isolation::PodNamespaces> namespaces = isolation::SetUpPod(request.plan(), fds);
  if (!namespaces.ok()) {
    server_.Fail(to, namespaces.status());
    // In an undefined mix of namespaces; the kernel frees what was made.
    return loop_.Stop();
  }
  namespaces_ = *std::move(namespaces);
  WatchPid1();
  server_.Answer(to, {});
}

void Pod::WatchPid1() {
  const int pid1 = namespaces_.has_value() ? namespaces_->pid1.get() : -1;
  if (pid1 < 0) return;
  const absl::Status watched = loop_.Watch(pid1, kEndEvents, [this, pid1](uint32_t) {
    if (absl::IsUnavailable(Reap(pid1).status())) return;
    loop_.Forget(pid1);
    namespaces_->pid1_pid = 0;
    Event event;
    event.mutable_pid1_exited();
    server_.Emit(std::move(event));
  });
  // Not watched, its end still shows in that of all containers.
  if (!watched.ok()) graveyard_.Add(UniqueFd(fcntl(pid1, F_DUPFD_CLOEXEC, 3)));
}

HelloReply Pod::Describe() const {
  HelloReply hello;
  hello.set_build(OwnBuildId());
  hello.set_pod_is_set_up(namespaces_.has_value());
  if (namespaces_.has_value()) hello.set_pid1(namespaces_->pid1_pid);
  containers_.Describe(hello);
  return hello;
}

void Pod::OnDisconnect() {
  // A daemon that crashed between starting this and setting it up never heard of it.
  if (!namespaces_.has_value()) loop_.Stop();
}

void Pod::Shutdown(const ReplyTo& to) {
  if (const std::string alive = containers_.AnyAlive(); !alive.empty()) {
    return server_.Fail(
        to, absl::FailedPreconditionError(absl::StrCat("container ", alive, " is alive")));
  }
  if (namespaces_.has_value() && namespaces_->pid1.valid()) {
    syscall(SYS_pidfd_send_signal, namespaces_->pid1.get(), SIGKILL, nullptr, 0);
  }
  server_.Answer(to, {});
  loop_.Stop();
}

void Pod::Reexec(const ReplyTo& to, std::vector<UniqueFd> fds) {
  if (fds.size() != 1) {
    return server_.Fail(to, absl::InvalidArgumentError(
                                absl::StrCat("a program is one descriptor, not ", fds.size())));
  }
  // What comes from now on is read by the new program.
  server_.Hold();
  containers_.logs().Pause(
      kPausePatience,
      [this, to, program = std::make_shared<UniqueFd>(std::move(fds[0]))](bool paused) {
        absl::Status status =
            absl::UnavailableError("a log write hangs, which would be lost with the old program");
        if (paused) {
          status = Become(to, program->get());
          containers_.logs().Resume();
        }
        // Only here when the old program goes on.
        const absl::Status proceeded = server_.Proceed();
        server_.Fail(to, proceeded.ok() ? status : proceeded);
      });
}

absl::Status Pod::Become(const ReplyTo& to, int program) {
  if (server_.unsent()) return absl::UnavailableError("the daemon does not read its answers");
  const state::State state = Save(to);
  absl::StatusOr<UniqueFd> file = WriteState(state);
  if (!file.ok()) return file.status();
  if (absl::Status s = TryTakeover(program, file->get()); !s.ok()) return s;
  return TakeOver(program, file->get(), state);
}

state::State Pod::Save(const ReplyTo& reexec) {
  state::State state;
  state.set_pod_id(id_);
  *state.mutable_reexec() = reexec;
  server_.Save(state);
  containers_.Save(state);
  execs_.Save(state);
  graveyard_.Save(state);
  if (namespaces_.has_value()) {
    state::PodNamespaces& pod = *state.mutable_pod();
    pod.set_mount_namespace(SaveFd(namespaces_->mount_namespace.get()));
    pod.set_procfs(SaveFd(namespaces_->procfs.get()));
    pod.set_null_device(SaveFd(namespaces_->null_device.get()));
    pod.set_pid1(SaveFd(namespaces_->pid1.get()));
    pod.set_pid1_pid(namespaces_->pid1_pid);
    pod.set_user_namespace(SaveFd(namespaces_->user_namespace.get()));
    isolation::SetIdMap(namespaces_->uids, *pod.mutable_uids());
    isolation::SetIdMap(namespaces_->gids, *pod.mutable_gids());
  }
  state.set_version(VersionFor(state));
  return state;
}

absl::Status Pod::Resume(const state::State& state) {
  if (state.has_pod()) {
    namespaces_.emplace();
    namespaces_->mount_namespace = RestoreFd(state.pod().mount_namespace());
    namespaces_->procfs = RestoreFd(state.pod().procfs());
    namespaces_->null_device = RestoreFd(state.pod().null_device());
    namespaces_->pid1 = RestoreFd(state.pod().pid1());
    namespaces_->pid1_pid = state.pod().pid1_pid();
    namespaces_->user_namespace = RestoreFd(state.pod().user_namespace());
    namespaces_->uids = isolation::ToIdMap(state.pod().uids());
    namespaces_->gids = isolation::ToIdMap(state.pod().gids());
  }
  WatchPid1();
  for (const int pidfd : state.unreaped()) graveyard_.Add(UniqueFd(pidfd));
  if (absl::Status s = containers_.Restore(state); !s.ok()) return s;
  if (absl::Status s = execs_.Restore(state); !s.ok()) return s;
  if (absl::Status s = strays_.Start(); !s.ok()) return s;
  if (absl::Status s = server_.Restore(state); !s.ok()) return s;
  server_.Answer(state.reexec(), {});
  return absl::OkStatus();
}

}  // namespace bulkhead::supervisor
