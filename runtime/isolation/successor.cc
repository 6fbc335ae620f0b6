#include "runtime/isolation/successor.h"

#include <link.h>
#include <linux/audit.h>
#include <sched.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <utility>

#include "runtime/isolation/seccomp_evaluate.h"
#include "runtime/kernel/status.h"

namespace bulkhead::isolation {
namespace {

constexpr int kCloneFlags = CLONE_PARENT | CLONE_PARENT_SETTID | SIGCHLD;
constexpr size_t kStackSize = 32 << 10;
// On either side of the thread pointer; pages that nobody touches cost nothing.
constexpr size_t kThreadAreaSize = 64 << 10;

// Sanitizers have memory of their own that instrumented code needs.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kLeavesMemory = false;
#else
constexpr bool kLeavesMemory = true;
#endif

#if defined(__x86_64__)
constexpr uint32_t kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
#endif

size_t RoundUp(size_t size, size_t unit) { return (size + unit - 1) / unit * unit; }

// Lays things out one after the other; without memory it only counts.
class Packer {
 public:
  explicit Packer(char* memory) : memory_(memory) {}

  template <typename T>
  T* Place(size_t count) {
    used_ = RoundUp(used_, alignof(T));
    T* const place = memory_ == nullptr ? nullptr : reinterpret_cast<T*>(memory_ + used_);
    used_ += count * sizeof(T);
    return place;
  }

  char* Copy(const char* text) {
    const size_t size = strlen(text) + 1;
    char* const place = Place<char>(size);
    if (place != nullptr) memcpy(place, text, size);
    return place;
  }

  // A list that ends with a null pointer, with all that it points to.
  char** Copy(char* const* list) {
    size_t count = 0;
    while (list[count] != nullptr) ++count;
    char** const place = Place<char*>(count + 1);
    for (size_t i = 0; i < count; ++i) {
      char* const text = Copy(list[i]);
      if (place != nullptr) place[i] = text;
    }
    return place;
  }

  size_t used() const { return used_; }

 private:
  char* const memory_;
  size_t used_ = 0;
};

// The size of it.
size_t Pack(char* memory, const ProgramVectors& program, bool terminal) {
  Packer packer(memory);
  SuccessorArguments* const arguments = packer.Place<SuccessorArguments>(1);
  const ProgramVectors copy = {.command = packer.Copy(program.command),
                               .candidates = packer.Copy(program.candidates),
                               .argv = packer.Copy(program.argv),
                               .envp = packer.Copy(program.envp)};
  if (arguments != nullptr) {
    *arguments = {.terminal = terminal ? STDIN_FILENO : -1, .program = copy};
  }
  return packer.used();
}

bool Allows(const std::string& filter, seccomp_data call) {
  call.arch = kArchitecture;
  const uint32_t verdict = EvaluateFilter(filter, call).value_or(SECCOMP_RET_KILL_PROCESS);
  const uint32_t action = verdict & SECCOMP_RET_ACTION_FULL;
  return action == SECCOMP_RET_ALLOW || action == SECCOMP_RET_LOG;
}

// The kernel writes to the memory of a thread's registration whenever it is scheduled: rseq(2).
Outcome UnregisterRestartableSequences() {
  if (__rseq_size == 0) return {};
  char* const thread = static_cast<char*>(__builtin_thread_pointer());
  return FromResult(syscall(SYS_rseq, thread + __rseq_offset, sizeof(struct rseq),
                            RSEQ_FLAG_UNREGISTER, RSEQ_SIG));
}

}  // namespace

absl::StatusOr<SuccessorSlice> SuccessorSlice::Make(const ProgramSlice& program, bool terminal) {
  SuccessorSlice slice;
  absl::StatusOr<SharedPid> pid = SharedPid::Make();
  if (!pid.ok()) return pid.status();
  slice.pid_ = *std::move(pid);
  if (absl::Status status = slice.MapMemory(program, terminal); !status.ok()) return status;
  slice.FindStrangeMemory();
  return slice;
}

SuccessorSlice::SuccessorSlice(SuccessorSlice&& other) noexcept
    : pid_(std::move(other.pid_)),
      memory_(std::exchange(other.memory_, {})),
      strange_(std::move(other.strange_)) {}

SuccessorSlice::~SuccessorSlice() {
  if (memory_.begin != nullptr) munmap(memory_.begin, memory_.size);
}

absl::Status SuccessorSlice::MapMemory(const ProgramSlice& program, bool terminal) {
  const ProgramVectors vectors = program.vectors();
  const size_t size =
      RoundUp(Pack(nullptr, vectors, terminal) + kStackSize, getpagesize()) + 2 * kThreadAreaSize;
  void* const memory =
      mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return ErrnoStatus(errno, "map a process's memory");
  memory_ = {static_cast<char*>(memory), size};
  Pack(memory_.begin, vectors, terminal);
  return absl::OkStatus();
}

void SuccessorSlice::FindStrangeMemory() {
  std::vector<Range> kept = {memory_};
  dl_iterate_phdr(
      [](dl_phdr_info* object, size_t, void* ranges) {
        // Not the kernel's, a mapping that cannot be split.
        if (object->dlpi_addr == getauxval(AT_SYSINFO_EHDR)) return 0;
        for (int i = 0; i < object->dlpi_phnum; ++i) {
          const ElfW(Phdr)& segment = object->dlpi_phdr[i];
          if (segment.p_type != PT_LOAD) continue;
          static_cast<std::vector<Range>*>(ranges)->push_back(
              {reinterpret_cast<char*>(object->dlpi_addr + segment.p_vaddr), segment.p_memsz});
        }
        return 0;
      },
      &kept);
  std::sort(kept.begin(), kept.end(),
            [](const Range& a, const Range& b) { return a.begin < b.begin; });
  const uintptr_t page = getpagesize();
  uintptr_t end = 0;
  for (const Range& range : kept) {
    const uintptr_t begin = reinterpret_cast<uintptr_t>(range.begin) / page * page;
    if (begin > end) strange_.push_back({reinterpret_cast<char*>(end), begin - end});
    end = std::max(end, RoundUp(reinterpret_cast<uintptr_t>(range.begin) + range.size, page));
  }
  strange_.push_back({reinterpret_cast<char*>(end), (UINTPTR_MAX - end) / page * page});
}

Outcome SuccessorSlice::LeaveMemoryInside() const {
  if (pid_.KeepFromChildren() != 0) return FromResult(-1);
  if (!kLeavesMemory) return {};
  for (const Range& range : strange_) {
    // It also tells that there are gaps, and goes on.
    if (madvise(range.begin, range.size, MADV_DONTFORK) != 0 && errno != ENOMEM) {
      return FromResult(-1);
    }
  }
  return UnregisterRestartableSequences();
}

Outcome SuccessorSlice::CloneInside(int control, int (*run)(void*)) const {
  auto* const arguments = reinterpret_cast<SuccessorArguments*>(memory_.begin);
  arguments->control = control;
  char* const thread = memory_.begin + memory_.size - kThreadAreaSize;
  // As the ABI of x86-64 has it: the pointer's first word is itself.
  *reinterpret_cast<char**>(thread) = thread;
  // Not clone3(2), which filters cannot look into and therefore forbid.
  const long pid =
      clone(run, thread - kThreadAreaSize, kCloneFlags | (kLeavesMemory ? CLONE_SETTLS : 0),
            arguments, pid_.place(), thread, nullptr);
  if (pid < 0) return FromResult(pid);
  syscall(SYS_exit_group, 0);  // ThreadSanitizer has _exit(2) wait for a second.
  return FromResult(-1);
}

bool AllowsSuccessor(const plan::SeccompPlan& seccomp, bool terminal) {
  const std::string& filter = seccomp.program();
  if (filter.empty()) return true;
  const uint64_t flags = kCloneFlags | (kLeavesMemory ? CLONE_SETTLS : 0);
  return Allows(filter, {.nr = SYS_clone, .args = {flags}}) && Allows(filter, {.nr = SYS_setsid}) &&
         (!terminal || Allows(filter, {.nr = SYS_ioctl, .args = {STDIN_FILENO, TIOCSCTTY}}));
}

}  // namespace bulkhead::isolation
