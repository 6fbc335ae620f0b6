// The host's ids for user namespaces that pods did not ask for, apart from the kubelet's.
#ifndef BULKHEAD_SHIM_POLICY_HOST_IDS_H_
#define BULKHEAD_SHIM_POLICY_HOST_IDS_H_

#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/spec/security.h"

namespace bulkhead::policy {

// Gives each pod 65,536 ids of its own. Which are given is in the pods' records, so that a later
// daemon takes them over before it gives any. Thread safe.
class HostIds {
 public:
  static constexpr uint32_t kPerPod = 65536;

  // `pods` times as many from `first` on, which is a multiple of it.
  HostIds(uint32_t first, uint32_t pods) : first_(first / kPerPod), pods_(pods) {}

  // The maps of the pod's user namespace. RESOURCE_EXHAUSTED naming the configuration's keys;
  // FAILED_PRECONDITION after Close.
  absl::StatusOr<spec::UserNamespace> Take(const std::string& pod_id);
  // Those of a pod that is there already; all of them, whoever gave them.
  void Keep(const std::string& pod_id, const spec::UserNamespace& space);
  // Idempotent.
  void Release(const std::string& pod_id);
  // Some pod's ids are not known, so none can be given any more.
  void Close(const std::string& why);

  // That a user namespace which a pod asked for has none of these. INVALID_ARGUMENT.
  absl::Status CheckApart(const spec::NamespaceOptions& asked) const;

 private:
  // Counted in kPerPod.
  const uint32_t first_;
  const uint32_t pods_;

  std::mutex mutex_;
  std::multimap<uint32_t, std::string> pods_by_block_;
  std::string closed_;
};

}  // namespace bulkhead::policy

#endif  // BULKHEAD_SHIM_POLICY_HOST_IDS_H_
