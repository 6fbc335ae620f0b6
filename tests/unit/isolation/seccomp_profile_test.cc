// Compiled filters, evaluated over all call numbers of all ways into the kernel.
#include "runtime/isolation/seccomp_profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <sched.h>

#include <cerrno>
#include <optional>

#include "runtime/isolation/capabilities.h"
#include "runtime/isolation/seccomp_default.h"
#include "runtime/isolation/seccomp_evaluate.h"
#include "runtime/isolation/seccomp_json.h"
#include "tests/unit/isolation/seccomp_meaning.h"

namespace bulkhead::isolation {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr uint32_t kX32Bit = 0x40000000;
constexpr CallTable kX86_64 = {SCMP_ARCH_X86_64, AUDIT_ARCH_X86_64, 0, true};
constexpr CallTable kI386 = {SCMP_ARCH_X86, AUDIT_ARCH_I386, 0, false};
// libseccomp compares 32 bits there too, though some of its calls take more.
constexpr CallTable kX32 = {SCMP_ARCH_X32, AUDIT_ARCH_X86_64, kX32Bit, false};
// Twice the numbers that are given out.
constexpr uint32_t kNumbers = 1024;

// Calls that stand for several by their first argument, and lead to others' rules: socketcall(2),
// ipc(2).
bool IsMultiplexer(const std::string& name) { return name == "socketcall" || name == "ipc"; }

std::string Compile(const spec::SeccompProfile& profile) {
  const absl::StatusOr<CompiledSeccomp> compiled = CompileProfile(profile);
  EXPECT_TRUE(compiled.ok()) << compiled.status();
  return compiled.ok() ? compiled->plan.program() : "";
}

spec::SeccompProfile FromText(const std::string& text, uint64_t capabilities = 0) {
  const auto parsed = ParseSeccompProfile(
      text, {.capabilities = capabilities, .machine = "x86_64", .kernel_release = "6.1"});
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  return parsed.value_or(spec::SeccompProfile());
}

std::optional<uint32_t> Verdict(const std::string& program, const CallTable& table, uint32_t number,
                                const uint64_t (&args)[6]) {
  seccomp_data data = {};
  data.nr = static_cast<int>(table.first + number);
  data.arch = table.audit_architecture;
  std::copy(std::begin(args), std::end(args), data.args);
  return EvaluateFilter(program, data);
}

// Filter and profile agree on this call, whatever its arguments. Returns the verdicts compared.
size_t CheckCall(const std::string& program, const SeccompMeaning& meaning, const CallTable& table,
                 uint32_t number) {
  const std::string name = CallName(table, number);
  if (IsMultiplexer(name)) return 0;
  size_t compared = 0;
  for (uint32_t index = 0; index < 6; ++index) {
    for (const uint64_t value : meaning.Edges(name, index)) {
      for (const uint64_t others : {uint64_t{0}, uint64_t{1}, UINT64_MAX}) {
        uint64_t args[6] = {others, others, others, others, others, others};
        args[index] = value;
        const std::optional<uint32_t> verdict = Verdict(program, table, number, args);
        EXPECT_TRUE(verdict.has_value()) << name;
        EXPECT_EQ(*verdict, meaning.Of(name, args, table.wide))
            << name << " (" << table.first + number << "), argument " << index << ": " << value;
        ++compared;
      }
    }
  }
  return compared;
}

size_t CheckTables(const spec::SeccompProfile& profile, std::initializer_list<CallTable> tables) {
  const std::string program = Compile(profile);
  const SeccompMeaning meaning(profile);
  size_t compared = 0;
  for (const CallTable& table : tables) {
    for (uint32_t number = 0; number < kNumbers; ++number) {
      compared += CheckCall(program, meaning, table, number);
      if (testing::Test::HasFailure()) return compared;
    }
  }
  return compared;
}

// All numbers of a way into the kernel that the profile does not name.
void CheckKills(const spec::SeccompProfile& profile, const CallTable& table) {
  const std::string program = Compile(profile);
  for (uint32_t number = 0; number < kNumbers; ++number) {
    ASSERT_EQ(Verdict(program, table, number, {}), SECCOMP_RET_KILL_PROCESS) << number;
  }
}

TEST(CompileProfile, TheDefaultProfileMeansTheSameForEveryCallOfEveryTable) {
  const uint64_t all = ~uint64_t{0};
  for (const uint64_t capabilities :
       {uint64_t{0}, DefaultCapabilities(), DefaultCapabilities() | uint64_t{1} << CAP_SYS_ADMIN,
        uint64_t{1} << CAP_SYS_TIME | uint64_t{1} << CAP_BPF, all}) {
    const size_t compared =
        CheckTables(DefaultSeccompProfile(capabilities), {kX86_64, kI386, kX32});
    EXPECT_GT(compared, 3u * kNumbers * 6 * 2);
  }
  CheckKills(DefaultSeccompProfile(0), {SCMP_ARCH_ARM, AUDIT_ARCH_ARM, 0, false});
}

TEST(CompileProfile, TheStrictAndTheLoggedProfileMeanTheSameForEveryCallOfTheirTables) {
  const uint64_t all = ~uint64_t{0};
  for (const uint64_t capabilities : {uint64_t{0}, DefaultCapabilities(), all}) {
    CheckTables(StrictSeccompProfile(capabilities), {kX86_64});
    CheckTables(LoggedSeccompProfile(capabilities), {kX86_64, kI386, kX32});
  }
  CheckKills(StrictSeccompProfile(all), kI386);
  CheckKills(StrictSeccompProfile(all), kX32);
}

TEST(CompileProfile, AnAllowlistFromAFileMeansTheSameForEveryCallOfEveryTable) {
  const spec::SeccompProfile profile = FromText(R"({
      "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38,
      "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
      "syscalls": [
        {"names": ["read", "write", "execve", "exit_group", "openat", "mmap", "mmap2"],
         "action": "SCMP_ACT_ALLOW"},
        {"names": ["clone"], "action": "SCMP_ACT_ALLOW",
         "args": [{"index": 0, "value": 2114060288, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}]},
        {"names": ["kill", "tkill"], "action": "SCMP_ACT_TRAP"},
        {"names": ["ptrace"], "action": "SCMP_ACT_KILL_PROCESS"},
        {"names": ["reboot"], "action": "SCMP_ACT_KILL_THREAD"},
        {"names": ["chmod"], "action": "SCMP_ACT_TRACE", "errnoRet": 513},
        {"names": ["uname"], "action": "SCMP_ACT_LOG"},
        {"names": ["mount", "umount2"], "action": "SCMP_ACT_ERRNO", "errnoRet": 13}]})");
  EXPECT_GT(CheckTables(profile, {kX86_64, kI386, kX32}), 0u);
}

TEST(CompileProfile, ADenylistFromAFileMeansTheSameForEveryCallOfEveryTable) {
  const spec::SeccompProfile profile = FromText(R"({
      "defaultAction": "SCMP_ACT_ALLOW",
      "archMap": [{"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]}],
      "syscalls": [
        {"names": ["sethostname", "mount", "bpf"], "action": "SCMP_ACT_ERRNO"},
        {"names": ["unshare"], "action": "SCMP_ACT_ERRNO", "includes": {"caps": ["CAP_SYS_ADMIN"]}},
        {"names": ["setns"], "action": "SCMP_ACT_ERRNO", "excludes": {"caps": ["CAP_SYS_ADMIN"]}}
      ]})");
  EXPECT_GT(CheckTables(profile, {kX86_64, kI386}), 0u);
  CheckKills(profile, kX32);
}

TEST(CompileProfile, EveryOperatorMeansTheSameForEveryCallOfEveryTable) {
  for (const char* op : {"NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"}) {
    // Beyond 32 bits on one argument, together with another.
    const spec::SeccompProfile profile = FromText(std::string(R"({
        "defaultAction": "SCMP_ACT_ERRNO",
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
        "syscalls": [
          {"names": ["ioctl"], "action": "SCMP_ACT_ALLOW",
           "args": [{"index": 1, "value": 21523, "valueTwo": 21506, "op": "SCMP_CMP_)") +
                                                  op + R"("}]},
          {"names": ["lseek"], "action": "SCMP_ACT_LOG",
           "args": [{"index": 1, "value": 8589934595, "valueTwo": 8589934593, "op": "SCMP_CMP_)" +
                                                  op + R"("},
                    {"index": 2, "value": 1, "op": "SCMP_CMP_LE"}]}]})");
    EXPECT_GT(CheckTables(profile, {kX86_64, kI386, kX32}), 0u) << op;
  }
}

TEST(CompileProfile, ComparingAnArgumentTwiceMeansEither) {
  const spec::SeccompProfile profile = FromText(R"({
      "defaultAction": "SCMP_ACT_ERRNO",
      "syscalls": [{"names": ["personality"], "action": "SCMP_ACT_ALLOW",
                    "args": [{"index": 0, "value": 0, "op": "SCMP_CMP_EQ"},
                             {"index": 0, "value": 8, "op": "SCMP_CMP_EQ"}]}]})");
  EXPECT_GT(CheckTables(profile, {kX86_64}), 0u);
  const std::string program = Compile(profile);
  EXPECT_EQ(Verdict(program, kX86_64, 135, {8}), SECCOMP_RET_ALLOW);
  EXPECT_EQ(Verdict(program, kX86_64, 135, {4}), SECCOMP_RET_ERRNO | EPERM);
}

TEST(CompileProfile, AProfileOfOneArchitectureKillsCallsOfOthers) {
  const spec::SeccompProfile profile =
      FromText(R"({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"]})");
  EXPECT_GT(CheckTables(profile, {kX86_64}), 0u);
  CheckKills(profile, kI386);
  CheckKills(profile, kX32);
}

TEST(CompileProfile, ARuleWithoutComparisonsDecidesAlone) {
  const std::string program = Compile(FromText(R"({
      "defaultAction": "SCMP_ACT_ERRNO",
      "syscalls": [
        {"names": ["socket"], "action": "SCMP_ACT_ALLOW",
         "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}]},
        {"names": ["socket"], "action": "SCMP_ACT_LOG"},
        {"names": ["socket"], "action": "SCMP_ACT_ALLOW"}]})"));
  EXPECT_EQ(Verdict(program, kX86_64, 41, {1}), SECCOMP_RET_LOG);
  EXPECT_EQ(Verdict(program, kX86_64, 41, {2}), SECCOMP_RET_LOG);
}

TEST(CompileProfile, TellsTheCallsThatItsDefaultActionDecidesOn) {
  const auto compiled = CompileProfile(FromText(R"({
      "defaultAction": "SCMP_ACT_ERRNO",
      "syscalls": [{"names": ["warp_drive", "read", "beam_up"], "action": "SCMP_ACT_ALLOW"},
                   {"names": ["beam_up"], "action": "SCMP_ACT_LOG"}]})"));
  ASSERT_TRUE(compiled.ok()) << compiled.status();
  EXPECT_THAT(compiled->unknown_calls, ElementsAre("beam_up", "warp_drive"));
  // A call that only another architecture has is known.
  EXPECT_THAT(CompileProfile(FromText(R"({"defaultAction": "SCMP_ACT_ERRNO", "syscalls":
                  [{"names": ["riscv_flush_icache"], "action": "SCMP_ACT_ALLOW"}]})"))
                  ->unknown_calls,
              IsEmpty());
}

TEST(CompileProfile, TwoActionsForTheSameArgumentsAreRefused) {
  const absl::Status status =
      CompileProfile(FromText(R"({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
          {"names": ["ioctl"], "action": "SCMP_ACT_ALLOW",
           "args": [{"index": 1, "value": 1, "op": "SCMP_CMP_EQ"}]},
          {"names": ["ioctl"], "action": "SCMP_ACT_LOG",
           "args": [{"index": 1, "value": 1, "op": "SCMP_CMP_EQ"}]}]})"))
          .status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("ioctl"));
}

TEST(CompileProfile, AnArchitectureThatCannotBeFilteredHereIsRefused) {
  for (const char* name : {"SCMP_ARCH_VAX", "SCMP_ARCH_S390X"}) {
    const absl::Status status =
        CompileProfile(FromText(std::string(R"({"defaultAction": "SCMP_ACT_ALLOW",
                                                "architectures": [")") +
                                name + R"("]})"))
            .status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << name << ": " << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("architectures"));
  }
}

TEST(CompileProfile, MoreThanTheKernelTakesIsRefused) {
  spec::SeccompProfile profile{.default_verdict = {.action = spec::SeccompAction::kAllow}};
  for (uint64_t value = 0; value < 4500; ++value) {
    profile.rules.push_back({.names = {"ioctl"},
                             .verdict = {.value = EPERM},
                             .comparisons = {{.index = 1, .value = value}}});
  }
  const absl::Status status = CompileProfile(profile).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("the kernel takes 4096"));
}

}  // namespace
}  // namespace bulkhead::isolation
