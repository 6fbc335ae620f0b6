#include "runtime/supervisor/place_holder.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "runtime/kernel/status.h"
#include "runtime/supervisor/bootstrap.h"
#include "runtime/supervisor/spawn.h"

namespace bulkhead::supervisor {

absl::StatusOr<std::unique_ptr<IdleProcess>> IdleProcess::Start(int program) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return ErrnoStatus(errno, "pipe2");
  const UniqueFd output(ends[0]);
  UniqueFd input(ends[1]);
  const absl::StatusOr<pid_t> pid = SpawnProgram(program, kIdleFlag, {{output.get(), 0}});
  if (!pid.ok()) return pid.status();
  return std::unique_ptr<IdleProcess>(new IdleProcess(*pid, std::move(input)));
}

IdleProcess::~IdleProcess() {
  // Not reaped before, so the number is still its own.
  kill(pid_, SIGKILL);
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

}  // namespace bulkhead::supervisor
