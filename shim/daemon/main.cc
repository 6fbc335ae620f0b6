// bulkheadd, the daemon: see ARCHITECTURE.md.
#include <glog/logging.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <chrono>

#include "shim/config/flags.h"
#include "shim/config/version.h"
#include "shim/daemon/daemon.h"
#include "shim/daemon/notify.h"
#include "shim/daemon/overdue_exit.h"
#include "shim/daemon/process.h"
#include "shim/daemon/signals.h"
#include "shim/log/event.h"
#include "shim/log/logging.h"

namespace bulkhead::daemon {
namespace {

// For what was told to end after daemon.drain_timeout to do so.
constexpr std::chrono::seconds kEndingTime{3};

// Returns on SIGTERM or SIGINT.
absl::Status ServeUntilSignalled(SignalQueue& signals) {
  for (;;) {
    const absl::StatusOr<Signal> signal = signals.Next();
    if (!signal.ok()) return signal.status();
    switch (signal->number) {
      case SIGUSR1:
      case SIGUSR2:
        SetVerbosity(VerbosityAfter(*signal, Verbosity()));
        LOG(INFO) << Event("log verbosity changed").With("verbosity", Verbosity());
        break;
      case SIGHUP:
        LOG(WARNING) << Event(
            "SIGHUP changes nothing: restart the daemon to read a changed "
            "configuration, pods run on");
        break;
      default:
        LOG(INFO) << Event("stopping, pods run on").With("signal", signal->number);
        return absl::OkStatus();
    }
  }
}

absl::Status Run(const config::Flags& flags) {
  if (geteuid() != 0) return absl::PermissionDeniedError("bulkheadd has to be run as root");
  absl::Status status = PrepareProcess();
  if (status.ok()) status = RaiseDescriptorLimit();
  if (!status.ok()) return status;
  absl::StatusOr<SignalQueue> signals = SignalQueue::Create();  // Before the first thread.
  if (!signals.ok()) return signals.status();
  const absl::StatusOr<config::Config> config = flags.Load();
  if (!config.ok()) return config.status();
  SetVerbosity(config->daemon.log_verbosity);
  absl::StatusOr<std::unique_ptr<Daemon>> daemon = Daemon::Start(*config);
  if (!daemon.ok()) return daemon.status();
  LOG(INFO) << Event("serving")
                   .With("version", Version())
                   .With("socket", config->daemon.socket)
                   .With("pid", getpid());
  status = NotifyReady();
  if (status.ok()) status = ServeUntilSignalled(*signals);
  status.Update(NotifyStopping());
  const OverdueExit overdue(config->daemon.drain_timeout + kEndingTime);
  daemon->reset();
  return status;
}

}  // namespace
}  // namespace bulkhead::daemon

int main(int argc, char** argv) {
  CLI::App app("A Kubernetes container runtime", "bulkheadd");
  app.set_version_flag("--version", bulkhead::Version());
  bulkhead::config::Flags flags;
  flags.AddTo(app);
  CLI11_PARSE(app, argc, argv);
  bulkhead::StartLogging("bulkheadd");
  const absl::Status status = bulkhead::daemon::Run(flags);
  if (status.ok()) return 0;
  LOG(ERROR) << bulkhead::Event("bulkheadd ends").With("error", status);
  return 1;
}
