#include "runtime/isolation/swap.h"

#include <algorithm>
#include <cerrno>
#include <string>

#include "runtime/kernel/file.h"
#include "runtime/kernel/status.h"

namespace bulkhead::isolation {

bool IsSwapInUse() {
  const absl::StatusOr<std::string> swaps = ReadFile("/proc/swaps");
  // Not there: a kernel without swap.
  if (!swaps.ok()) return ErrnoOf(swaps.status()) != ENOENT;
  // The first line is a heading.
  return std::count(swaps->begin(), swaps->end(), '\n') > 1;
}

}  // namespace bulkhead::isolation
