#include "shim/metrics/isolation_counter.h"

#include <glog/logging.h>

#include <utility>
#include <vector>

#include "absl/strings/str_join.h"
#include "shim/log/event.h"

namespace bulkhead::metrics {
namespace {

std::string Differing(const std::vector<isolation::Comparison>& comparisons) {
  std::vector<std::string> mechanisms;
  for (const isolation::Comparison& one : comparisons) {
    if (one.verdict == isolation::Verdict::kDiffers) mechanisms.push_back(one.mechanism);
  }
  return absl::StrJoin(mechanisms, ",");
}

bool StillRuns(pods::PodService& pods, const std::string& id) {
  const absl::StatusOr<pods::ContainerStatus> status = pods.GetContainerStatus(id);
  return status.ok() && status->state == pods::ContainerState::kRunning;
}

}  // namespace

IsolationCounts IsolationCounter::Count() {
  IsolationCounts counts;
  std::map<std::string, std::string> differing;
  for (const pods::ContainerStatus& container :
       pods_.ListContainers({.state = pods::ContainerState::kRunning})) {
    const auto comparisons = pods_.CompareIsolation(container.id);
    if (!comparisons.ok()) {
      // Not of one that ended meanwhile.
      if (StillRuns(pods_, container.id)) ++counts.unknown;
    } else if (!isolation::Differs(*comparisons)) {
      ++counts.as_planned;
    } else {
      ++counts.differs;
      const std::string& mechanisms = differing[container.id] = Differing(*comparisons);
      const auto logged = logged_.find(container.id);
      if (logged != logged_.end() && logged->second == mechanisms) continue;
      LOG(WARNING) << Event("a container's isolation differs from its plan")
                          .With("container", container.id)
                          .With("pod", container.pod_id)
                          .With("mechanisms", mechanisms);
    }
  }
  logged_ = std::move(differing);
  return counts;
}

}  // namespace bulkhead::metrics
