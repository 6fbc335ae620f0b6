#include "runtime/isolation/launch_report.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "runtime/isolation/launch.h"
#include "runtime/kernel/status.h"

namespace bulkhead::isolation {
namespace {

constexpr char kStepPayload[] = "bulkhead/launch-step";
constexpr char kGo = 'g';

template <size_t N>
void Copy(const char* text, char (&to)[N]) {
  size_t i = 0;
  for (; text != nullptr && text[i] != '\0' && i + 1 < N; ++i) to[i] = text[i];
  to[i] = '\0';
}

absl::Status Failure(LaunchReport& report) {
  report.step[sizeof(report.step) - 1] = '\0';
  report.subject[sizeof(report.subject) - 1] = '\0';
  std::string text = report.step;
  if (report.subject[0] != '\0') absl::StrAppend(&text, " \"", report.subject, "\"");
  absl::Status status = ErrnoStatus(report.error, text);
  status.SetPayload(kStepPayload, absl::Cord(report.step));
  return status;
}

}  // namespace

Outcome SendReport(int control, const char* step, const Outcome& outcome) {
  LaunchReport report;
  report.error = outcome.error;
  Copy(step, report.step);
  Copy(outcome.subject, report.subject);
  // Not libc's function: it looks for a cancellation in the thread, which a successor has none of.
  long n;
  while ((n = syscall(SYS_write, control, &report, sizeof(report))) < 0 && errno == EINTR) {
  }
  return FromResult(n);
}

Outcome AwaitRelease(int control) {
  char go = 0;
  ssize_t n;
  while ((n = read(control, &go, sizeof(go))) < 0 && errno == EINTR) {
  }
  if (n < 0) return FromResult(n);
  return {.error = n == sizeof(go) && go == kGo ? 0 : ECONNRESET};
}

absl::StatusOr<LaunchProgress> ReceiveReport(int control) {
  LaunchReport report;
  ssize_t n;
  while ((n = recv(control, &report, sizeof(report), MSG_DONTWAIT)) < 0 && errno == EINTR) {
  }
  if (n < 0 && errno == EAGAIN) return LaunchProgress::kNothing;
  if (n == 0 || (n < 0 && errno == ECONNRESET)) return LaunchProgress::kClosed;
  if (n < 0) return ErrnoStatus(errno, "receive a launch report");
  if (n != sizeof(report)) return absl::InternalError("a launch report of unknown size");
  if (report.error != 0) return Failure(report);
  return LaunchProgress::kReady;
}

absl::Status WithLaunchStep(absl::Status status, std::string_view step) {
  if (step.empty()) return status;
  status.SetPayload(kStepPayload, absl::Cord(absl::string_view(step.data(), step.size())));
  return status;
}

std::string LaunchStepOf(const absl::Status& status) {
  const absl::optional<absl::Cord> step = status.GetPayload(kStepPayload);
  return step.has_value() ? std::string(*step) : "";
}

absl::Status Release(int control) {
  ssize_t n;
  while ((n = send(control, &kGo, sizeof(kGo), MSG_NOSIGNAL | MSG_DONTWAIT)) < 0 &&
         errno == EINTR) {
  }
  if (n == sizeof(kGo)) return absl::OkStatus();
  if (errno == EPIPE || errno == ECONNRESET) {
    return absl::FailedPreconditionError("the container's process has ended before its start");
  }
  return ErrnoStatus(errno, "release the container's process");
}

}  // namespace bulkhead::isolation
