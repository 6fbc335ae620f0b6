// Profiles that notify an agent of calls: which are taken, and what they become.
#include "runtime/isolation/seccomp_listener.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/seccomp.h>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "runtime/isolation/seccomp_json.h"
#include "runtime/isolation/seccomp_profile.h"

namespace bulkhead::isolation {
namespace {

using nlohmann::json;
using testing::HasSubstr;

constexpr char kAgent[] = "/run/agent.sock";
constexpr char kNotifyMount[] = R"([{"names": ["mount"], "action": "SCMP_ACT_NOTIFY"}])";

absl::StatusOr<spec::SeccompProfile> Parse(const std::string& syscalls,
                                           const std::string& further = "",
                                           const std::string& agent = kAgent) {
  return ParseSeccompProfile(
      absl::StrCat(R"({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": )", syscalls, further, "}"),
      {.machine = "x86_64", .kernel_release = "6.1", .agent = agent});
}

std::string Fault(const absl::StatusOr<spec::SeccompProfile>& parsed) {
  EXPECT_TRUE(absl::IsInvalidArgument(parsed.status())) << parsed.status();
  return std::string(parsed.status().message());
}

plan::SeccompPlan Compile(const absl::StatusOr<spec::SeccompProfile>& parsed) {
  EXPECT_TRUE(parsed.ok()) << parsed.status();
  const auto compiled = CompileProfile(parsed.value_or(spec::SeccompProfile()));
  EXPECT_TRUE(compiled.ok()) << compiled.status();
  return compiled.ok() ? compiled->plan : plan::SeccompPlan();
}

TEST(NotifyingProfile, HasAListenerWithItsMetadata) {
  const auto plan = Compile(Parse(
      kNotifyMount, R"(, "listenerPath": "/run/agent.sock", "listenerMetadata": "for \"it\"")"));
  ASSERT_TRUE(plan.has_listener());
  EXPECT_EQ(plan.listener().metadata(), "for \"it\"");
}

TEST(NotifyingProfile, NeedNotNameTheAgent) {
  EXPECT_TRUE(Compile(Parse(kNotifyMount)).has_listener());
}

TEST(NotifyingProfile, NamesNoOtherSocketThanTheConfiguredAgents) {
  EXPECT_EQ(Fault(Parse(kNotifyMount, R"(, "listenerPath": "/run/docker.sock")")),
            "listenerPath: \"/run/docker.sock\" is not the host's seccomp agent, which is "
            "\"/run/agent.sock\"");
}

TEST(NotifyingProfile, WithoutAnAgentIsRefusedWithTheKeyThatNamesIt) {
  const absl::Status status = Parse(kNotifyMount, "", "").status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_EQ(status.message(),
            "syscalls[0].action: SCMP_ACT_NOTIFY needs a seccomp agent, isolation.seccomp_agent "
            "names none");
}

TEST(NotifyingProfile, NotifiesNoCallOfTheLaunchItself) {
  // Those of a successor, and of its making, among them.
  for (const char* call : {"write", "close", "clone", "setsid", "ioctl", "exit_group"}) {
    EXPECT_THAT(Fault(Parse(absl::StrCat(R"([{"names": [")", call,
                                         R"("], "action": "SCMP_ACT_NOTIFY"}])"))),
                HasSubstr("is a call of the launch itself"));
  }
  EXPECT_EQ(Fault(Parse(R"([{"names": ["mount", "write"], "action": "SCMP_ACT_NOTIFY"}])")),
            "syscalls[0].names[1]: \"write\" is a call of the launch itself, of which no agent can "
            "be notified");
  EXPECT_THAT(
      Fault(ParseSeccompProfile(R"({"defaultAction": "SCMP_ACT_NOTIFY"})", {.agent = kAgent})),
      HasSubstr("defaultAction: SCMP_ACT_NOTIFY is for rules"));
}

TEST(NotifyingProfile, ARuleThatDoesNotApplyIsCheckedAllTheSame) {
  constexpr char kNever[] = R"([{"names": ["mount"], "action": "SCMP_ACT_NOTIFY",
                                 "includes": {"arches": ["s390x"]}}])";
  EXPECT_FALSE(Parse(kNever, "", "").ok());
  EXPECT_FALSE(Compile(Parse(kNever)).has_listener());
}

TEST(NotifyingProfile, TakesNoErrnoAndNoMetadataWithoutAPath) {
  EXPECT_THAT(Fault(Parse(R"([{"names": ["mount"], "action": "SCMP_ACT_NOTIFY", "errnoRet": 1}])")),
              HasSubstr("syscalls[0].errnoRet: is for SCMP_ACT_ERRNO"));
  EXPECT_EQ(Fault(Parse(kNotifyMount, R"(, "listenerMetadata": "m")")),
            "listenerMetadata: needs a \"listenerPath\"");
  EXPECT_THAT(
      Fault(Parse(kNotifyMount,
                  absl::StrCat(R"(, "listenerPath": "/run/agent.sock", "listenerMetadata": ")",
                               std::string(5000, 'm'), "\""))),
      HasSubstr("listenerMetadata: is longer than 4096 bytes"));
  EXPECT_THAT(Fault(Parse(kNotifyMount, R"(, "listenerPath": 7)")), HasSubstr("listenerPath: 7"));
}

TEST(AProfileThatDoesNotNotify, IgnoresItsListener) {
  constexpr char kOther[] = R"(, "listenerPath": "/run/docker.sock", "listenerMetadata": "m",
                               "flags": ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"])";
  const auto plan = Compile(Parse("[]", kOther, ""));
  EXPECT_FALSE(plan.has_listener());
  // The kernel takes it with a listener only.
  EXPECT_EQ(plan.flags(), 0u);
}

TEST(NotifyingProfile, AsksForKillableWaitsWhereItSaysSo) {
  const auto plan =
      Compile(Parse(kNotifyMount, R"(, "flags": ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"])"));
  EXPECT_EQ(plan.flags(), SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);
}

TEST(PlanSeccompListener, TellsTheProcessStateOfTheRuntimeSpecification) {
  plan::SeccompListener listener;
  listener.set_metadata("for \"it\"");
  DescriptorList descriptors;
  const ProcessState state{.id = "c1", .status = "creating", .annotations = {{"name", "web"}}};
  ASSERT_TRUE(PlanSeccompListener(kAgent, state, listener, descriptors).ok());
  ASSERT_EQ(descriptors.requests().size(), 1u);
  EXPECT_EQ(descriptors.requests()[0].kind, DescriptorRequest::Kind::kSeccompAgent);
  EXPECT_EQ(descriptors.requests()[0].path, kAgent);

  SeccompAgent agent{.connection = UniqueFd(dup(0)), .process_state = listener.process_state()};
  AddPids(12, 11, agent);
  EXPECT_EQ(json::parse(agent.process_state), json::parse(R"({
      "ociVersion": "1.1.0", "fds": ["seccompFd"], "pid": 12, "metadata": "for \"it\"",
      "state": {"ociVersion": "1.1.0", "id": "c1", "status": "creating", "pid": 11, "bundle": "",
                "annotations": {"name": "web"}}})"));
}

TEST(PlanSeccompListener, AContainerOlderThanTheConfigurationNeedsAnAgentToo) {
  plan::SeccompListener listener;
  DescriptorList descriptors;
  const absl::Status status = PlanSeccompListener("", {}, listener, descriptors);
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("isolation.seccomp_agent names none"));
}

// A kubelet takes NOT_FOUND for that of the container, and UNAVAILABLE for the runtime's.
TEST(SeccompAgent, ThatIsNotThereIsAFailedPrecondition) {
  DescriptorList missing;
  missing.Add(DescriptorRequest::Kind::kSeccompAgent, "/nonexistent/agent.sock");
  absl::Status status = OpenDescriptors(missing, {}, {}).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_EQ(status.message(),
            "connect to the seccomp agent /nonexistent/agent.sock: No such file or directory");
  DescriptorList refusing;
  refusing.Add(DescriptorRequest::Kind::kSeccompAgent, "/dev/null");
  status = OpenDescriptors(refusing, {}, {}).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_EQ(status.message(), "connect to the seccomp agent /dev/null: Connection refused");
}

}  // namespace
}  // namespace bulkhead::isolation
