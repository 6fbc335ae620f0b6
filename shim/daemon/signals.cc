#include "shim/daemon/signals.h"

#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>

#include "runtime/kernel/status.h"

namespace bulkhead::daemon {
namespace {

constexpr int kHighestVerbosity = 10;

}  // namespace

absl::StatusOr<SignalQueue> SignalQueue::Create() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2}) sigaddset(&signals, number);
  if (const int error = pthread_sigmask(SIG_BLOCK, &signals, nullptr); error != 0) {
    return ErrnoStatus(error, "block signals");
  }
  UniqueFd fd(signalfd(-1, &signals, SFD_CLOEXEC));
  if (!fd.valid()) return ErrnoStatus(errno, "signalfd");
  return SignalQueue(std::move(fd));
}

absl::StatusOr<Signal> SignalQueue::Next() {
  signalfd_siginfo info;
  ssize_t size;
  do {
    size = read(fd_.get(), &info, sizeof info);
  } while (size < 0 && errno == EINTR);
  if (size != sizeof info) return ErrnoStatus(errno, "read the signalfd");
  Signal signal{.number = static_cast<int>(info.ssi_signo)};
  if (info.ssi_code == SI_QUEUE) signal.value = info.ssi_int;
  return signal;
}

int VerbosityAfter(const Signal& signal, int verbosity) {
  const int step = signal.number == SIGUSR1 ? 1 : -1;
  return std::clamp(signal.value.value_or(verbosity + step), 0, kHighestVerbosity);
}

}  // namespace bulkhead::daemon
