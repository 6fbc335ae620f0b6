#include "runtime/supervisor/oom_score.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "absl/strings/str_cat.h"
#include "runtime/kernel/fd.h"
#include "runtime/kernel/status.h"

namespace bulkhead::supervisor {
namespace {

constexpr int kBest = -999;
constexpr int kWorst = 1000;

bool Write(const UniqueFd& file, int score) {
  const std::string text = absl::StrCat(score);
  return pwrite(file.get(), text.data(), text.size(), 0) == static_cast<ssize_t>(text.size());
}

}  // namespace

absl::Status LowerOomScore() {
  const UniqueFd file(open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC));
  if (!file.valid()) return ErrnoStatus(errno, "open /proc/self/oom_score_adj");
  if (Write(file, kBest)) return absl::OkStatus();
  // The kernel does not tell the lowest value that it allows: refused at `low`, taken at `high`.
  int low = kBest, high = kWorst;
  while (high - low > 1) {
    const int middle = low + (high - low) / 2;
    (Write(file, middle) ? high : low) = middle;
  }
  if (!Write(file, high)) return ErrnoStatus(errno, "write /proc/self/oom_score_adj");
  return absl::OkStatus();
}

}  // namespace bulkhead::supervisor
