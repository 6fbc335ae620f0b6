// SELinux: which labels (contexts, "USER:ROLE:TYPE:LEVEL") the processes and files of containers
// get.
#ifndef BULKHEAD_RUNTIME_ISOLATION_SELINUX_H_
#define BULKHEAD_RUNTIME_ISOLATION_SELINUX_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/spec/security.h"

namespace bulkhead::isolation {

inline constexpr char kSelinuxAttribute[] = "security.selinux";  // xattr(7).

struct SelinuxContext {
  std::string user;
  std::string role;
  std::string type;
  std::string level;  // Empty with a policy that has none.

  bool operator==(const SelinuxContext&) const = default;
};

std::string ToString(const SelinuxContext& context);

// None when the text cannot be one. Without a policy every process is "kernel", which is none.
std::optional<SelinuxContext> ParseSelinuxContext(std::string_view label);

// What the host's policy says of containers.
struct SelinuxFacts {
  bool enforcing = false;
  SelinuxContext process;
  SelinuxContext file;
  // Why no container can be labelled; empty when they can.
  std::string problem;

  bool operator==(const SelinuxFacts&) const = default;
};

// Absent on a host without SELinux, or without a policy loaded. Reads the policy's lxc_contexts.
std::optional<SelinuxFacts> ProbeSelinux();

// The contexts that a policy must have for what nobody asks for by name: those of the facts, that
// of privileged containers, and where there are levels the last pair of categories.
std::vector<std::string> NeededContexts(const SelinuxFacts& facts);

// From the text of the policy's lxc_contexts(5); a pure function.
void ParseLxcContexts(std::string_view text, SelinuxFacts& facts);

// The context as the kernel's policy writes it: "s0:c5,c4" is "s0:c4,c5". INVALID_ARGUMENT, naming
// it, when the policy has no such context.
absl::StatusOr<std::string> CanonicalSelinuxContext(const std::string& label);

// Of a context; empty when it has none.
std::string SelinuxLevelOf(const std::string& label);

// fsconfig(2) takes no longer `context` of a file system.
inline constexpr size_t kMaxMountLabel = 255;

// Both empty: nothing is labelled.
struct SelinuxLabels {
  std::string process;
  std::string mount;  // Of the files that are the container's own.

  bool operator==(const SelinuxLabels&) const = default;
};

// What a pod was given when it was made.
struct PodSelinux {
  std::string level;  // That its containers share, unless they ask for another.
  std::string mount;
  std::string process;  // That a container has which asks for nothing more.

  bool operator==(const PodSelinux&) const = default;
};

// A pod's, with `level` where it does not ask for one.
PodSelinux PlanPodSelinux(const spec::SecurityContext& pod, const SelinuxFacts& facts,
                          const std::string& level);

// A container's: what it asks for, part by part, else what its pod asks for, else the policy's. A
// privileged one is of type spc_t unless it asks otherwise, and then of no pod's level, so that the
// host's files which it writes stay the host's.
SelinuxLabels PlanSelinux(const spec::SecurityContext& container, const spec::SecurityContext& pod,
                          const SelinuxFacts& facts, const PodSelinux& given);

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_SELINUX_H_
