// Isolation profiles: named ways to run pods over the same core. A pod names one by its runtime
// handler, which a RuntimeClass of the cluster stands for.
#ifndef BULKHEAD_SHIM_POLICY_PROFILE_H_
#define BULKHEAD_SHIM_POLICY_PROFILE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "shim/config/config.h"

namespace bulkhead::policy {

enum class Kind { kDefault, kHardened, kDebug };

struct Profile {
  std::string handler;  // Empty: that of pods which name none.
  Kind kind = Kind::kDefault;
  bool seccomp_default = false;  // A seccomp profile that is not set is RuntimeDefault.
  int64_t pids_limit = 0;        // Of each container; 0: none.

  bool operator==(const Profile&) const = default;
};

// Of a node.
class Profiles {
 public:
  Profiles() = default;  // The default one alone.
  // Of a checked configuration.
  explicit Profiles(const config::Config& config);

  // The default one first.
  const std::vector<Profile>& all() const { return profiles_; }
  // NOT_FOUND with the names that are known.
  absl::StatusOr<Profile> Find(const std::string& handler) const;

 private:
  std::vector<Profile> profiles_ = {Profile()};
};

}  // namespace bulkhead::policy

#endif  // BULKHEAD_SHIM_POLICY_PROFILE_H_
