#include "shim/pods/container_hooks.h"

#include <system_error>
#include <thread>
#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "runtime/isolation/host_view.h"
#include "runtime/isolation/mount_report.h"
#include "runtime/isolation/oci_state.h"
#include "runtime/kernel/file.h"
#include "runtime/kernel/status.h"
#include "shim/network/child_process.h"

namespace bulkhead::pods {
namespace {

using isolation::HostView;
using nlohmann::json;

constexpr std::chrono::seconds kTimeout{60};

// What hooks look for the root in, of all that a runtime's bundle has.
std::string ConfigOf(const HookRun& run) {
  return isolation::ToText(
      {{"ociVersion", isolation::kOciVersion},
       {"root",
        {{"path", HostView::kRoot}, {"readonly", run.container.spec.security.readonly_rootfs}}},
       {"annotations", run.container.spec.annotations}});
}

std::string StateOf(const HookRun& run) {
  json state =
      isolation::OciState(run.container.id, "creating", run.bundle, run.container.spec.annotations);
  state["pid"] = run.pid;
  return isolation::ToText(state);
}

absl::Status RunOne(const spec::Hook& hook, const std::string& state, int cancel_fd) {
  network::ChildProcess child{.program = hook.path,
                              .environment = hook.env,
                              .input = state,
                              .timeout = kTimeout,
                              .cancel_fd = cancel_fd};
  if (hook.timeout) child.timeout = std::chrono::seconds(*hook.timeout);
  if (!hook.args.empty()) {
    child.name = hook.args.front();
    child.arguments.assign(hook.args.begin() + 1, hook.args.end());
  }
  const absl::StatusOr<network::ChildResult> result = network::RunChild(child);
  if (!result.ok()) return result.status();
  if (result->exited && result->code == 0) return absl::OkStatus();
  const std::string said =
      network::LastWords(result->error.empty() ? result->output : result->error);
  return absl::InternalError(absl::StrCat(hook.path, " failed with ", network::HowItEnded(*result),
                                          said.empty() ? "" : ": ", said));
}

absl::Status RunInView(const HookRun& run, HostView& view) {
  absl::Status status = view.Enter(run.process);
  if (!status.ok()) return status;
  const std::string state = StateOf(run);
  for (const spec::Hook& hook : run.container.spec.hooks) {
    if (status = RunOne(hook, state, run.cancel_fd); !status.ok()) break;
  }
  // Left as it is the namespace ends with the container.
  if (!status.ok()) return status;
  return view.Leave(run.container.spec.security.readonly_rootfs);
}

// Whether they are one, whatever became of its options.
bool IsSame(const isolation::MountReport& a, const isolation::MountReport& b) {
  return a.id == b.id && a.parent == b.parent && a.root == b.root && a.destination == b.destination;
}

absl::StatusOr<std::vector<isolation::MountReport>> MountsOf(const HookRun& run) {
  const absl::StatusOr<std::string> text = ReadFile(absl::StrCat("/proc/", run.pid, "/mountinfo"));
  if (!text.ok()) return text.status();
  return isolation::ParseMounts(*text);
}

}  // namespace

absl::StatusOr<std::vector<std::string>> RunHooks(const HookRun& run) {
  const auto before = MountsOf(run);
  if (!before.ok()) return before.status();
  absl::StatusOr<HostView> view = HostView::Make(run.bundle, ConfigOf(run));
  if (!view.ok()) return view.status();
  absl::Status status;
  try {
    // A thread has no way back out of a mount namespace that it is sure to be allowed.
    std::thread([&] { status = RunInView(run, *view); }).join();
  } catch (const std::system_error& error) {
    return ErrnoStatus(error.code().value(), "start a thread for hooks");
  }
  if (!status.ok()) return status;
  const auto after = MountsOf(run);
  if (!after.ok()) return after.status();
  std::vector<std::string> made;
  for (const isolation::MountReport& mount : *after) {
    if (absl::c_any_of(*before, [&](const auto& other) { return IsSame(mount, other); })) continue;
    // The container would go on below it.
    if (mount.destination == "/") return absl::InternalError("a hook mounted over the root");
    if (!absl::c_linear_search(made, mount.destination)) made.push_back(mount.destination);
  }
  return made;
}

}  // namespace bulkhead::pods
