#include "runtime/isolation/rlimits.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace bulkhead::isolation {

Outcome SetRlimitsInside(const google::protobuf::RepeatedPtrField<plan::Rlimit>& rlimits) {
  for (const plan::Rlimit& rlimit : rlimits) {
    const struct rlimit value = {.rlim_cur = rlimit.soft(), .rlim_max = rlimit.hard()};
    if (syscall(SYS_prlimit64, 0, rlimit.resource(), &value, nullptr) != 0) return FromResult(-1);
  }
  return {};
}

}  // namespace bulkhead::isolation
