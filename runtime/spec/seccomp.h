#ifndef BULKHEAD_RUNTIME_SPEC_SECCOMP_H_
#define BULKHEAD_RUNTIME_SPEC_SECCOMP_H_

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

namespace bulkhead::spec {

// What happens to a system call (OCI runtime specification, config-linux.md "Seccomp").
enum class SeccompAction {
  kKillThread,
  kKillProcess,
  kTrap,
  kErrno,
  kTrace,
  kNotify,
  kLog,
  kAllow,
};

struct SeccompVerdict {
  SeccompAction action = SeccompAction::kErrno;
  // With kErrno the errno that the call returns, with kTrace the message for the tracer.
  uint16_t value = 0;

  bool operator==(const SeccompVerdict&) const = default;
};

enum class SeccompOperator { kNe, kLt, kLe, kEq, kGe, kGt, kMaskedEq };

// `argument OP value`, with kMaskedEq `(argument & value) == value_two`.
struct SeccompComparison {
  uint32_t index = 0;  // 0 to 5.
  SeccompOperator op = SeccompOperator::kEq;
  uint64_t value = 0;
  uint64_t value_two = 0;

  bool operator==(const SeccompComparison&) const = default;
};

struct SeccompRule {
  std::vector<std::string> names;
  SeccompVerdict verdict;
  // All must hold; but where an argument is compared more than once, each is a rule of its own.
  std::vector<SeccompComparison> comparisons;

  bool operator==(const SeccompRule&) const = default;
};

// A profile with its conditions already decided.
struct SeccompProfile {
  SeccompVerdict default_verdict;
  // As libseccomp names them, such as "x86"; the machine's own is always among them.
  std::vector<std::string> architectures;
  uint32_t flags = 0;  // SECCOMP_FILTER_FLAG_* bits.
  std::vector<SeccompRule> rules;
  // What the agent is told that is notified of calls.
  std::string listener_metadata;

  bool operator==(const SeccompProfile&) const = default;
};

// Whether an agent is notified of calls.
inline bool Notifies(const SeccompProfile& profile) {
  return std::any_of(profile.rules.begin(), profile.rules.end(), [](const SeccompRule& rule) {
    return rule.verdict.action == SeccompAction::kNotify;
  });
}

}  // namespace bulkhead::spec

#endif  // BULKHEAD_RUNTIME_SPEC_SECCOMP_H_
