#ifndef BULKHEAD_SHIM_PODS_REGISTRY_H_
#define BULKHEAD_SHIM_PODS_REGISTRY_H_

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <tuple>
#include <vector>

#include "absl/status/statusor.h"
#include "shim/pods/pod.h"

namespace bulkhead::pods {

struct FoundContainer {
  std::shared_ptr<Pod> pod;
  std::shared_ptr<Container> container;
};

// Which pods and containers there are. Thread safe; its lock is a leaf: no pod's mutex is taken
// under it.
class Registry {
 public:
  struct Claim {
    std::shared_ptr<Pod> pod;
    bool ours = false;  // False: another pod has the key, it is `pod`.
  };

  // Enters the pod under its id and its key (name, namespace, uid, attempt), unless the key is
  // taken.
  Claim Enter(const std::shared_ptr<Pod>& pod);
  void Forget(const Pod& pod);
  void EnterContainer(const std::shared_ptr<Pod>& pod, const std::shared_ptr<Container>& container);
  void ForgetContainer(const std::string& id);

  // By id or unique prefix. NOT_FOUND; INVALID_ARGUMENT for a prefix of several.
  absl::StatusOr<std::shared_ptr<Pod>> Find(const std::string& id) const;
  absl::StatusOr<FoundContainer> FindContainer(const std::string& id) const;

  // Those whose id begins with `prefix`.
  std::vector<std::shared_ptr<Pod>> Pods(const std::string& prefix) const;
  std::vector<FoundContainer> Containers(const std::string& prefix) const;

 private:
  using PodKey = std::tuple<std::string, std::string, std::string, uint32_t>;
  static PodKey KeyOf(const Pod& pod);

  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Pod>> pods_;
  std::map<PodKey, std::shared_ptr<Pod>> pods_by_key_;
  std::map<std::string, FoundContainer> containers_;
};

}  // namespace bulkhead::pods

#endif  // BULKHEAD_SHIM_PODS_REGISTRY_H_
