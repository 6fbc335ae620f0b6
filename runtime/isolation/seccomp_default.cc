#include "runtime/isolation/seccomp_default.h"

#include <linux/capability.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/personality.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/isolation/seccomp_calls.h"

namespace bulkhead::isolation {
namespace {

using spec::SeccompAction;
using spec::SeccompOperator;

constexpr spec::SeccompVerdict kAllowed{.action = SeccompAction::kAllow};
constexpr spec::SeccompVerdict kRefused{.action = SeccompAction::kErrno, .value = EPERM};
// Of a call that no list names, which is newer than the lists.
constexpr spec::SeccompVerdict kUnheardOf{.action = SeccompAction::kErrno, .value = ENOSYS};

constexpr uint64_t kNamespaceFlags = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
                                     CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;

bool Has(uint64_t set, int capability) { return (set >> capability & 1) != 0; }

void AllowIf(std::string name, spec::SeccompComparison comparison, spec::SeccompProfile& profile) {
  profile.rules.push_back(
      {.names = {std::move(name)}, .verdict = kAllowed, .comparisons = {comparison}});
}

// Only what is harmless: Linux and its 32-bit and short-address variants.
void AddPersonalities(spec::SeccompProfile& profile) {
  for (const uint64_t value : {uint64_t{PER_LINUX}, uint64_t{PER_LINUX32}, uint64_t{UNAME26},
                               uint64_t{PER_LINUX32} | UNAME26, uint64_t{0xffffffff}}) {
    AllowIf("personality", {.op = SeccompOperator::kEq, .value = value}, profile);
  }
}

void AddClone(uint64_t capabilities, spec::SeccompProfile& profile) {
  if (Has(capabilities, CAP_SYS_ADMIN)) {
    profile.rules.push_back({.names = {"clone", "clone3"}, .verdict = kAllowed});
    return;
  }
  // clone3(2) is on no list, so that it answers ENOSYS: on nothing else libc falls back to
  // clone(2).
  AllowIf("clone", {.op = SeccompOperator::kMaskedEq, .value = kNamespaceFlags, .value_two = 0},
          profile);
}

bool IsAllowedByCapability(std::string_view call, uint64_t capabilities) {
  for (const CapabilityCalls& group : kCallsByCapability) {
    if (!Has(capabilities, group.capability)) continue;
    if (std::find(group.calls.begin(), group.calls.end(), call) != group.calls.end()) return true;
  }
  return false;
}

// Those that a capability guards.
void AddPrivileged(uint64_t capabilities, spec::SeccompProfile& profile) {
  spec::SeccompRule allowed{.verdict = kAllowed};
  spec::SeccompRule refused{.verdict = kRefused};
  for (const char* name : kPrivilegedCalls) {
    (IsAllowedByCapability(name, capabilities) ? allowed : refused).names.emplace_back(name);
  }
  profile.rules.push_back(std::move(allowed));
  profile.rules.push_back(std::move(refused));
}

// All families but vsock, which reaches the machine below (CVE-2022-3328's kind).
void AddSockets(spec::SeccompProfile& profile) {
  AllowIf("socket", {.op = SeccompOperator::kNe, .value = AF_VSOCK}, profile);
}

void AddEverydaySockets(spec::SeccompProfile& profile) {
  for (const uint64_t family : {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK}) {
    AllowIf("socket", {.op = SeccompOperator::kEq, .value = family}, profile);
  }
}

// 32-bit programs of the same machine run too, under the same rules.
std::vector<std::string> FurtherArchitectures() {
  if (seccomp_arch_native() != SCMP_ARCH_X86_64) return {};
  return {"x86", "x32"};
}

// Without sockets, and for the machine's own architecture.
spec::SeccompProfile BaseProfile(uint64_t capabilities) {
  spec::SeccompProfile profile{.default_verdict = kUnheardOf};
  profile.rules.push_back(
      {.names = {kEverydayCalls.begin(), kEverydayCalls.end()}, .verdict = kAllowed});
  AddPrivileged(capabilities, profile);
  AddClone(capabilities, profile);
  AddPersonalities(profile);
  return profile;
}

}  // namespace

spec::SeccompProfile DefaultSeccompProfile(uint64_t capabilities) {
  spec::SeccompProfile profile = BaseProfile(capabilities);
  profile.architectures = FurtherArchitectures();
  AddSockets(profile);
  return profile;
}

spec::SeccompProfile StrictSeccompProfile(uint64_t capabilities) {
  // They alone bring such calls. Those of io_uring, keys and userfaultfd come with none.
  constexpr uint64_t kWidening =
      uint64_t{1} << CAP_SYS_ADMIN | uint64_t{1} << CAP_BPF | uint64_t{1} << CAP_PERFMON;
  spec::SeccompProfile profile = BaseProfile(capabilities & ~kWidening);
  AddEverydaySockets(profile);
  return profile;
}

spec::SeccompProfile LoggedSeccompProfile(uint64_t capabilities) {
  constexpr spec::SeccompVerdict kLogged{.action = SeccompAction::kLog};
  spec::SeccompProfile profile = DefaultSeccompProfile(capabilities);
  profile.default_verdict = kLogged;
  for (spec::SeccompRule& rule : profile.rules) {
    if (rule.verdict == kRefused) rule.verdict = kLogged;
  }
  return profile;
}

}  // namespace bulkhead::isolation
