#include "shim/pods/signals.h"

#include <signal.h>
#include <string.h>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace bulkhead::pods {
namespace {

// The kernel's own real-time range, which containers see; glibc keeps the first two for itself.
constexpr int kRealTimeMin = 34;
constexpr int kRealTimeMax = 64;

// "", "+3" or "-1" behind RTMIN or RTMAX; 0 when it is none of them.
int RealTimeSignal(absl::string_view name) {
  int base = 0;
  if (absl::ConsumePrefix(&name, "RTMIN")) {
    base = kRealTimeMin;
  } else if (absl::ConsumePrefix(&name, "RTMAX")) {
    base = kRealTimeMax;
  } else {
    return 0;
  }
  int offset = 0;
  if (!name.empty() && !absl::SimpleAtoi(name, &offset)) return 0;
  const int number = base + offset;
  return number >= kRealTimeMin && number <= kRealTimeMax ? number : 0;
}

int NamedSignal(absl::string_view name) {
  // Older names that signal(7) has beside those of sigabbrev_np.
  if (name == "IOT") return SIGABRT;
  if (name == "CLD") return SIGCHLD;
  if (name == "POLL") return SIGPOLL;
  for (int number = 1; number < SIGRTMIN; ++number) {
    const char* abbreviation = sigabbrev_np(number);
    if (abbreviation != nullptr && name == abbreviation) return number;
  }
  return 0;
}

}  // namespace

absl::StatusOr<int> SignalNumber(const std::string& name) {
  const std::string upper = absl::AsciiStrToUpper(name);
  absl::string_view rest = upper;
  int number = 0;
  if (absl::SimpleAtoi(rest, &number)) {
    if (number >= 1 && number <= kRealTimeMax) return number;
  } else {
    absl::ConsumePrefix(&rest, "SIG");
    number = NamedSignal(rest);
    if (number == 0) number = RealTimeSignal(rest);
    if (number != 0) return number;
  }
  return absl::InvalidArgumentError(absl::StrCat("stop signal \"", name, "\" is not a signal"));
}

absl::StatusOr<std::string> StopSignal(const std::string& asked, const std::string& of_image) {
  const std::string signal = !asked.empty() ? asked : !of_image.empty() ? of_image : "SIGTERM";
  const absl::StatusOr<int> number = SignalNumber(signal);
  if (!number.ok()) return number.status();
  return signal;
}

}  // namespace bulkhead::pods
