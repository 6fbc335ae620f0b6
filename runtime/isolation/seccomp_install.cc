// Apart from planning, so that the supervisor, which links this, needs no libseccomp.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "runtime/isolation/seccomp.h"
#include "runtime/isolation/seccomp_listener.h"

namespace bulkhead::isolation {

Outcome InstallSeccompInside(const plan::SeccompPlan& plan) {
  if (plan.program().empty()) return {};
  const size_t length = plan.program().size() / sizeof(sock_filter);
  if (plan.program().size() % sizeof(sock_filter) != 0 || length > BPF_MAXINSNS) {
    return {.error = EINVAL};
  }
  // The kernel copies the program and does not write to it.
  sock_fprog program = {
      .len = static_cast<unsigned short>(length),
      .filter = reinterpret_cast<sock_filter*>(const_cast<char*>(plan.program().data()))};
  const unsigned flags =
      plan.flags() | (plan.has_listener() ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0);
  const long result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
  if (result > 0 && result != kSeccompListener) return {.error = EBADF};
  return FromResult(result);
}

}  // namespace bulkhead::isolation
