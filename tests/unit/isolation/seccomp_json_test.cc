#include "runtime/isolation/seccomp_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <linux/seccomp.h>

#include <cerrno>

#include "absl/strings/str_cat.h"

namespace bulkhead::isolation {
namespace {

using spec::SeccompAction;
using spec::SeccompOperator;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

absl::StatusOr<spec::SeccompProfile> Parse(const std::string& text, uint64_t capabilities = 0) {
  return ParseSeccompProfile(
      text,
      {.capabilities = capabilities, .machine = "x86_64", .kernel_release = "6.1.0-30-amd64"});
}

// The message for a profile with this list of system calls.
std::string Fault(const std::string& syscalls) {
  const auto parsed =
      Parse(absl::StrCat(R"({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": )", syscalls, "}"));
  EXPECT_TRUE(absl::IsInvalidArgument(parsed.status())) << parsed.status();
  return std::string(parsed.status().message());
}

std::string RootFault(const std::string& text) {
  const auto parsed = Parse(text);
  EXPECT_TRUE(absl::IsInvalidArgument(parsed.status())) << parsed.status();
  return std::string(parsed.status().message());
}

// How many of a profile's rules are for this container.
size_t RulesWith(const std::string& conditions, uint64_t capabilities = 0) {
  const auto parsed =
      Parse(absl::StrCat(R"({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["mount"],
                       "action": "SCMP_ACT_ALLOW", )",
                         conditions, "}]}"),
            capabilities);
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  return parsed.ok() ? parsed->rules.size() : 99;
}

TEST(ParseSeccompProfile, ReadsEveryKeyOfTheRuntimeSpecification) {
  const auto parsed = Parse(R"({
      "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38,
      "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X32"],
      "flags": ["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
                "SECCOMP_FILTER_FLAG_TSYNC"],
      "syscalls": [
        {"names": ["read", "write"], "action": "SCMP_ACT_ALLOW"},
        {"names": ["clone"], "action": "SCMP_ACT_TRACE", "errnoRet": 7,
         "args": [{"index": 5, "value": 18446744073709551615, "valueTwo": 2,
                   "op": "SCMP_CMP_MASKED_EQ"}]}]})");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  const spec::SeccompProfile wanted{
      .default_verdict = {.action = SeccompAction::kErrno, .value = ENOSYS},
      .architectures = {"x86_64", "x32"},
      .flags = SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW,
      .rules = {{.names = {"read", "write"}, .verdict = {.action = SeccompAction::kAllow}},
                {.names = {"clone"},
                 .verdict = {.action = SeccompAction::kTrace, .value = 7},
                 .comparisons = {{.index = 5,
                                  .op = SeccompOperator::kMaskedEq,
                                  .value = UINT64_MAX,
                                  .value_two = 2}}}}};
  EXPECT_EQ(*parsed, wanted);
}

TEST(ParseSeccompProfile, KnowsEveryAction) {
  const std::pair<const char*, spec::SeccompVerdict> kActions[] = {
      {"SCMP_ACT_KILL", {.action = SeccompAction::kKillThread}},
      {"SCMP_ACT_KILL_THREAD", {.action = SeccompAction::kKillThread}},
      {"SCMP_ACT_KILL_PROCESS", {.action = SeccompAction::kKillProcess}},
      {"SCMP_ACT_TRAP", {.action = SeccompAction::kTrap}},
      {"SCMP_ACT_ERRNO", {.action = SeccompAction::kErrno, .value = EPERM}},
      {"SCMP_ACT_TRACE", {.action = SeccompAction::kTrace, .value = EPERM}},
      {"SCMP_ACT_LOG", {.action = SeccompAction::kLog}},
      {"SCMP_ACT_ALLOW", {.action = SeccompAction::kAllow}}};
  for (const auto& [name, verdict] : kActions) {
    const auto parsed = Parse(absl::StrCat(R"({"defaultAction": ")", name, R"("})"));
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    EXPECT_EQ(parsed->default_verdict, verdict) << name;
  }
}

TEST(ParseSeccompProfile, NamesTheKeyAndTheValueAtFault) {
  EXPECT_THAT(RootFault("{\"defaultAction\": "), HasSubstr("not JSON"));
  EXPECT_EQ(RootFault("[]"), "the profile: [] is not an object");
  EXPECT_EQ(RootFault("{}"), "defaultAction: is missing");
  EXPECT_EQ(RootFault(R"({"defaultAction": "SCMP_ACT_MAYBE"})"),
            "defaultAction: \"SCMP_ACT_MAYBE\" is not an action");
  EXPECT_EQ(RootFault(R"({"defaultAction": 5})"), "defaultAction: 5 is not a string");
  EXPECT_EQ(RootFault(R"({"defaultAction": "SCMP_ACT_ALLOW", "defaultErrnoRet": 1})"),
            "defaultErrnoRet: is for SCMP_ACT_ERRNO and SCMP_ACT_TRACE, not SCMP_ACT_ALLOW");
  EXPECT_EQ(RootFault(R"({"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["X86"]})"),
            "architectures[0]: \"X86\" is not an architecture such as \"SCMP_ARCH_X86_64\"");
  EXPECT_EQ(RootFault(R"({"defaultAction": "SCMP_ACT_ERRNO", "flags": ["FAST"]})"),
            "flags[0]: \"FAST\" is not a flag of filters");
  EXPECT_EQ(Fault(R"({"names": ["read"]})"), "syscalls: {\"names\":[\"read\"]} is not a list");
  EXPECT_EQ(Fault(R"([{"action": "SCMP_ACT_ALLOW"}])"), "syscalls[0].names: is missing or empty");
  EXPECT_EQ(Fault(R"([{"names": ["a", ""], "action": "SCMP_ACT_ALLOW"}])"),
            "syscalls[0].names[1]: is not the name of a system call");
  EXPECT_EQ(Fault(R"([{"names": ["read"], "action": "SCMP_ACT_ERRNO", "errnoRet": 4096}])"),
            "syscalls[0].errnoRet: 4096 is not a number from 0 to 4095");
  EXPECT_EQ(Fault(R"([{"names": ["read"], "action": "SCMP_ACT_ERRNO", "errnoRet": -1}])"),
            "syscalls[0].errnoRet: -1 is not a number from 0 to 4095");
}

TEST(ParseSeccompProfile, PretendsNoSuccessToTheLaunchItself) {
  EXPECT_EQ(RootFault(R"({"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 0})"),
            "defaultErrnoRet: 0 would pretend success to the launch itself");
  for (const char* call :
       {"capset", "chdir", "close", "exit_group", "fchdir", "getcwd", "openat2", "prctl", "read",
        "rt_sigprocmask", "setgroups", "setresgid", "setresuid", "write"}) {
    EXPECT_EQ(Fault(absl::StrCat(R"([{"names": ["mount", ")", call,
                                 R"("], "action": "SCMP_ACT_ERRNO", "errnoRet": 0,
                     "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}]}])")),
              absl::StrCat("syscalls[0].errnoRet: 0 would pretend success to the launch itself, "
                           "which calls \"",
                           call, "\""));
  }
}

TEST(ParseSeccompProfile, PretendsSuccessOfOtherCalls) {
  const auto parsed = Parse(R"({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
      {"names": ["chown", "execve"], "action": "SCMP_ACT_ERRNO", "errnoRet": 0},
      {"names": ["setresuid"], "action": "SCMP_ACT_TRACE", "errnoRet": 0}]})");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  const spec::SeccompVerdict wanted{.action = SeccompAction::kErrno, .value = 0};
  EXPECT_EQ(parsed->rules.at(0).verdict, wanted);
}

TEST(ParseSeccompProfile, NamesTheComparisonAtFault) {
  const auto fault = [](const std::string& args) {
    return Fault(
        absl::StrCat(R"([{"names": ["read"], "action": "SCMP_ACT_ALLOW", "args": [)", args, "]}]"));
  };
  EXPECT_EQ(fault(R"({"index": 6, "value": 1, "op": "SCMP_CMP_EQ"})"),
            "syscalls[0].args[0].index: 6 is not a number from 0 to 5");
  EXPECT_EQ(fault(R"({"index": 0, "op": "SCMP_CMP_EQ"})"), "syscalls[0].args[0].value: is missing");
  EXPECT_EQ(fault(R"({"index": 0, "value": 1.5, "op": "SCMP_CMP_EQ"})"),
            "syscalls[0].args[0].value: 1.5 is not a number from 0 to 18446744073709551615");
  EXPECT_EQ(fault(R"({"index": 0, "value": 1, "op": "=="})"),
            "syscalls[0].args[0].op: \"==\" is not an operator");
  EXPECT_EQ(fault("7"), "syscalls[0].args[0]: 7 is not an object");
}

TEST(ParseSeccompProfile, AKeyInOtherCaseIsRefusedInsteadOfPassedOver) {
  EXPECT_EQ(Fault(R"([{"names": ["read"], "action": "SCMP_ACT_ALLOW", "Args": []}])"),
            "syscalls[0].Args: the key is written \"args\"");
}

TEST(ParseSeccompProfile, KeysOfNeitherFormArePassedOver) {
  const auto parsed = Parse(R"({"defaultAction": "SCMP_ACT_ERRNO", "defaultErrno": "EPERM",
      "syscalls": [{"names": ["read"], "action": "SCMP_ACT_ALLOW", "comment": "x", "args": null,
                    "includes": {}, "excludes": {}}]})");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->rules.size(), 1u);
}

TEST(ParseSeccompProfile, TakesTheOlderSingularName) {
  const auto parsed = Parse(R"({"defaultAction": "SCMP_ACT_ALLOW", "syscalls":
      [{"name": "mount", "action": "SCMP_ACT_ERRNO"}]})");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_THAT(parsed->rules.at(0).names, ElementsAre("mount"));
  EXPECT_EQ(Fault(R"([{"name": "a", "names": ["b"], "action": "SCMP_ACT_ALLOW"}])"),
            "syscalls[0].name: excludes \"names\"");
}

TEST(ParseSeccompProfile, TakesTheFurtherArchitecturesOfThisMachineFromAMap) {
  const auto parsed = Parse(R"({"defaultAction": "SCMP_ACT_ERRNO", "archMap": [
      {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"]},
      {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32"]}
      ]})");
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_THAT(parsed->architectures, ElementsAre("x86", "x32"));
  EXPECT_EQ(RootFault(R"({"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86"],
                          "archMap": []})"),
            "archMap: excludes \"architectures\"");
}

TEST(ParseSeccompProfile, ARuleAppliesOnlyWithAllCapabilitiesThatItIncludes) {
  const uint64_t admin = uint64_t{1} << CAP_SYS_ADMIN;
  const uint64_t both = admin | uint64_t{1} << CAP_NET_ADMIN;
  const std::string one = R"("includes": {"caps": ["CAP_SYS_ADMIN"]})";
  EXPECT_EQ(RulesWith(one), 0u);
  EXPECT_EQ(RulesWith(one, admin), 1u);
  const std::string two = R"("includes": {"caps": ["CAP_SYS_ADMIN", "CAP_NET_ADMIN"]})";
  EXPECT_EQ(RulesWith(two, admin), 0u);
  EXPECT_EQ(RulesWith(two, both), 1u);
}

TEST(ParseSeccompProfile, ARuleAppliesOnlyWithoutAnyCapabilityThatItExcludes) {
  const std::string rule = R"("excludes": {"caps": ["CAP_SYS_ADMIN", "CAP_NET_ADMIN"]})";
  EXPECT_EQ(RulesWith(rule), 1u);
  EXPECT_EQ(RulesWith(rule, uint64_t{1} << CAP_NET_ADMIN), 0u);
}

TEST(ParseSeccompProfile, ARuleAppliesOnlyOnItsMachinesAndKernels) {
  EXPECT_EQ(RulesWith(R"("includes": {"arches": ["amd64", "x32"]})"), 1u);
  EXPECT_EQ(RulesWith(R"("includes": {"arches": ["arm64"]})"), 0u);
  EXPECT_EQ(RulesWith(R"("excludes": {"arches": ["amd64"]})"), 0u);
  EXPECT_EQ(RulesWith(R"("includes": {"minKernel": "6.1"})"), 1u);
  EXPECT_EQ(RulesWith(R"("includes": {"minKernel": "6.2"})"), 0u);
  EXPECT_EQ(RulesWith(R"("includes": {"minKernel": "4.8"})"), 1u);
  EXPECT_EQ(RulesWith(R"("excludes": {"minKernel": "4.8"})"), 0u);
  EXPECT_EQ(RulesWith(R"("excludes": {"minKernel": "6.10"})"), 1u);
}

TEST(ParseSeccompProfile, AConditionThatCannotBeDecidedIsRefused) {
  const auto fault = [](const std::string& conditions) {
    return Fault(
        absl::StrCat(R"([{"names": ["read"], "action": "SCMP_ACT_ALLOW", )", conditions, "}]"));
  };
  EXPECT_EQ(fault(R"("includes": {"moon": "full"})"),
            "syscalls[0].includes.moon: is not a key that this version knows");
  EXPECT_EQ(fault(R"("excludes": {"caps": ["CAP_SYS_ADMN"]})"),
            "syscalls[0].excludes.caps[0]: \"CAP_SYS_ADMN\" is not a capability");
  EXPECT_EQ(fault(R"("includes": {"minKernel": "new"})"),
            "syscalls[0].includes.minKernel: \"new\" is not a version such as \"4.8\"");
}

TEST(ParseSeccompProfile, ARuleThatDoesNotApplyIsCheckedAllTheSame) {
  EXPECT_EQ(Fault(R"([{"names": ["read"], "action": "SCMP_ACT_NO",
                       "includes": {"arches": ["arm64"]}}])"),
            "syscalls[0].action: \"SCMP_ACT_NO\" is not an action");
}

TEST(ParseSeccompProfile, HostileTextIsAnErrorAndNothingElse) {
  EXPECT_THAT(RootFault(std::string(200000, '[')), HasSubstr("not JSON"));
  EXPECT_THAT(RootFault(std::string("{\"defaultAction\": \"\xff\"}")), HasSubstr("not JSON"));
  EXPECT_THAT(RootFault(""), HasSubstr("not JSON"));
  const auto parsed = Parse(R"({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": []})");
  ASSERT_TRUE(parsed.ok());
  EXPECT_THAT(parsed->rules, IsEmpty());
}

}  // namespace
}  // namespace bulkhead::isolation
