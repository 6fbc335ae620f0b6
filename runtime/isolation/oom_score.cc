#include "runtime/isolation/oom_score.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "runtime/kernel/path.h"

namespace bulkhead::isolation {

absl::StatusOr<OomScoreSlice> OomScoreOutside(int score, int procfs) {
  if (score < -1000 || score > 1000) {
    return absl::InvalidArgumentError(
        absl::StrCat("oom_score_adj: ", score, " is not within -1000 and 1000"));
  }
  return OomScoreSlice{.procfs = procfs, .score = absl::StrCat(score)};
}

Outcome SetOomScoreInside(const OomScoreSlice& slice) {
  const char* score = slice.score.c_str();
  const int file = Openat2(slice.procfs, "self/oom_score_adj", O_WRONLY | O_CLOEXEC, 0,
                           RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS);
  if (file < 0) return {.error = -file, .subject = score};
  if (write(file, score, slice.score.size()) < 0 && errno != EACCES) return FromResult(-1, score);
  close(file);
  return {};
}

}  // namespace bulkhead::isolation
