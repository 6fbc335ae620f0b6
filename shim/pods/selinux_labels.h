// SELinux labels of pods and containers as their records have them.
#ifndef BULKHEAD_SHIM_PODS_SELINUX_LABELS_H_
#define BULKHEAD_SHIM_PODS_SELINUX_LABELS_H_

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/isolation/selinux.h"
#include "runtime/spec/security.h"

namespace bulkhead::pods {

// The context as the policy writes it; isolation::CanonicalSelinuxContext.
using CanonicalContext = std::function<absl::StatusOr<std::string>(const std::string& label)>;

// FAILED_PRECONDITION when the host has SELinux, but containers cannot be labelled there.
absl::Status CheckCanLabel(const isolation::SelinuxFacts& facts);

// What a pod is given that has the level `level`. INVALID_ARGUMENT, naming selinux_options, for a
// label that the policy lacks, also of the process that a container would have which asks for
// nothing more, or that no mount takes.
absl::StatusOr<isolation::PodSelinux> LabelPod(const spec::SecurityContext& pod,
                                               const isolation::SelinuxFacts& facts,
                                               const std::string& level,
                                               const CanonicalContext& canonical);

// The same for a container of a pod that was given `given`.
absl::StatusOr<isolation::SelinuxLabels> LabelContainer(const spec::SecurityContext& container,
                                                        const spec::SecurityContext& pod,
                                                        const isolation::SelinuxFacts& facts,
                                                        const isolation::PodSelinux& given,
                                                        const CanonicalContext& canonical);

}  // namespace bulkhead::pods

#endif  // BULKHEAD_SHIM_PODS_SELINUX_LABELS_H_
