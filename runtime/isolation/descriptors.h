// The descriptors that go along with a plan: planned as values, opened by the daemon.
#ifndef BULKHEAD_RUNTIME_ISOLATION_DESCRIPTORS_H_
#define BULKHEAD_RUNTIME_ISOLATION_DESCRIPTORS_H_

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/plan.pb.h"
#include "runtime/isolation/volumes.h"
#include "runtime/kernel/fd.h"

namespace bulkhead::isolation {

struct DescriptorRequest {
  enum class Kind {
    kTree,           // A detached copy of the mount at `path` (open_tree(2)), not recursive.
    kRecursiveTree,  // The same with all mounts below.
    kVolume,         // The opened volume number `number`.
    kReadOnly,      // `path` opened for reading: a namespace, a cgroup's directory, an events file.
    kReadWrite,     // `path`, an existing regular file, opened for reading and writing.
    kWriteOnly,     // `path` opened for writing: a cgroup's tasks file.
    kAppend,        // `path`, by OpenForAppending.
    kSeccompAgent,  // A connection to the agent that listens at `path`.
    kGiven,         // Brought by the caller: number `number` of its list.
  };
  Kind kind = Kind::kReadOnly;
  std::string path;
  size_t number = 0;

  bool operator==(const DescriptorRequest&) const = default;
};

// The list beside a plan. The position of a request is the Fd.index that the plan uses.
class DescriptorList {
 public:
  // Appends a request and gives its index in the form that plans use.
  plan::Fd Add(DescriptorRequest::Kind kind, std::string path);
  plan::Fd AddVolume(size_t number);
  plan::Fd AddGiven(size_t number);

  const std::vector<DescriptorRequest>& requests() const { return requests_; }

 private:
  std::vector<DescriptorRequest> requests_;
};

// A log file, made with mode 0640 when absent. Its folder may be a container's volume as well: a
// link in its place is not followed, and what is no regular file is refused.
absl::StatusOr<UniqueFd> OpenForAppending(const std::string& path);

// Opens all, in order, in the calling thread's mount namespace (the host's). Volumes and given
// descriptors are moved out of the two lists. On an error all of them are closed.
absl::StatusOr<std::vector<UniqueFd>> OpenDescriptors(const DescriptorList& list,
                                                      std::vector<OpenedVolume> volumes,
                                                      std::vector<UniqueFd> given);

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_DESCRIPTORS_H_
