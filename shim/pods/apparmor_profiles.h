#ifndef BULKHEAD_SHIM_PODS_APPARMOR_PROFILES_H_
#define BULKHEAD_SHIM_PODS_APPARMOR_PROFILES_H_

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "runtime/isolation/apparmor.h"

namespace bulkhead::pods {

// The AppArmor profiles that the kernel has loaded. Thread safe.
class AppArmorProfiles {
 public:
  struct Paths {
    std::string loaded = "/sys/kernel/security/apparmor/profiles";
    std::string parser = isolation::kAppArmorParser;
    std::string policy = "/etc/apparmor.d";
  };

  AppArmorProfiles() : AppArmorProfiles(Paths()) {}
  explicit AppArmorProfiles(Paths paths) : paths_(std::move(paths)) {}

  // OK when the profile is loaded, or none is named. The default one is loaded if it is not: also
  // later than at the daemon's start, because tools such as aa-remove-unknown(8) take away what
  // has no file. FAILED_PRECONDITION naming the profile.
  absl::Status Require(const std::string& name);

  // Puts this version's default profile in the place of one that an earlier version loaded, also
  // for the processes that it confines. FAILED_PRECONDITION naming it.
  absl::Status RenewDefault();

 private:
  // `how` is an option of apparmor_parser(8).
  absl::Status LoadDefault(const char* how);

  const Paths paths_;
  absl::Mutex loading_;
};

}  // namespace bulkhead::pods

#endif  // BULKHEAD_SHIM_PODS_APPARMOR_PROFILES_H_
