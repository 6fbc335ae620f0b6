// AppArmor: which profile a container gets, and the default one.
#ifndef BULKHEAD_RUNTIME_ISOLATION_APPARMOR_H_
#define BULKHEAD_RUNTIME_ISOLATION_APPARMOR_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "runtime/isolation/host_facts.h"
#include "runtime/spec/security.h"

namespace bulkhead::isolation {

inline constexpr char kDefaultAppArmorProfile[] = "bulkhead-default";
// The program that compiles and loads profiles, apparmor_parser(8).
inline constexpr char kAppArmorParser[] = "/sbin/apparmor_parser";

// The profile's name, empty for none. An unset one is the runtime's default, as the CRI and the
// peers have it; on a host without AppArmor either is nothing, and a profile that is asked for by
// name is FAILED_PRECONDITION. A privileged container has none.
absl::StatusOr<std::string> PlanAppArmor(const spec::SecurityContext& security,
                                         const HostFacts& host);

// The default profile in the language of apparmor.d(5). `abi` names the policy ABI to compile it
// for, such as "abi/3.0"; empty where the host has no such file.
std::string DefaultAppArmorPolicy(std::string_view abi);

// Whether a profile is among those in the text of /sys/kernel/security/apparmor/profiles.
bool ListsProfile(std::string_view profiles, std::string_view name);

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_APPARMOR_H_
