// System-call filters: compiled at plan time, installed inside.
#ifndef BULKHEAD_RUNTIME_ISOLATION_SECCOMP_H_
#define BULKHEAD_RUNTIME_ISOLATION_SECCOMP_H_

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "proto/plan.pb.h"
#include "runtime/isolation/seccomp_profile.h"
#include "runtime/isolation/steps.h"
#include "runtime/spec/security.h"

namespace bulkhead::isolation {

// The text of the file that a Localhost profile names, empty for any other and for a privileged
// container. Runs in the daemon. INVALID_ARGUMENT naming the file: not there, not readable, not a
// regular file, beyond 1 MiB.
absl::StatusOr<std::string> ReadLocalhostProfile(const spec::SecurityContext& security);

// Compiles filters and keeps them: the default one takes libseccomp tens of milliseconds. Thread-
// safe.
class SeccompCompiler {
 public:
  // `agent` is the socket of the host's seccomp agent; empty: it has none.
  explicit SeccompCompiler(std::string agent = "") : agent_(std::move(agent)) {}

  const std::string& agent() const { return agent_; }

  // Unset and Unconfined are no filter, and so is a privileged container's; RuntimeDefault and its
  // kin are the profiles of seccomp_default.h for these capabilities (bit n is capability n);
  // Localhost is `profile`, the text of its file. INVALID_ARGUMENT naming the file and the key in
  // it, FAILED_PRECONDITION for SCMP_ACT_NOTIFY without an agent. The calls that libseccomp does
  // not know are told once a profile.
  absl::StatusOr<CompiledSeccomp> Plan(const spec::SecurityContext& security, uint64_t capabilities,
                                       const std::string& profile = "");

 private:
  // The kind of profile, the text of a Localhost one, and the capabilities.
  using Key = std::tuple<spec::SecurityProfile::Type, std::string, uint64_t>;

  absl::StatusOr<CompiledSeccomp> Compile(const Key& key);
  bool IsKept(const Key& key) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Keep(const Key& key, const plan::SeccompPlan& plan) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string agent_;
  absl::Mutex mutex_;
  // Bounded: see kMaxKeptBytes.
  std::map<Key, plan::SeccompPlan> kept_ ABSL_GUARDED_BY(mutex_);
  size_t kept_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
};

// Inside. Without no_new_privs it needs CAP_SYS_ADMIN and so comes before capabilities are
// dropped; with it, last. Where the plan has a listener, that is descriptor kSeccompListener then.
Outcome InstallSeccompInside(const plan::SeccompPlan& plan);

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_SECCOMP_H_
