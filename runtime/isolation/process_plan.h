// Arguments, environment and working directory.
#ifndef BULKHEAD_RUNTIME_ISOLATION_PROCESS_PLAN_H_
#define BULKHEAD_RUNTIME_ISOLATION_PROCESS_PLAN_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/plan.pb.h"
#include "runtime/isolation/resolve.h"
#include "runtime/spec/container.h"
#include "runtime/spec/image_config.h"
#include "runtime/spec/pod.h"

namespace bulkhead::isolation {

// The CRI's command replaces the image's entrypoint and, without args, its cmd as well; args
// replace the cmd.
std::vector<std::string> ContainerArgs(const spec::ContainerSpec& spec,
                                       const spec::ImageConfig& image);

// The image's environment, then the container's over it; PATH, HOME and HOSTNAME where nobody
// sets them, TERM with a terminal. Sorted by first appearance.
absl::StatusOr<plan::Process> PlanProcess(const spec::ContainerSpec& spec, const spec::PodSpec& pod,
                                          const spec::ImageConfig& image, const ResolvedUser& user,
                                          const std::vector<std::string>& args, bool terminal);

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_PROCESS_PLAN_H_
