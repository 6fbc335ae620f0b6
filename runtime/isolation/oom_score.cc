#include "runtime/isolation/oom_score.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "runtime/kernel/fd.h"
#include "runtime/kernel/file.h"
#include "runtime/kernel/status.h"

namespace bulkhead::isolation {

absl::StatusOr<int> SetOomScoreAdj(int procfs, pid_t pid, int wanted) {
  if (wanted < -1000 || wanted > 1000) {
    return absl::InvalidArgumentError(
        absl::StrCat("oom_score_adj: ", wanted, " is not within -1000 and 1000"));
  }
  const std::string path = absl::StrCat(pid, "/oom_score_adj");
  const UniqueFd file(openat(procfs, path.c_str(), O_RDWR | O_CLOEXEC));
  if (!file.valid()) return ErrnoStatus(errno, "open oom_score_adj");
  const std::string value = absl::StrCat(wanted);
  if (write(file.get(), value.data(), value.size()) >= 0) return wanted;
  if (errno != EACCES) return ErrnoStatus(errno, absl::StrCat("set oom_score_adj to ", wanted));
  absl::StatusOr<std::string> text = ReadAll(file.get(), 64);
  if (!text.ok()) return Annotate(text.status(), "oom_score_adj");
  int granted = 0;
  if (!absl::SimpleAtoi(absl::StripAsciiWhitespace(*text), &granted)) {
    return absl::InternalError(absl::StrCat("oom_score_adj reads \"", *text, "\""));
  }
  return granted;
}

}  // namespace bulkhead::isolation
