// The isolation that was planned for a container beside the one that it has.
#ifndef BULKHEAD_RUNTIME_ISOLATION_COMPARISON_H_
#define BULKHEAD_RUNTIME_ISOLATION_COMPARISON_H_

#include <cstdint>
#include <string>
#include <vector>

#include "nlohmann/json.hpp"
#include "proto/plan.pb.h"
#include "runtime/isolation/cgroup_files.h"
#include "runtime/isolation/report.h"
#include "runtime/spec/security.h"

namespace bulkhead::isolation {

// A process may give up what it was given, and use a right that the plan gives it to change more:
// its user, a limit. Neither is weaker isolation than planned.
enum class Verdict { kAsPlanned, kByItself, kDiffers };

struct Comparison {
  std::string mechanism;  // "namespace net", "capabilities bounding", "mount /data" …
  std::string planned;
  std::string actual;
  Verdict verdict = Verdict::kAsPlanned;

  bool operator==(const Comparison&) const = default;
};

struct PlannedIsolation {
  plan::ContainerPlan plan;
  spec::NamespaceOptions pod;  // Whose are the network, IPC, UTS and user namespaces.
  // Its cgroup, in how many hierarchies.
  std::string cgroup;
  size_t hierarchies = 0;
  // The inode of the pod's network namespace; 0: not known, or the host's.
  uint64_t network_namespace = 0;
  // CgroupManager::PlanLimits, as updated since.
  std::vector<CgroupWrite> limits;
};

// What ReadIsolation has to read for a comparison.
ReportRequest RequestFor(const PlannedIsolation& planned);

// Each mechanism in the order of a launch; a pure function. `actual` was read with RequestFor.
std::vector<Comparison> Compare(const PlannedIsolation& planned, const IsolationReport& actual);

bool Differs(const std::vector<Comparison>& comparisons);
const char* Name(Verdict verdict);  // "as planned", "by itself", "DIFFERS".
nlohmann::json ToJson(const std::vector<Comparison>& comparisons);

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_COMPARISON_H_
