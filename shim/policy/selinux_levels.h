// SELinux levels that keep the pods of a node apart.
#ifndef BULKHEAD_SHIM_POLICY_SELINUX_LEVELS_H_
#define BULKHEAD_SHIM_POLICY_SELINUX_LEVELS_H_

#include <map>
#include <mutex>
#include <random>
#include <set>
#include <string>

#include "absl/status/statusor.h"

namespace bulkhead::policy {

// Whether it is a level as pods are given: a pair of categories of s0, in whatever order.
bool IsSelinuxPair(const std::string& level);

// Gives each pod a pair of categories that no other pod has, "s0:c4,c5". Which are given is in the
// pods' records, so that a later daemon takes them over before it gives any. Thread safe.
class SelinuxLevels {
 public:
  // The categories c0 to c1023, which policies with levels have.
  static constexpr uint32_t kCategories = 1024;

  // `categories`: fewer for tests.
  explicit SelinuxLevels(uint32_t categories = kCategories) : categories_(categories) {}

  // At random, because files of earlier pods keep their labels. RESOURCE_EXHAUSTED;
  // FAILED_PRECONDITION after Close.
  absl::StatusOr<std::string> Take(const std::string& pod_id);
  // That of a pod which is there already, or which it or its container asks for: it may be another
  // pod's too, for pods that want to share files, but is given to none any more. Of a range it is
  // the high end.
  void Keep(const std::string& pod_id, const std::string& level);
  // Idempotent.
  void Release(const std::string& pod_id);
  // Some pod's level is not known, so none can be given any more.
  void Close(const std::string& why);

 private:
  const uint32_t categories_;

  std::mutex mutex_;
  std::minstd_rand random_{std::random_device()()};
  std::map<std::string, std::set<std::string>> pods_by_level_;
  std::string closed_;
};

}  // namespace bulkhead::policy

#endif  // BULKHEAD_SHIM_POLICY_SELINUX_LEVELS_H_
