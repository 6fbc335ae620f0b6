#include "runtime/isolation/seccomp_profile.h"

#include <linux/seccomp.h>
#include <seccomp.h>

#include <set>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/isolation/seccomp_filter.h"
#include "runtime/kernel/status.h"

namespace bulkhead::isolation {
namespace {

using spec::SeccompAction;
using spec::SeccompOperator;

uint32_t ToLibseccomp(const spec::SeccompVerdict& verdict) {
  switch (verdict.action) {
    case SeccompAction::kKillThread:
      return SCMP_ACT_KILL_THREAD;
    case SeccompAction::kKillProcess:
      return SCMP_ACT_KILL_PROCESS;
    case SeccompAction::kTrap:
      return SCMP_ACT_TRAP;
    case SeccompAction::kErrno:
      return SCMP_ACT_ERRNO(verdict.value);
    case SeccompAction::kTrace:
      return SCMP_ACT_TRACE(verdict.value);
    case SeccompAction::kNotify:
      return SCMP_ACT_NOTIFY;
    case SeccompAction::kLog:
      return SCMP_ACT_LOG;
    case SeccompAction::kAllow:
      return SCMP_ACT_ALLOW;
  }
  return SCMP_ACT_KILL_PROCESS;
}

scmp_compare ToLibseccomp(SeccompOperator op) {
  switch (op) {
    case SeccompOperator::kNe:
      return SCMP_CMP_NE;
    case SeccompOperator::kLt:
      return SCMP_CMP_LT;
    case SeccompOperator::kLe:
      return SCMP_CMP_LE;
    case SeccompOperator::kEq:
      return SCMP_CMP_EQ;
    case SeccompOperator::kGe:
      return SCMP_CMP_GE;
    case SeccompOperator::kGt:
      return SCMP_CMP_GT;
    case SeccompOperator::kMaskedEq:
      return SCMP_CMP_MASKED_EQ;
  }
  return SCMP_CMP_EQ;
}

std::vector<scmp_arg_cmp> ToLibseccomp(const std::vector<spec::SeccompComparison>& comparisons) {
  std::vector<scmp_arg_cmp> out;
  for (const spec::SeccompComparison& from : comparisons) {
    out.push_back({.arg = from.index,
                   .op = ToLibseccomp(from.op),
                   .datum_a = from.value,
                   .datum_b = from.value_two});
  }
  return out;
}

bool ComparesOneTwice(const std::vector<spec::SeccompComparison>& comparisons) {
  std::set<uint32_t> seen;
  for (const spec::SeccompComparison& comparison : comparisons) {
    if (!seen.insert(comparison.index).second) return true;
  }
  return false;
}

// libseccomp takes one comparison an argument. The peers' runtimes make a rule of each then, and
// profiles are written for them.
absl::StatusOr<SeccompFilter::Known> AddCall(SeccompFilter& filter, const spec::SeccompRule& rule,
                                             const std::string& name) {
  const uint32_t action = ToLibseccomp(rule.verdict);
  const std::vector<scmp_arg_cmp> comparisons = ToLibseccomp(rule.comparisons);
  if (!ComparesOneTwice(rule.comparisons)) return filter.Add(action, name, comparisons);
  absl::StatusOr<SeccompFilter::Known> known = SeccompFilter::Known::kYes;
  for (const scmp_arg_cmp& comparison : comparisons) {
    known = filter.Add(action, name, std::span(&comparison, 1));
    if (!known.ok()) return known;
  }
  return known;
}

absl::Status AddArchitectures(SeccompFilter& filter, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    const uint32_t architecture = seccomp_arch_resolve_name(name.c_str());
    if (architecture == 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("architectures: libseccomp does not know \"", name, "\""));
    }
    absl::Status status = filter.AddArchitecture(architecture);
    if (!status.ok()) return Annotate(status, absl::StrCat("architectures: \"", name, "\""));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<CompiledSeccomp> CompileProfile(const spec::SeccompProfile& profile) {
  absl::StatusOr<SeccompFilter> filter = SeccompFilter::Make(ToLibseccomp(profile.default_verdict));
  if (!filter.ok()) return filter.status();
  absl::Status status = AddArchitectures(*filter, profile.architectures);
  if (!status.ok()) return status;
  std::set<std::string> unknown;
  for (const spec::SeccompRule& rule : profile.rules) {
    // libseccomp refuses a rule that says what is said already.
    const bool needed = rule.verdict != profile.default_verdict;
    for (const std::string& name : rule.names) {
      if (!needed) continue;
      absl::StatusOr<SeccompFilter::Known> known = AddCall(*filter, rule, name);
      if (!known.ok()) return Annotate(known.status(), "syscalls");
      if (*known == SeccompFilter::Known::kNo) unknown.insert(name);
    }
  }
  absl::StatusOr<std::string> program = filter->Compile();
  if (!program.ok()) return program.status();
  CompiledSeccomp compiled{.unknown_calls = {unknown.begin(), unknown.end()}};
  compiled.plan.set_program(*std::move(program));
  compiled.plan.set_flags(profile.flags);
  if (Notifies(profile)) {
    compiled.plan.mutable_listener()->set_metadata(profile.listener_metadata);
  } else {
    // Refused by the kernel where nobody listens.
    compiled.plan.set_flags(profile.flags & ~SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);
  }
  return compiled;
}

}  // namespace bulkhead::isolation
