// bulkhead-pod: holds a pod's namespaces and runs its containers. Started by bulkheadd.
#include <fcntl.h>
#include <malloc.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <memory>
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "runtime/kernel/status.h"
#include "runtime/supervisor/bootstrap.h"
#include "runtime/supervisor/event_loop.h"
#include "runtime/supervisor/oom_score.h"
#include "runtime/supervisor/pod.h"
#include "runtime/supervisor/saved_fd.h"
#include "runtime/supervisor/takeover.h"

namespace bulkhead::supervisor {
namespace {

int Complain(const absl::Status& status) {
  const std::string text = absl::StrCat("bulkhead-pod: ", std::string(status.message()), "\n");
  [[maybe_unused]] const ssize_t n = write(2, text.data(), text.size());
  return 1;
}

int ParseFd(std::string_view text) {
  int fd = -1;
  std::from_chars(text.data(), text.data() + text.size(), fd);
  return fd;
}

absl::Status KeepPrivate() {
  // Between clone and exec a container's /proc/self is this program's: no ptrace, no core file.
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return ErrnoStatus(errno, "PR_SET_DUMPABLE");
  if (prctl(PR_SET_NAME, "bulkhead-pod", 0, 0, 0) != 0) return ErrnoStatus(errno, "PR_SET_NAME");
  // Modes in plans are exact.
  umask(0);
  // The second thread is to use the first one's heap.
  mallopt(M_ARENA_MAX, 1);
  // Fixed, as libc would raise them after the first large plan and keep that much for good.
  mallopt(M_MMAP_THRESHOLD, 64 * 1024);
  mallopt(M_TRIM_THRESHOLD, 64 * 1024);
  return absl::OkStatus();
}

int Validate(int state_file) {
  const absl::StatusOr<state::State> state = ReadState(state_file);
  if (!state.ok()) return Complain(state.status());
  const absl::Status valid = ValidateState(*state);
  return valid.ok() ? 0 : Complain(valid);
}

int Serve(EventLoop& loop, const absl::Status& begun) {
  if (!begun.ok()) return Complain(begun);
  loop.Run();
  // Without destructors: they would wait for a log write that hangs.
  _exit(0);
}

int Resume(UniqueFd state_file) {
  const absl::StatusOr<state::State> state = ReadState(state_file.get());
  if (!state.ok()) return Complain(state.status());
  state_file.reset();
  // Nothing that a container is started with may be inherited.
  for (const int fd : DescriptorsOf(*state)) fcntl(fd, F_SETFD, FD_CLOEXEC);
  const absl::StatusOr<std::unique_ptr<EventLoop>> loop = EventLoop::Create();
  if (!loop.ok()) return Complain(loop.status());
  Pod pod(**loop, state->pod_id(), UniqueFd(state->listener()));
  return Serve(**loop, pod.Resume(*state));
}

int Begin(const std::string& pod_id) {
  UniqueFd listener(kListenerFd), connection(kConnectionFd);
  for (const int fd : {kListenerFd, kConnectionFd}) {
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
      return Complain(absl::FailedPreconditionError("is started by bulkheadd, not by hand"));
    }
  }
  if (absl::Status s = LowerOomScore(); !s.ok()) return Complain(s);
  const absl::StatusOr<std::unique_ptr<EventLoop>> loop = EventLoop::Create();
  if (!loop.ok()) return Complain(loop.status());
  Pod pod(**loop, pod_id, std::move(listener));
  return Serve(**loop, pod.Begin(std::move(connection)));
}

int Idle() {
  char byte = 0;
  while (read(STDIN_FILENO, &byte, 1) != 0) {
    if (errno != EINTR) return 1;
  }
  return 0;
}

int Main(int argc, char** argv) {
  if (absl::Status s = KeepPrivate(); !s.ok()) return Complain(s);
  const std::string_view first = argc > 1 ? argv[1] : "";
  if (first == kValidateFlag && argc > 2) return Validate(ParseFd(argv[2]));
  if (first == kResumeFlag && argc > 2) return Resume(UniqueFd(ParseFd(argv[2])));
  if (first == kIdleFlag) return Idle();
  return Begin(std::string(first));
}

}  // namespace
}  // namespace bulkhead::supervisor

#ifdef __SANITIZE_ADDRESS__
// The leak checker needs /proc at the end, and there is none in a pod's root.
extern "C" const char* __asan_default_options() { return "detect_leaks=0"; }
#endif
#ifdef __SANITIZE_THREAD__
// A race must show as the supervisor's end, as nobody reads what it writes.
extern "C" const char* __tsan_default_options() { return "halt_on_error=1"; }
#endif

int main(int argc, char** argv) { return bulkhead::supervisor::Main(argc, argv); }
