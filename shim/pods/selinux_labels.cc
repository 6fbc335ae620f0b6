#include "shim/pods/selinux_labels.h"

#include "absl/strings/str_cat.h"
#include "runtime/kernel/status.h"

namespace bulkhead::pods {
namespace {

constexpr char kField[] = "config.linux.security_context.selinux_options";

absl::Status Settle(isolation::SelinuxLabels& labels, const CanonicalContext& canonical) {
  for (std::string* label : {&labels.process, &labels.mount}) {
    absl::StatusOr<std::string> settled = canonical(*label);
    if (!settled.ok()) return Annotate(settled.status(), kField);
    *label = *std::move(settled);
  }
  const std::string& mount = labels.mount;
  if (mount.size() <= isolation::kMaxMountLabel) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(kField, ".level: \"", isolation::SelinuxLevelOf(mount), "\" makes a label of ",
                   mount.size(), " bytes, and a mount takes ", isolation::kMaxMountLabel));
}

}  // namespace

absl::Status CheckCanLabel(const isolation::SelinuxFacts& facts) {
  if (facts.problem.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("SELinux: ", facts.problem));
}

absl::StatusOr<isolation::PodSelinux> LabelPod(const spec::SecurityContext& pod,
                                               const isolation::SelinuxFacts& facts,
                                               const std::string& level,
                                               const CanonicalContext& canonical) {
  isolation::PodSelinux given = isolation::PlanPodSelinux(pod, facts, level);
  isolation::SelinuxLabels labels{.process = isolation::PlanSelinux({}, pod, facts, given).process,
                                  .mount = given.mount};
  if (absl::Status status = Settle(labels, canonical); !status.ok()) return status;
  given.mount = labels.mount;
  given.process = labels.process;
  given.level = isolation::SelinuxLevelOf(labels.mount);
  return given;
}

absl::StatusOr<isolation::SelinuxLabels> LabelContainer(const spec::SecurityContext& container,
                                                        const spec::SecurityContext& pod,
                                                        const isolation::SelinuxFacts& facts,
                                                        const isolation::PodSelinux& given,
                                                        const CanonicalContext& canonical) {
  isolation::SelinuxLabels labels = isolation::PlanSelinux(container, pod, facts, given);
  if (absl::Status status = Settle(labels, canonical); !status.ok()) return status;
  return labels;
}

}  // namespace bulkhead::pods
