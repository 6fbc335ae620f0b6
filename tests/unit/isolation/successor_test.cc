#include "runtime/isolation/successor.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "runtime/isolation/capabilities.h"
#include "runtime/isolation/seccomp.h"
#include "runtime/isolation/seccomp_profile.h"

namespace bulkhead::isolation {
namespace {

plan::SeccompPlan Compiled(spec::SecurityProfile::Type type, const std::string& profile = "") {
  spec::SecurityContext security;
  security.seccomp.type = type;
  SeccompCompiler compiler;
  const auto compiled = compiler.Plan(security, DefaultCapabilities(), profile);
  EXPECT_TRUE(compiled.ok()) << compiled.status();
  return compiled.ok() ? compiled->plan : plan::SeccompPlan();
}

// Everything but `call`.
plan::SeccompPlan AllBut(const std::string& call) {
  return Compiled(spec::SecurityProfile::Type::kLocalhost,
                  absl::StrCat(R"({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [)",
                               R"({"names": [")", call, R"("], "action": "SCMP_ACT_ERRNO"}]})"));
}

TEST(Successor, IsMadeWithoutAFilterAndUnderTheDefaultOne) {
  for (const bool terminal : {false, true}) {
    EXPECT_TRUE(AllowsSuccessor({}, terminal));
    EXPECT_TRUE(AllowsSuccessor(Compiled(spec::SecurityProfile::Type::kRuntimeDefault), terminal));
  }
}

TEST(Successor, IsNotMadeUnderAFilterThatForbidsIt) {
  for (const char* call : {"clone", "setsid"}) EXPECT_FALSE(AllowsSuccessor(AllBut(call), false));
  EXPECT_TRUE(AllowsSuccessor(AllBut("clone3"), true));
  EXPECT_TRUE(AllowsSuccessor(AllBut("ioctl"), false));
  EXPECT_FALSE(AllowsSuccessor(AllBut("ioctl"), true));
}

// No profile is taken that does, but the container's can be older than that.
TEST(Successor, IsNotMadeUnderAFilterThatNotifiesOfIt) {
  for (const char* call : {"clone", "setsid", "ioctl"}) {
    const auto compiled = CompileProfile(
        {.default_verdict = {.action = spec::SeccompAction::kAllow},
         .rules = {{.names = {call}, .verdict = {.action = spec::SeccompAction::kNotify}}}});
    ASSERT_TRUE(compiled.ok()) << compiled.status();
    EXPECT_FALSE(AllowsSuccessor(compiled->plan, true)) << call;
  }
}

TEST(Successor, IsNotMadeUnderAProgramThatTheKernelWouldNotTake) {
  plan::SeccompPlan plan;
  plan.set_program("12345678");
  EXPECT_FALSE(AllowsSuccessor(plan, false));
}

}  // namespace
}  // namespace bulkhead::isolation
