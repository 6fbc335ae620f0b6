#include "runtime/kernel/astray.h"

#include "absl/strings/cord.h"

namespace bulkhead {
namespace {

constexpr char kPayload[] = "bulkhead/astray";

}  // namespace

absl::Status Astray(absl::Status status) {
  status.SetPayload(kPayload, absl::Cord());
  return status;
}

bool IsAstray(const absl::Status& status) { return status.GetPayload(kPayload).has_value(); }

}  // namespace bulkhead
