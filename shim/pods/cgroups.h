// Where the cgroups of pods and containers are, and who takes away the parents that we made.
#ifndef BULKHEAD_SHIM_PODS_CGROUPS_H_
#define BULKHEAD_SHIM_PODS_CGROUPS_H_

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/spec/pod.h"

namespace bulkhead::pods {

struct CgroupParents {
  // The parent of pods that name none.
  std::string unnamed = "/bulkhead";
  // With the systemd driver: parents are names of slices, such as "kubepods-pod1.slice".
  bool are_slices = false;
};

// The cgroup below which the containers' are: the kubelet's, or one of our own. INVALID_ARGUMENT
// naming cgroup_parent: not a parent of the driver's kind, or a path with "..".
absl::StatusOr<std::string> PodCgroup(const spec::PodSpec& spec, const std::string& pod_id,
                                      const CgroupParents& parents);

// Of a container, or of the PID 1 of a shared PID namespace with the pod's own id; a scope where
// the pod's is a slice.
std::string CgroupBelow(const std::string& pod_cgroup, const std::string& id);

// "/a", "/a/b" for "/a/b".
std::vector<std::string> CgroupAndParents(const std::string& path);

// Which pods rely on cgroups that we made above the containers': the last one to leave removes
// them. Thread safe.
class CgroupClaims {
 public:
  void Claim(const std::string& pod_id, const std::vector<std::string>& paths);
  // Claims those of `paths` that others of our pods claim, or that do not exist; returns them.
  // Waits while one is being removed. `exists` must not block.
  std::vector<std::string> ClaimOurs(const std::string& pod_id,
                                     const std::vector<std::string>& paths,
                                     const std::function<bool(const std::string&)>& exists);
  // Ends the pod's claims, and calls `remove` for what nobody claims any more, innermost first.
  // Returns its first error.
  absl::Status Release(const std::string& pod_id,
                       const std::function<absl::Status(const std::string&)>& remove);

 private:
  std::mutex mutex_;
  std::condition_variable removed_;
  std::map<std::string, std::set<std::string>> pods_by_path_;
  std::set<std::string> removing_;
};

}  // namespace bulkhead::pods

#endif  // BULKHEAD_SHIM_PODS_CGROUPS_H_
