// What a profile means for a call, from the profile alone: the other opinion to that of its
// compiled filter.
#ifndef BULKHEAD_TESTS_UNIT_ISOLATION_SECCOMP_MEANING_H_
#define BULKHEAD_TESTS_UNIT_ISOLATION_SECCOMP_MEANING_H_

#include <linux/seccomp.h>
#include <seccomp.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <set>
#include <string>
#include <vector>

#include "runtime/spec/seccomp.h"

namespace bulkhead::isolation {

inline uint32_t KernelAction(const spec::SeccompVerdict& verdict) {
  switch (verdict.action) {
    case spec::SeccompAction::kKillThread:
      return SECCOMP_RET_KILL_THREAD;
    case spec::SeccompAction::kKillProcess:
      return SECCOMP_RET_KILL_PROCESS;
    case spec::SeccompAction::kTrap:
      return SECCOMP_RET_TRAP;
    case spec::SeccompAction::kErrno:
      return SECCOMP_RET_ERRNO | verdict.value;
    case spec::SeccompAction::kTrace:
      return SECCOMP_RET_TRACE | verdict.value;
    case spec::SeccompAction::kNotify:
      return SECCOMP_RET_USER_NOTIF;
    case spec::SeccompAction::kLog:
      return SECCOMP_RET_LOG;
    case spec::SeccompAction::kAllow:
      return SECCOMP_RET_ALLOW;
  }
  return 0;
}

// One way into the kernel.
struct CallTable {
  uint32_t architecture;        // SCMP_ARCH_*, which has AUDIT_ARCH_*'s value but for x32.
  uint32_t audit_architecture;  // As filters see it.
  uint32_t first;               // Its lowest call number.
  bool wide;                    // Arguments of 64 bits.
};

inline std::string CallName(const CallTable& table, uint32_t number) {
  char* name =
      seccomp_syscall_resolve_num_arch(table.architecture, static_cast<int>(table.first + number));
  const std::string copy = name == nullptr ? "" : name;
  free(name);
  return copy;
}

class SeccompMeaning {
 public:
  explicit SeccompMeaning(const spec::SeccompProfile& profile) : profile_(profile) {}

  // The SECCOMP_RET_* value for the call of this name; "" is one without a name.
  uint32_t Of(const std::string& name, const uint64_t (&args)[6], bool wide) const {
    const auto names = [&](const spec::SeccompRule& rule) {
      return std::find(rule.names.begin(), rule.names.end(), name) != rule.names.end();
    };
    // Which rules are left out when they say what is said already is libseccomp's way, too.
    for (const spec::SeccompRule& rule : profile_.rules) {
      if (names(rule) && rule.comparisons.empty() && rule.verdict != profile_.default_verdict) {
        return KernelAction(rule.verdict);
      }
    }
    for (const spec::SeccompRule& rule : profile_.rules) {
      if (names(rule) && !rule.comparisons.empty() && Holds(rule, args, wide)) {
        return KernelAction(rule.verdict);
      }
    }
    return KernelAction(profile_.default_verdict);
  }

  // Values of an argument at which the verdict on a call can change.
  std::set<uint64_t> Edges(const std::string& name, uint32_t index) const {
    std::set<uint64_t> edges = {0, UINT64_MAX};
    for (const spec::SeccompRule& rule : profile_.rules) {
      if (std::find(rule.names.begin(), rule.names.end(), name) == rule.names.end()) continue;
      for (const spec::SeccompComparison& comparison : rule.comparisons) {
        if (comparison.index != index) continue;
        for (const uint64_t value : {comparison.value, comparison.value_two}) {
          for (const uint64_t near : {value - 1, value, value + 1}) {
            edges.insert(near);
            edges.insert(near ^ uint64_t{1} << 32);
          }
        }
        for (int bit = 0; bit < 64; ++bit) edges.insert(comparison.value & uint64_t{1} << bit);
      }
    }
    return edges;
  }

 private:
  static bool Compare(const spec::SeccompComparison& comparison, const uint64_t (&args)[6],
                      bool wide) {
    const uint64_t mask = wide ? UINT64_MAX : UINT32_MAX;
    const uint64_t arg = args[comparison.index] & mask;
    const uint64_t value = comparison.value & mask;
    switch (comparison.op) {
      case spec::SeccompOperator::kNe:
        return arg != value;
      case spec::SeccompOperator::kLt:
        return arg < value;
      case spec::SeccompOperator::kLe:
        return arg <= value;
      case spec::SeccompOperator::kEq:
        return arg == value;
      case spec::SeccompOperator::kGe:
        return arg >= value;
      case spec::SeccompOperator::kGt:
        return arg > value;
      case spec::SeccompOperator::kMaskedEq:
        return (arg & value) == (comparison.value_two & mask);
    }
    return false;
  }

  static bool Holds(const spec::SeccompRule& rule, const uint64_t (&args)[6], bool wide) {
    std::set<uint32_t> seen;
    bool twice = false;
    bool all = true;
    bool any = false;
    for (const spec::SeccompComparison& comparison : rule.comparisons) {
      twice |= !seen.insert(comparison.index).second;
      const bool holds = Compare(comparison, args, wide);
      all &= holds;
      any |= holds;
    }
    return twice ? any : all;
  }

  const spec::SeccompProfile& profile_;
};

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_TESTS_UNIT_ISOLATION_SECCOMP_MEANING_H_
