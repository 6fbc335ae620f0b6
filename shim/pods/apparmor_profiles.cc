#include "shim/pods/apparmor_profiles.h"

#include <unistd.h>

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "runtime/isolation/apparmor.h"
#include "runtime/kernel/file.h"
#include "runtime/kernel/status.h"
#include "shim/network/child_process.h"

namespace bulkhead::pods {
namespace {

// The policy ABI whose rules the default profile has: a newer one would forbid what has none.
constexpr char kAbi[] = "abi/3.0";

absl::StatusOr<bool> IsLoaded(const std::string& list, const std::string& name) {
  const absl::StatusOr<std::string> profiles = ReadFile(list);
  if (!profiles.ok()) return profiles.status();
  return isolation::ListsProfile(*profiles, name);
}

bool Exists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

}  // namespace

absl::Status AppArmorProfiles::Require(const std::string& name) {
  if (name.empty()) return absl::OkStatus();
  const std::string subject = absl::StrCat("apparmor: profile \"", name, "\"");
  absl::StatusOr<bool> loaded = IsLoaded(paths_.loaded, name);
  if (!loaded.ok()) return Annotate(loaded.status(), subject);
  if (*loaded) return absl::OkStatus();
  if (name != isolation::kDefaultAppArmorProfile) {
    return absl::FailedPreconditionError(absl::StrCat(subject, " is not loaded on this host"));
  }
  const absl::MutexLock lock(&loading_);
  // Another call may have been quicker.
  loaded = IsLoaded(paths_.loaded, name);
  if (!loaded.ok()) return Annotate(loaded.status(), subject);
  if (*loaded) return absl::OkStatus();
  return Annotate(LoadDefault("--add"), subject);
}

absl::Status AppArmorProfiles::RenewDefault() {
  const absl::MutexLock lock(&loading_);
  return Annotate(LoadDefault("--replace"),
                  absl::StrCat("apparmor: profile \"", isolation::kDefaultAppArmorProfile, "\""));
}

absl::Status AppArmorProfiles::LoadDefault(const char* how) {
  if (!Exists(paths_.parser)) {
    return absl::FailedPreconditionError(
        absl::StrCat("there is no ", paths_.parser, " to load it"));
  }
  // Without a file the parser reads its standard input.
  const std::string abi = Exists(absl::StrCat(paths_.policy, "/", kAbi)) ? kAbi : "";
  const absl::StatusOr<network::ChildResult> result =
      network::RunChild({.program = paths_.parser,
                         .arguments = {how},
                         .environment = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin"},
                         .input = isolation::DefaultAppArmorPolicy(abi)});
  if (!result.ok()) return Annotate(result.status(), paths_.parser);
  if (result->exited && result->code == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(paths_.parser, result->exited ? " exited with " : " was ended by signal ",
                   result->code, ": ", absl::StripAsciiWhitespace(result->error)));
}

}  // namespace bulkhead::pods
