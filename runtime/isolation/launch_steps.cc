#include "runtime/isolation/launch_steps.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "runtime/isolation/cgroup_join.h"
#include "runtime/isolation/credentials.h"
#include "runtime/isolation/launch_report.h"
#include "runtime/isolation/masked_paths.h"
#include "runtime/isolation/rlimits.h"
#include "runtime/isolation/seccomp.h"
#include "runtime/isolation/seccomp_listener.h"
#include "runtime/isolation/signals.h"
#include "runtime/isolation/steps.h"

namespace bulkhead::isolation {
namespace {

// What changes while the steps run.
struct Progress {
  int control = -1;
  int label = -1;  // See OpenLabelInside; -1 without a label.
  bool directory_entered = false;
};

// Keeps a descriptor at the given number, which must not be that of one still to be kept.
Outcome MoveTo(int number, int& fd) {
  if (fd < 0 || fd == number) return {};
  const Outcome outcome = FromResult(dup3(fd, number, O_CLOEXEC));
  if (outcome.ok()) fd = number;
  return outcome;
}

// The control socket becomes descriptor 3, the label's attribute 5, 4 is left to a filter's
// listener, and everything else above the standard streams is closed: a child may wait long for its
// release and must hold no pipe of another container open, nor take anything of the supervisor's
// along (CVE-2024-21626).
Outcome CloseDescriptors(Progress& progress) {
  constexpr int kControl = kSeccompListener - 1, kLabel = kSeccompListener + 1;
  // Out of the way of the first.
  if (progress.label >= 0 && progress.label <= kLabel) {
    progress.label = fcntl(progress.label, F_DUPFD_CLOEXEC, kLabel + 1);
    if (progress.label < 0) return FromResult(-1);
  }
  if (Outcome outcome = MoveTo(kControl, progress.control); !outcome.ok()) return outcome;
  if (Outcome outcome = MoveTo(kLabel, progress.label); !outcome.ok()) return outcome;
  if (progress.label < 0) return FromResult(syscall(SYS_close_range, kControl + 1, ~0U, 0));
  const long closed = syscall(SYS_close_range, kSeccompListener, kSeccompListener, 0);
  if (closed != 0) return FromResult(closed);
  return FromResult(syscall(SYS_close_range, kLabel + 1, ~0U, 0));
}

Outcome SetUmask(const LaunchSlices& slices) {
  umask(slices.program.process->umask());
  return {};
}

enum class SeccompPlace {
  kPrivileged,  // Without no_new_privs a filter needs CAP_SYS_ADMIN.
  kListening,   // The agent has the listener before the container is created.
  kLast,        // The filter need not allow any step before.
};

SeccompPlace PlaceOfSeccomp(const LaunchSlices& slices) {
  if (!slices.credentials->no_new_privileges()) return SeccompPlace::kPrivileged;
  return slices.seccomp->has_listener() ? SeccompPlace::kListening : SeccompPlace::kLast;
}

Outcome SeccompAt(SeccompPlace place, const LaunchSlices& slices, const Progress& progress) {
  if (PlaceOfSeccomp(slices) != place) return {};
  const Outcome installed = InstallSeccompInside(*slices.seccomp);
  if (!installed.ok() || !slices.seccomp->has_listener()) return installed;
  return GiveListenerInside(progress.control);
}

// A predecessor leads a session as well: the supervisor's, which its successor is born in else, has
// the supervisor in it. The terminal is the successor's.
Outcome EnterSession(const LaunchSlices& slices) {
  return EnterSessionInside(slices.successor.has_value() ? -1 : slices.streams.terminal);
}

Outcome LeaveMemoryIf(const LaunchSlices& slices) {
  return slices.successor.has_value() ? slices.successor->LeaveMemoryInside() : Outcome{};
}

// A successor is born without the attribute. What was written to it is the successor's too, which
// inherits the security modules' state.
Outcome SetLabel(const LaunchSlices& slices, const Progress& progress) {
  const Outcome set = SetLabelInside(slices.lsm, progress.label);
  if (slices.successor.has_value() && progress.label >= 0) close(progress.label);
  return set;
}

int RunSuccessor(void* arguments);

Outcome CloneSuccessorIf(const LaunchSlices& slices, const Progress& progress) {
  if (!slices.successor.has_value()) return {};
  return slices.successor->CloneInside(progress.control, &RunSuccessor);
}

struct Step {
  const char* name;
  Outcome (*run)(const LaunchSlices&, Progress&);
};

struct SuccessorStep {
  const char* name;
  Outcome (*run)(const SuccessorArguments&);
};

// First the process goes where it belongs, then its view is completed, then it is taken what it
// must not have. Nothing of the container runs before the last line. `S` are the slices.
using S = LaunchSlices;
constexpr Step kSteps[] = {
    {"reset signals", [](const S&, Progress&) { return ResetSignalsInside(); }},
    // Before any memory is charged to the container's cgroup.
    {"oom_score_adj", [](const S& s, Progress&) { return SetOomScoreInside(s.oom_score); }},
    {"join cgroups", [](const S& s, Progress&) { return JoinCgroupsInside(s.cgroup_tasks); }},
    {"enter namespaces", [](const S& s, Progress&) { return EnterNamespacesInside(s.namespaces); }},
    {"new session", [](const S& s, Progress&) { return EnterSession(s); }},
    {"mount proc", [](const S& s, Progress&) { return MountProcInside(s.late_mounts); }},
    {"mount cgroup", [](const S& s, Progress&) { return MountCgroupInside(s.late_mounts); }},
    {"mount", [](const S& s, Progress&) { return MountLateInside(s.late_mounts); }},
    {"mount console", [](const S& s, Progress&) { return MountConsoleInside(s.streams); }},
    {"read-only path",
     [](const S& s, Progress&) { return ReadOnlyPathsInside(s.late_mounts.read_only_paths); }},
    {"mask path",
     [](const S& s, Progress&) {
       return MaskPathsInside(s.late_mounts.masked_paths, s.late_mounts.label);
     }},
    {"join peer group", [](const S& s, Progress&) { return JoinPeerGroupsInside(s.late_mounts); }},
    {"read-only root", [](const S& s, Progress&) { return ReadOnlyRootInside(s.late_mounts); }},
    {"standard streams", [](const S& s, Progress&) { return SetStreamsInside(s.streams); }},
    // By the host's superuser: a hard limit may need CAP_SYS_RESOURCE there.
    {"resource limits", [](const S& s, Progress&) { return SetRlimitsInside(*s.rlimits); }},
    {"label's attribute", [](const S& s, Progress& p) { return OpenLabelInside(s.lsm, p.label); }},
    {"keys' label", [](const S& s, Progress&) { return SetKeyLabelInside(s.lsm); }},
    {"enter user namespace",
     [](const S& s, Progress&) { return EnterUserNamespaceInside(s.namespaces); }},
    // Nothing is mapped from here on.
    {"leave memory", [](const S& s, Progress&) { return LeaveMemoryIf(s); }},
    {"new session keyring", [](const S&, Progress&) { return NewSessionKeyringInside(); }},
    {"close descriptors", [](const S&, Progress& p) { return CloseDescriptors(p); }},
    {"umask", [](const S& s, Progress&) { return SetUmask(s); }},
    {"working directory",
     [](const S& s, Progress& p) {
       return EnterDirectoryInside(s.program, false, p.directory_entered);
     }},
    // Before the next steps take away what it needs.
    {"seccomp", [](const S& s, Progress& p) { return SeccompAt(SeccompPlace::kPrivileged, s, p); }},
    {"bounding set",
     [](const S& s, Progress&) { return DropBoundingSetInside(s.credentials->bounding()); }},
    {"user and groups", [](const S& s, Progress&) { return SetIdsInside(*s.credentials); }},
    {"capabilities", [](const S& s, Progress&) { return SetCapabilitiesInside(*s.credentials); }},
    {"working directory",
     [](const S& s, Progress& p) {
       return EnterDirectoryInside(s.program, true, p.directory_entered);
     }},
    {"no_new_privs",
     [](const S& s, Progress&) { return SetNoNewPrivilegesInside(*s.credentials); }},
    {"seccomp", [](const S& s, Progress& p) { return SeccompAt(SeccompPlace::kListening, s, p); }},
};

// After the release.
constexpr Step kLastSteps[] = {
    {"unblock signals", [](const S&, Progress&) { return UnblockSignalsInside(); }},
    {"label", [](const S& s, Progress& p) { return SetLabel(s, p); }},
    {"seccomp", [](const S& s, Progress& p) { return SeccompAt(SeccompPlace::kLast, s, p); }},
    // Does not return where there is to be a successor.
    {"clone", [](const S& s, Progress& p) { return CloneSuccessorIf(s, p); }},
    {"exec", [](const S& s, Progress&) { return ExecuteInside(s.program.vectors()); }},
};

// In the successor, which has no memory of the slices.
using A = SuccessorArguments;
constexpr SuccessorStep kSuccessorSteps[] = {
    // Of its own, whose leader nobody else can be.
    {"new session", [](const A& a) { return EnterSessionInside(a.terminal); }},
    {"exec", [](const A& a) { return ExecuteInside(a.program); }},
};

// An error that cannot be told shows as the end of the control socket.
[[noreturn]] void Fail(int control, const char* step, const Outcome& outcome) {
  SendReport(control, step, outcome);
  _exit(127);
}

template <size_t N>
void RunOrFail(const Step (&steps)[N], const LaunchSlices& slices, Progress& progress) {
  for (const Step& step : steps) {
    const Outcome outcome = step.run(slices, progress);
    if (!outcome.ok()) Fail(progress.control, step.name, outcome);
  }
}

int RunSuccessor(void* argument) {
  const auto& arguments = *static_cast<const SuccessorArguments*>(argument);
  for (const SuccessorStep& step : kSuccessorSteps) {
    const Outcome outcome = step.run(arguments);
    if (!outcome.ok()) Fail(arguments.control, step.name, outcome);
  }
  _exit(127);
}

}  // namespace

void RunLaunchSteps(const LaunchSlices& slices, int control) {
  Progress progress{.control = control};
  RunOrFail(kSteps, slices, progress);
  if (slices.held) {
    // Not told that it is ready, the supervisor would wait for ever.
    const Outcome told = SendReport(progress.control, "", {});
    if (!told.ok()) Fail(progress.control, "report", told);
    const Outcome released = AwaitRelease(progress.control);
    if (released.error == ECONNRESET) _exit(127);  // There is nobody to tell.
    if (!released.ok()) Fail(progress.control, "await release", released);
  }
  RunOrFail(kLastSteps, slices, progress);
  _exit(127);
}

}  // namespace bulkhead::isolation
