// cgroups as the daemon uses them; v1 (with or without the v2 tree of a hybrid host) and v2.
#ifndef BULKHEAD_RUNTIME_ISOLATION_CGROUP_H_
#define BULKHEAD_RUNTIME_ISOLATION_CGROUP_H_

#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "proto/plan.pb.h"
#include "runtime/isolation/cgroup_files.h"
#include "runtime/isolation/descriptors.h"
#include "runtime/isolation/host_facts.h"
#include "runtime/spec/container.h"

namespace bulkhead::isolation {

// A rule of the device allowlist; -1 is "any".
struct DeviceRule {
  char type = 'a';  // 'a', 'b' or 'c'.
  int64_t major = -1;
  int64_t minor = -1;
  std::string access = "rwm";

  bool operator==(const DeviceRule&) const = default;
};

// As v1's devices.allow takes it: "c 1:3 rwm".
std::string ToText(const DeviceRule& rule);

// The files through which a child joins a cgroup.
struct CgroupJoinPaths {
  std::vector<std::string> v1_tasks;
  std::string v2_directory;  // Empty where there is no v2 tree.

  bool operator==(const CgroupJoinPaths&) const = default;
};

// Puts the join into a plan's field.
plan::CgroupJoin PlanCgroupJoin(const CgroupJoinPaths& paths, DescriptorList& descriptors);

// Keeps a cgroup whose manager takes it away while it is empty. To be let go once a process of its
// own is in it, or when nothing comes of it.
class CgroupHold {
 public:
  virtual ~CgroupHold() = default;
};

// cgroups by their path below the hierarchies' roots, such as "/kubepods/pod1/abc". Stateless
// and thread-safe; each function is idempotent. Paths with ".." or a NUL are INVALID_ARGUMENT.
class CgroupManager {
 public:
  // The kind that fits the host.
  static std::unique_ptr<CgroupManager> ForHost(const HostFacts& facts);
  virtual ~CgroupManager() = default;

  // Makes the cgroup and its missing parents, controllers enabled from the top. Returns the
  // paths that were made, outermost first; Remove takes them away in reverse.
  virtual absl::StatusOr<std::vector<std::string>> Create(std::string_view path) = 0;

  // The cgroup of a container, with its limits, ready to be joined. No hold where an empty cgroup
  // stays by itself.
  virtual absl::StatusOr<std::unique_ptr<CgroupHold>> CreateLimited(
      std::string_view path, const spec::Resources& resources);

  // Sets or changes limits, in an order that the kernel accepts. What is 0 or empty is left
  // alone. FAILED_PRECONDITION naming the field: a real limit whose controller is not there;
  // INVALID_ARGUMENT: a value that the kernel refuses.
  virtual absl::Status SetResources(std::string_view path, const spec::Resources& resources) = 0;

  // What SetResources would write, each file by its whole path.
  virtual absl::StatusOr<std::vector<CgroupWrite>> PlanLimits(
      std::string_view path, const spec::Resources& resources) const = 0;

  // Allows these devices and no others. Not for privileged containers, who keep their parent's.
  virtual absl::Status SetDevices(std::string_view path, const std::vector<DeviceRule>& rules) = 0;

  // What the kernel tells of the devices that are allowed: the rules (v1), or that there is a
  // filter (v2, whose programs tell no more).
  virtual absl::StatusOr<std::set<std::string>> ReadDevices(std::string_view path) const = 0;
  // The same after SetDevices.
  virtual std::set<std::string> PlanDevices(const std::vector<DeviceRule>& rules) const = 0;

  // What a child needs to join.
  virtual CgroupJoinPaths JoinPaths(std::string_view path) const = 0;

  // A leaf below a container's cgroup for one exec, so that it can be killed as a whole; it has
  // no limits of its own. Kill and Remove take its path. The name is of lower-case hexadecimal
  // digits. EAGAIN (ErrnoOf): the container's cgroup takes no more below it.
  absl::StatusOr<std::string> CreateExecLeaf(std::string_view container, std::string_view name);
  // The leaves that are there.
  std::vector<std::string> ExecLeavesOf(std::string_view container) const;
  // Removes an empty leaf without waiting. False: something is in it.
  absl::StatusOr<bool> RemoveExecLeaf(std::string_view leaf);
  // Where a leaf is a directory: in one hierarchy only. Empty where none can be killed.
  virtual std::string LeafDirectory(std::string_view leaf) const = 0;
  // Its file that changes when it becomes empty (poll(2), inotify(7)); empty without a v2 tree.
  virtual std::string ExecLeafEvents(std::string_view leaf) const = 0;
  // The join of an exec leaf: the leaf where a leaf exists, the container's elsewhere.
  virtual CgroupJoinPaths ExecJoinPaths(std::string_view container,
                                        std::string_view leaf) const = 0;

  // memory.events or memory.oom_control; empty where there is no memory controller.
  virtual std::string OomEventsPath(std::string_view path) const = 0;
  // The same of the cgroup above, which counts what is below too (cgroup-v2.rst), where the
  // kernel's end of a container may be the end of its cgroup; empty elsewhere.
  virtual std::string PodOomEventsPath(std::string_view) const { return ""; }

  // SIGKILL to every process in the cgroup and below, and waits until they are gone. OK when
  // the cgroup does not exist. DEADLINE_EXCEEDED when a process is stuck in the kernel.
  virtual absl::Status Kill(std::string_view path, absl::Time deadline) = 0;

  // Whether no process is in the cgroup or below; true when it does not exist.
  virtual absl::StatusOr<bool> IsEmpty(std::string_view path) = 0;

  // Removes the cgroup with those below it; waits while dying processes keep it busy.
  virtual absl::Status Remove(std::string_view path, absl::Time deadline) = 0;

  // Moves the calling process into `path`. The daemon does this at start on v2, so that its own
  // cgroup can have children with controllers.
  virtual absl::Status Enter(std::string_view path) = 0;
};

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_CGROUP_H_
