#include "runtime/isolation/seccomp_json.h"

#include <linux/seccomp.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "nlohmann/json.hpp"
#include "runtime/isolation/json_values.h"
#include "runtime/isolation/seccomp_conditions.h"

namespace bulkhead::isolation {
namespace {

using nlohmann::json;
using spec::SeccompAction;
using spec::SeccompOperator;

constexpr uint64_t kMaxErrno = 4095;  // The kernel's MAX_ERRNO; more it would cut to that.
constexpr uint64_t kMaxArguments = 6;
constexpr size_t kMaxMetadata = 4096;

// Those of the steps that can come after "seccomp" in launch_steps.cc, a successor's among them.
// But for execve(2): the agent is there by then, and a success that is pretended ends the
// process.
constexpr absl::string_view kLaunchCalls[] = {
    "capset",    "chdir",     "clone",     "close",  "exit_group", "fchdir",
    "getcwd",    "ioctl",     "openat2",   "prctl",  "read",       "rt_sigprocmask",
    "setgroups", "setresgid", "setresuid", "setsid", "write",
};

template <typename T>
struct Named {
  absl::string_view name;
  T value;
};

constexpr Named<SeccompAction> kActions[] = {
    {"SCMP_ACT_ALLOW", SeccompAction::kAllow},
    {"SCMP_ACT_ERRNO", SeccompAction::kErrno},
    // The older name of killing the thread.
    {"SCMP_ACT_KILL", SeccompAction::kKillThread},
    {"SCMP_ACT_KILL_PROCESS", SeccompAction::kKillProcess},
    {"SCMP_ACT_KILL_THREAD", SeccompAction::kKillThread},
    {"SCMP_ACT_LOG", SeccompAction::kLog},
    {"SCMP_ACT_NOTIFY", SeccompAction::kNotify},
    {"SCMP_ACT_TRACE", SeccompAction::kTrace},
    {"SCMP_ACT_TRAP", SeccompAction::kTrap},
};

constexpr Named<SeccompOperator> kOperators[] = {
    {"SCMP_CMP_EQ", SeccompOperator::kEq}, {"SCMP_CMP_GE", SeccompOperator::kGe},
    {"SCMP_CMP_GT", SeccompOperator::kGt}, {"SCMP_CMP_LE", SeccompOperator::kLe},
    {"SCMP_CMP_LT", SeccompOperator::kLt}, {"SCMP_CMP_MASKED_EQ", SeccompOperator::kMaskedEq},
    {"SCMP_CMP_NE", SeccompOperator::kNe},
};

constexpr Named<uint32_t> kFlags[] = {
    {"SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG},
    {"SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW},
    // There is one thread when the filter is installed.
    {"SECCOMP_FILTER_FLAG_TSYNC", 0},
    {"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV},
};

constexpr absl::string_view kArchitecturePrefix = "SCMP_ARCH_";

template <typename T, size_t N>
std::optional<T> Lookup(const Named<T> (&table)[N], absl::string_view name) {
  for (const Named<T>& entry : table) {
    if (entry.name == name) return entry.value;
  }
  return std::nullopt;
}

template <typename T, size_t N>
absl::StatusOr<T> ReadNamed(const json& object, absl::string_view key, const std::string& place,
                            const Named<T> (&table)[N], absl::string_view what) {
  const json* value = Find(object, key);
  const std::string here = Below(place, key);
  if (value == nullptr) return Refuse(here, "is missing");
  absl::StatusOr<std::string> name = ReadString(*value, here);
  if (!name.ok()) return name.status();
  const std::optional<T> known = Lookup(table, *name);
  if (!known.has_value()) return Refuse(here, *value, absl::StrCat("is not ", what));
  return *known;
}

absl::StatusOr<spec::SeccompVerdict> ReadVerdict(const json& object, absl::string_view action_key,
                                                 absl::string_view value_key,
                                                 const std::string& place) {
  absl::StatusOr<SeccompAction> action =
      ReadNamed(object, action_key, place, kActions, "an action");
  if (!action.ok()) return action.status();
  const bool takes_value = *action == SeccompAction::kErrno || *action == SeccompAction::kTrace;
  spec::SeccompVerdict verdict{.action = *action, .value = EPERM};
  if (Find(object, value_key) == nullptr) {
    if (!takes_value) verdict.value = 0;
    return verdict;
  }
  if (!takes_value) {
    return Refuse(Below(place, value_key),
                  absl::StrCat("is for SCMP_ACT_ERRNO and SCMP_ACT_TRACE, not ",
                               Find(object, action_key)->get<std::string>()));
  }
  absl::StatusOr<uint64_t> value = ReadNumber(
      object, value_key, place, *action == SeccompAction::kErrno ? kMaxErrno : UINT16_MAX);
  if (!value.ok()) return value.status();
  verdict.value = static_cast<uint16_t>(*value);
  return verdict;
}

absl::StatusOr<spec::SeccompComparison> ReadComparison(const json& from, const std::string& place) {
  absl::Status status = CheckKeys(from, place, {"index", "value", "valueTwo", "op"});
  if (!status.ok()) return status;
  absl::StatusOr<uint64_t> index = ReadNumber(from, "index", place, kMaxArguments - 1);
  if (!index.ok()) return index.status();
  absl::StatusOr<uint64_t> value = ReadNumber(from, "value", place, UINT64_MAX);
  if (!value.ok()) return value.status();
  absl::StatusOr<SeccompOperator> op = ReadNamed(from, "op", place, kOperators, "an operator");
  if (!op.ok()) return op.status();
  spec::SeccompComparison comparison{
      .index = static_cast<uint32_t>(*index), .op = *op, .value = *value};
  if (Find(from, "valueTwo") != nullptr) {
    absl::StatusOr<uint64_t> two = ReadNumber(from, "valueTwo", place, UINT64_MAX);
    if (!two.ok()) return two.status();
    comparison.value_two = *two;
  }
  return comparison;
}

// "names", or the "name" that came before it.
absl::Status ReadNames(const json& from, const std::string& place,
                       std::vector<std::string>& names) {
  if (absl::Status s = ReadStrings(from, "names", place, names); !s.ok()) return s;
  if (const json* name = Find(from, "name"); name != nullptr && *name != "") {
    const std::string here = Below(place, "name");
    if (!names.empty()) return Refuse(here, "excludes \"names\"");
    absl::StatusOr<std::string> text = ReadString(*name, here);
    if (!text.ok()) return text.status();
    names.push_back(*std::move(text));
  }
  if (names.empty()) return Refuse(Below(place, "names"), "is missing or empty");
  for (size_t i = 0; i < names.size(); ++i) {
    if (names[i].empty() || names[i].find('\0') != std::string::npos) {
      return Refuse(At(Below(place, "names"), i), "is not the name of a system call");
    }
  }
  return absl::OkStatus();
}

// SECCOMP_RET_ERRNO with 0: the call is not made, and looks as if it had succeeded.
bool PretendsSuccess(const spec::SeccompVerdict& verdict) {
  return verdict.action == SeccompAction::kErrno && verdict.value == 0;
}

absl::Status CheckAgent(const spec::SeccompRule& rule, const std::string& place,
                        const std::string& agent) {
  if (rule.verdict.action != SeccompAction::kNotify || !agent.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(Below(place, "action"),
                   ": SCMP_ACT_NOTIFY needs a seccomp agent, isolation.seccomp_agent names none"));
}

// The launch makes these calls under the filter. Before the agent has the listener nobody would
// answer, and afterwards its answer, as a success that the filter pretends, could leave a
// capability where it was to be dropped.
absl::Status CheckLaunchCalls(const spec::SeccompRule& rule, const std::string& place) {
  const bool notifies = rule.verdict.action == SeccompAction::kNotify;
  if (!notifies && !PretendsSuccess(rule.verdict)) return absl::OkStatus();
  for (size_t i = 0; i < rule.names.size(); ++i) {
    if (std::find(std::begin(kLaunchCalls), std::end(kLaunchCalls), rule.names[i]) ==
        std::end(kLaunchCalls)) {
      continue;
    }
    if (notifies) {
      return Refuse(At(Below(place, "names"), i), rule.names[i],
                    "is a call of the launch itself, of which no agent can be notified");
    }
    return Refuse(Below(place, "errnoRet"),
                  absl::StrCat("0 would pretend success to the launch itself, which calls \"",
                               rule.names[i], "\""));
  }
  return absl::OkStatus();
}

// Checked whole even where its conditions do not hold, so that a fault does not depend on the
// container.
absl::Status ReadRule(const json& from, const std::string& place,
                      const SeccompConditions& conditions, spec::SeccompProfile& profile) {
  absl::Status status = CheckKeys(
      from, place, {"names", "name", "action", "errnoRet", "args", "includes", "excludes"});
  if (!status.ok()) return status;
  spec::SeccompRule rule;
  if (status = ReadNames(from, place, rule.names); !status.ok()) return status;
  absl::StatusOr<spec::SeccompVerdict> verdict = ReadVerdict(from, "action", "errnoRet", place);
  if (!verdict.ok()) return verdict.status();
  rule.verdict = *verdict;
  if (status = CheckAgent(rule, place, conditions.agent); !status.ok()) return status;
  if (status = CheckLaunchCalls(rule, place); !status.ok()) return status;
  status = ForEach(from, "args", place, [&](const json& value, const std::string& here) {
    absl::StatusOr<spec::SeccompComparison> comparison = ReadComparison(value, here);
    if (comparison.ok()) rule.comparisons.push_back(*comparison);
    return comparison.status();
  });
  if (!status.ok()) return status;
  absl::StatusOr<bool> applies = RuleApplies(from, place, conditions);
  if (!applies.ok()) return applies.status();
  if (*applies) profile.rules.push_back(std::move(rule));
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadArchitecture(const json& value, const std::string& place) {
  absl::StatusOr<std::string> name = ReadString(value, place);
  if (!name.ok()) return name.status();
  absl::string_view own = *name;
  if (!absl::ConsumePrefix(&own, kArchitecturePrefix) || own.empty()) {
    return Refuse(place, value, "is not an architecture such as \"SCMP_ARCH_X86_64\"");
  }
  return absl::AsciiStrToLower(own);
}

absl::Status ReadArchitectures(const json& object, absl::string_view key, const std::string& place,
                               std::vector<std::string>& out) {
  return ForEach(object, key, place, [&](const json& value, const std::string& here) {
    absl::StatusOr<std::string> name = ReadArchitecture(value, here);
    if (name.ok()) out.push_back(*std::move(name));
    return name.status();
  });
}

// Docker's form names the further architectures of each machine.
absl::Status ReadArchitectureMap(const json& root, const SeccompConditions& conditions,
                                 spec::SeccompProfile& profile) {
  if (Find(root, "archMap") == nullptr) return absl::OkStatus();
  if (!profile.architectures.empty()) return Refuse("archMap", "excludes \"architectures\"");
  return ForEach(root, "archMap", "", [&](const json& entry, const std::string& place) {
    absl::Status status = CheckKeys(entry, place, {"architecture", "subArchitectures"});
    if (!status.ok()) return status;
    const json* machine = Find(entry, "architecture");
    if (machine == nullptr) return Refuse(Below(place, "architecture"), "is missing");
    absl::StatusOr<std::string> name = ReadArchitecture(*machine, Below(place, "architecture"));
    if (!name.ok()) return name.status();
    std::vector<std::string> further;
    status = ReadArchitectures(entry, "subArchitectures", place, further);
    if (!status.ok() || *name != conditions.machine) return status;
    profile.architectures = std::move(further);
    return absl::OkStatus();
  });
}

absl::Status ReadFlags(const json& root, spec::SeccompProfile& profile) {
  return ForEach(root, "flags", "", [&](const json& value, const std::string& place) {
    absl::StatusOr<std::string> name = ReadString(value, place);
    if (!name.ok()) return name.status();
    const std::optional<uint32_t> flag = Lookup(kFlags, *name);
    if (!flag.has_value()) return Refuse(place, value, "is not a flag of filters");
    profile.flags |= *flag;
    return absl::OkStatus();
  });
}

absl::StatusOr<std::string> ReadOptionalString(const json& root, const char* key) {
  const json* value = Find(root, key);
  return value == nullptr ? std::string() : ReadString(*value, key);
}

// Who may write a profile need not be who may have the daemon connect to any socket: a profile can
// name the configured agent, and no other.
absl::Status ReadListener(const json& root, const std::string& agent,
                          spec::SeccompProfile& profile) {
  const absl::StatusOr<std::string> path = ReadOptionalString(root, "listenerPath");
  if (!path.ok()) return path.status();
  const absl::StatusOr<std::string> metadata = ReadOptionalString(root, "listenerMetadata");
  if (!metadata.ok()) return metadata.status();
  if (!metadata->empty() && path->empty()) {
    return Refuse("listenerMetadata", "needs a \"listenerPath\"");
  }
  if (metadata->size() > kMaxMetadata) {
    return Refuse("listenerMetadata", absl::StrCat("is longer than ", kMaxMetadata, " bytes"));
  }
  // Without a notification they are ignored, as the specification demands.
  if (!Notifies(profile)) return absl::OkStatus();
  if (!path->empty() && *path != agent) {
    return Refuse("listenerPath", *path,
                  absl::StrCat("is not the host's seccomp agent, which is \"", agent, "\""));
  }
  profile.listener_metadata = *metadata;
  return absl::OkStatus();
}

absl::Status ReadProfile(const json& root, const SeccompConditions& conditions,
                         spec::SeccompProfile& profile) {
  absl::Status status = CheckKeys(root, "",
                                  {"defaultAction", "defaultErrnoRet", "architectures", "archMap",
                                   "flags", "listenerPath", "listenerMetadata", "syscalls"});
  if (!status.ok()) return status;
  absl::StatusOr<spec::SeccompVerdict> verdict =
      ReadVerdict(root, "defaultAction", "defaultErrnoRet", "");
  if (!verdict.ok()) return verdict.status();
  if (verdict->action == SeccompAction::kNotify) {
    return Refuse("defaultAction", "SCMP_ACT_NOTIFY is for rules: the launch itself makes calls");
  }
  if (PretendsSuccess(*verdict)) {
    return Refuse("defaultErrnoRet", "0 would pretend success to the launch itself");
  }
  profile.default_verdict = *verdict;
  status = ReadArchitectures(root, "architectures", "", profile.architectures);
  if (!status.ok()) return status;
  if (status = ReadArchitectureMap(root, conditions, profile); !status.ok()) return status;
  if (status = ReadFlags(root, profile); !status.ok()) return status;
  status = ForEach(root, "syscalls", "", [&](const json& rule, const std::string& place) {
    return ReadRule(rule, place, conditions, profile);
  });
  if (!status.ok()) return status;
  return ReadListener(root, conditions.agent, profile);
}

}  // namespace

absl::StatusOr<spec::SeccompProfile> ParseSeccompProfile(const std::string& text,
                                                         const SeccompConditions& conditions) {
  json root;
  try {
    root = json::parse(text);
  } catch (const json::exception& error) {
    return absl::InvalidArgumentError(absl::StrCat("not JSON: ", error.what()));
  }
  spec::SeccompProfile profile;
  if (absl::Status s = ReadProfile(root, conditions, profile); !s.ok()) return s;
  return profile;
}

}  // namespace bulkhead::isolation
