#include "runtime/isolation/capabilities.h"

#include <sys/capability.h>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace bulkhead::isolation {
namespace {

constexpr char kAll[] = "ALL";

constexpr uint64_t Bit(int capability) { return uint64_t{1} << capability; }

struct Names {
  uint64_t set = 0;
  bool all = false;
};

absl::StatusOr<Names> ParseNames(const std::vector<std::string>& names, const char* field) {
  Names parsed;
  for (size_t i = 0; i < names.size(); ++i) {
    const std::string name = absl::AsciiStrToUpper(names[i]);
    if (name == kAll) {
      parsed.all = true;
      continue;
    }
    const std::optional<int> number = CapabilityNumber(name);
    if (!number.has_value()) {
      return absl::InvalidArgumentError(
          absl::StrCat("capabilities.", field, "[", i, "]: no capability \"", names[i], "\""));
    }
    parsed.set |= Bit(*number);
  }
  return parsed;
}

uint64_t Combine(const Names& add, const Names& drop, uint64_t host_bounding) {
  uint64_t set = DefaultCapabilities();
  if (add.all) set = host_bounding;
  if (drop.all) set = 0;
  return ((set | add.set) & ~drop.set) & host_bounding;
}

}  // namespace

std::optional<int> CapabilityNumber(const std::string& name) {
  const std::string upper = absl::AsciiStrToUpper(name);
  const std::string full = absl::StartsWith(upper, "CAP_") ? upper : absl::StrCat("CAP_", upper);
  cap_value_t value = 0;
  // libcap also takes numbers; neither the CRI nor a profile does.
  if (absl::ascii_isdigit(full[4]) || cap_from_name(full.c_str(), &value) != 0) {
    return std::nullopt;
  }
  return value;
}

uint64_t DefaultCapabilities() {
  uint64_t set = 0;
  for (const int capability : {CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FSETID, CAP_FOWNER, CAP_MKNOD,
                               CAP_NET_RAW, CAP_SETGID, CAP_SETUID, CAP_SETFCAP, CAP_SETPCAP,
                               CAP_NET_BIND_SERVICE, CAP_SYS_CHROOT, CAP_KILL, CAP_AUDIT_WRITE}) {
    set |= Bit(capability);
  }
  return set;
}

absl::StatusOr<CapabilitySets> PlanCapabilities(const spec::SecurityContext& security,
                                                uint64_t host_bounding) {
  if (security.privileged) {
    return CapabilitySets{
        .bounding = host_bounding, .effective = host_bounding, .permitted = host_bounding};
  }
  absl::StatusOr<Names> add = ParseNames(security.capabilities.add, "add_capabilities");
  if (!add.ok()) return add.status();
  absl::StatusOr<Names> drop = ParseNames(security.capabilities.drop, "drop_capabilities");
  if (!drop.ok()) return drop.status();
  absl::StatusOr<Names> ambient =
      ParseNames(security.capabilities.add_ambient, "add_ambient_capabilities");
  if (!ambient.ok()) return ambient.status();
  const uint64_t set = Combine(*add, *drop, host_bounding);
  const uint64_t raised = ambient->all ? set : ambient->set & host_bounding;
  if ((raised & ~set) != 0) {
    return absl::InvalidArgumentError(
        "capabilities.add_ambient_capabilities: one is not among the container's capabilities");
  }
  return CapabilitySets{.bounding = set,
                        .effective = set,
                        .permitted = set,
                        .inheritable = raised,
                        .ambient = raised};
}

}  // namespace bulkhead::isolation
