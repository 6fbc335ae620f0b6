// A pod and its containers in the daemon's memory.
#ifndef BULKHEAD_SHIM_PODS_POD_H_
#define BULKHEAD_SHIM_PODS_POD_H_

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "runtime/kernel/fd.h"
#include "shim/pods/container_end.h"
#include "shim/pods/host.h"
#include "shim/pods/record.h"
#include "shim/pods/status.h"

namespace bulkhead::pods {

// Guarded by its pod's mutex, but for what never changes: record.id, record.spec, record.asked.
struct Container {
  ContainerRecord record;
  int32_t pid = 0;
  LogLoss log_loss;

  // The end that became known while a start was still under way; the start takes it over.
  std::optional<supervisor::ExitRecord> early_exit;
  // When the grace period of a stop is over; the shortest of all stops.
  std::optional<std::chrono::steady_clock::time_point> stop_deadline;
  bool stop_signalled = false;
  // The results of the creation and of the start, for those who joined them.
  std::optional<absl::Status> made;
  std::optional<absl::Status> started;
  bool removed = false;
  // An eventfd while hooks may run; it becomes readable when the pod is stopped.
  UniqueFd cancel;
  // Of the attached clients.
  std::vector<std::weak_ptr<ContainerEnd>> ends;
};

using ContainerKey = std::pair<std::string, uint32_t>;  // Name, attempt.

// All is guarded by `mutex`, but for what never changes: record.id, record.asked and, once the
// making has begun with the ids of its user namespace, record.spec. The mutex is held for moments
// only, never across a call that can block; who waits for a state waits on
// `changed`, which is notified after every change.
struct Pod {
  std::mutex mutex;
  std::condition_variable changed;

  PodRecord record;
  std::map<std::string, std::shared_ptr<Container>> containers;  // By id.
  std::map<ContainerKey, std::shared_ptr<Container>> containers_by_key;
  std::shared_ptr<PodSupervisor> supervisor;  // Null once it has ended.
  int32_t pid1 = 0;

  // The result of RunPodSandbox, for those who joined it; a failed pod is forgotten.
  std::optional<absl::Status> made;
  // StopPodSandbox has cancelled the making. `cancel`, an eventfd while a network is attached,
  // becomes readable with it.
  bool cancelled = false;
  UniqueFd cancel;
  // One stop, or removal, at a time.
  bool stop_under_way = false;
  bool removed = false;
  // The network was released: nothing is left to stop.
  bool released = false;
  // The supervisor is being ended on purpose; its loss is no news.
  bool supervisor_ending = false;
  // It was lost before `made` was known; whoever makes that known settles it.
  bool lost_early = false;
  // There may be a supervisor, but no connection to it.
  bool unreachable = false;

  // Held while a record is written, so that the newest state is the one that stays. Taken before
  // `mutex`.
  std::mutex record_mutex;
  // Guarded by `record_mutex`: what comes too late must not bring the record back.
  bool record_removed = false;
};

bool OnHostNetwork(const spec::PodSpec& spec);
// A PID namespace for all of the pod's containers.
bool SharesPidNamespace(const spec::PodSpec& spec);

// Copies, taken under the pod's mutex.
PodRecord RecordOf(Pod& pod);
ContainerRecord RecordOf(Pod& pod, const Container& container);
std::shared_ptr<PodSupervisor> SupervisorOf(Pod& pod);

// With the pod's mutex held.
PodState StateOf(const Pod& pod);
PodStatus StatusOf(const Pod& pod);
PodFile FileOf(const Pod& pod);

// With the pod's mutex held.
ContainerState StateOf(const Container& container);
ContainerStatus StatusOf(const Pod& pod, const Container& container);
// Whether the CRI knows of it: it was made and not removed since.
bool IsListed(const Container& container);
bool IsListed(const Pod& pod);

// Nanoseconds since the epoch.
int64_t Now();

}  // namespace bulkhead::pods

#endif  // BULKHEAD_SHIM_PODS_POD_H_
