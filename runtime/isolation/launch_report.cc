#include "runtime/isolation/launch_report.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "runtime/isolation/launch.h"
#include "runtime/kernel/status.h"

namespace bulkhead::isolation {
namespace {

constexpr char kStepPayload[] = "bulkhead/launch-step";
// The step of a report that there is a listener; a step that did not fail is not reported else.
constexpr char kListening[] = "listening";
constexpr char kGo = 'g';
constexpr char kTaken = 't';

template <size_t N>
void Copy(const char* text, char (&to)[N]) {
  size_t i = 0;
  for (; text != nullptr && text[i] != '\0' && i + 1 < N; ++i) to[i] = text[i];
  to[i] = '\0';
}

// That the process to join has ended is no lack of what was asked for.
absl::Status AsPrecondition(const absl::Status& status) {
  absl::Status result = absl::FailedPreconditionError(status.message());
  status.ForEachPayload([&](absl::string_view name, const absl::Cord& payload) {
    result.SetPayload(name, payload);
  });
  return result;
}

absl::Status Failure(LaunchReport& report) {
  report.step[sizeof(report.step) - 1] = '\0';
  report.subject[sizeof(report.subject) - 1] = '\0';
  std::string text = report.step;
  if (report.subject[0] != '\0') absl::StrAppend(&text, " \"", report.subject, "\"");
  absl::Status status = ErrnoStatus(report.error, text);
  if (absl::IsNotFound(status) && report.error == ESRCH) status = AsPrecondition(status);
  status.SetPayload(kStepPayload, absl::Cord(report.step));
  return status;
}

Outcome Await(int control, char word) {
  char said = 0;
  ssize_t n;
  while ((n = read(control, &said, sizeof(said))) < 0 && errno == EINTR) {
  }
  if (n < 0) return FromResult(n);
  return {.error = n == sizeof(said) && said == word ? 0 : ECONNRESET};
}

absl::Status Say(int control, char word, const char* what) {
  ssize_t n;
  while ((n = send(control, &word, sizeof(word), MSG_NOSIGNAL | MSG_DONTWAIT)) < 0 &&
         errno == EINTR) {
  }
  if (n == sizeof(word)) return absl::OkStatus();
  if (errno == EPIPE || errno == ECONNRESET) {
    return absl::FailedPreconditionError("the container's process has ended before its start");
  }
  return ErrnoStatus(errno, what);
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

Outcome SendListening(int control) { return SendReport(control, kListening, {}); }

Outcome AwaitRelease(int control) { return Await(control, kGo); }

Outcome AwaitListenerTaken(int control) { return Await(control, kTaken); }

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
  return strncmp(report.step, kListening, sizeof(report.step)) == 0 ? LaunchProgress::kListening
                                                                    : LaunchProgress::kReady;
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

absl::Status Release(int control) { return Say(control, kGo, "release the container's process"); }

absl::Status ConfirmListener(int control) {
  return Say(control, kTaken, "confirm that the listener was taken");
}

}  // namespace bulkhead::isolation
