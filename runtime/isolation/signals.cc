#include "runtime/isolation/signals.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace bulkhead::isolation {
namespace {

constexpr int kSignals = 64;

// The kernel's struct sigaction on x86-64 and arm64: libc refuses its own two internal signals.
struct KernelSigaction {
  void (*handler)(int) = SIG_DFL;
  uint64_t flags = 0;
  void (*restorer)() = nullptr;
  uint64_t mask = 0;
};

}  // namespace

Outcome ResetSignalsInside() {
  const KernelSigaction standard;
  for (int signal = 1; signal <= kSignals; ++signal) {
    // They have no other action, and are refused.
    if (signal == SIGKILL || signal == SIGSTOP) continue;
    if (syscall(SYS_rt_sigaction, signal, &standard, nullptr, sizeof(standard.mask)) != 0) {
      return FromResult(-1);
    }
  }
  return {};
}

Outcome UnblockSignalsInside() {
  const uint64_t none = 0;
  return FromResult(syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, nullptr, sizeof(none)));
}

}  // namespace bulkhead::isolation
