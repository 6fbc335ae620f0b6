// A filter under construction: libseccomp with errors as statuses.
#ifndef BULKHEAD_RUNTIME_ISOLATION_SECCOMP_FILTER_H_
#define BULKHEAD_RUNTIME_ISOLATION_SECCOMP_FILTER_H_

#include <seccomp.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace bulkhead::isolation {

class SeccompFilter {
 public:
  // For the machine's own architecture. `otherwise` (SCMP_ACT_*) is the action for a call without
  // a rule. UNAVAILABLE when libseccomp does not know this machine.
  static absl::StatusOr<SeccompFilter> Make(uint32_t otherwise);

  // The machine's own is among them already. INVALID_ARGUMENT for one that libseccomp refuses.
  absl::Status AddArchitecture(uint32_t architecture);

  enum class Known { kYes, kNo };
  // A rule for the call `name`; no comparisons: whatever its arguments. A call that only other
  // architectures have is known and needs no rule. kNo: libseccomp does not know the name, and the
  // call gets the action for calls without a rule.
  absl::StatusOr<Known> Add(uint32_t action, const std::string& name,
                            std::span<const scmp_arg_cmp> comparisons = {});

  // struct sock_filter entries.
  absl::StatusOr<std::string> Compile() const;

 private:
  explicit SeccompFilter(scmp_filter_ctx context) : context_(context, &seccomp_release) {}

  std::unique_ptr<void, decltype(&seccomp_release)> context_;
};

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_SECCOMP_FILTER_H_
