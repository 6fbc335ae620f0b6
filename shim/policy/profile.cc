#include "shim/policy/profile.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace bulkhead::policy {
namespace {

// Of containers in hardened pods whose handler says nothing: far more than a service needs, far
// less than a node has.
constexpr int64_t kHardenedPids = 4096;

Kind KindOf(const std::string& name) {
  if (name == "hardened") return Kind::kHardened;
  return name == "debug" ? Kind::kDebug : Kind::kDefault;
}

Profile ProfileOf(const std::string& name, const config::HandlerConfig& handler,
                  bool seccomp_default) {
  Profile profile{.handler = name,
                  .kind = KindOf(handler.kind),
                  .seccomp_default = seccomp_default,
                  .pids_limit = handler.pids_limit};
  if (profile.kind == Kind::kHardened && profile.pids_limit == 0) {
    profile.pids_limit = kHardenedPids;
  }
  return profile;
}

}  // namespace

Profiles::Profiles(const config::Config& config) {
  profiles_.front().seccomp_default = config.isolation.seccomp_default;
  for (const auto& [name, handler] : config.handlers) {
    profiles_.push_back(ProfileOf(name, handler, config.isolation.seccomp_default));
  }
}

absl::StatusOr<Profile> Profiles::Find(const std::string& handler) const {
  std::vector<std::string> names;
  for (const Profile& profile : profiles_) {
    if (profile.handler == handler) return profile;
    names.push_back(absl::StrCat("\"", profile.handler, "\""));
  }
  return absl::NotFoundError(
      absl::StrCat("runtime_handler: \"", absl::CHexEscape(handler),
                   "\" is none of this node's: ", absl::StrJoin(names, ", ")));
}

}  // namespace bulkhead::policy
