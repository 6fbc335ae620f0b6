#include "runtime/isolation/selinux.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/isolation/selinux_policy.h"

namespace bulkhead::isolation {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const SelinuxFacts kFacts = {.process = {"system_u", "system_r", "container_t", "s0"},
                             .file = {"system_u", "object_r", "container_file_t", "s0"}};
const PodSelinux kPod = {.level = "s0:c4,c5",
                         .mount = "system_u:object_r:container_file_t:s0:c4,c5"};

spec::SecurityContext Asking(const spec::SelinuxOptions& options) {
  return spec::SecurityContext{.selinux = options};
}
spec::SecurityContext Privileged() { return spec::SecurityContext{.privileged = true}; }

SelinuxLabels Labels(const spec::SecurityContext& container, const spec::SecurityContext& pod) {
  return PlanSelinux(container, pod, kFacts, kPod);
}

TEST(ParseSelinuxContext, TakesTheLevelWithItsColons) {
  const SelinuxContext context = {"system_u", "system_r", "init_t", "s0-s0:c0.c1023"};
  const std::string label = "system_u:system_r:init_t:s0-s0:c0.c1023";
  EXPECT_EQ(ParseSelinuxContext(label), context);
  EXPECT_EQ(ParseSelinuxContext(std::string_view((label + '\0').c_str(), label.size() + 1)),
            context);
  EXPECT_EQ(ToString(context), label);
}

TEST(ParseSelinuxContext, KnowsPoliciesWithoutLevels) {
  EXPECT_EQ(ToString(*ParseSelinuxContext("user_u:role_r:type_t\n")), "user_u:role_r:type_t");
}

TEST(ParseSelinuxContext, IsNoneWithoutAPolicy) {
  for (const char* label : {"kernel", "", "unconfined\n", "bulkhead-default (enforce)\n"}) {
    EXPECT_FALSE(ParseSelinuxContext(label).has_value()) << label;
  }
}

TEST(SelinuxLevelOf, IsTheLastPart) {
  EXPECT_EQ(SelinuxLevelOf(kPod.mount), "s0:c4,c5");
  for (const char* label : {"", "user_u:role_r:type_t"}) EXPECT_EQ(SelinuxLevelOf(label), "");
}

TEST(PolicyValue, IsOfTheLastLineOfItsName) {
  EXPECT_EQ(
      PolicyValue("# SELINUXTYPE=mls\nSELINUX=enforcing\nSELINUXTYPE = default \n", "SELINUXTYPE"),
      "default");
  EXPECT_EQ(PolicyValue("file = \"a:b:c\"\nro_file = \"d:e:f\"\n", "file"), "a:b:c");
  EXPECT_EQ(PolicyValue("", "file"), "");
}

TEST(ParseLxcContexts, TakesTheContextsOfProcessesAndFiles) {
  SelinuxFacts facts;
  ParseLxcContexts(
      "process = \"system_u:system_r:container_t:s0\"\n"
      "content = \"system_u:object_r:virt_var_lib_t:s0\"\n"
      "file = \"system_u:object_r:container_file_t:s0\"\n",
      facts);
  EXPECT_EQ(facts, kFacts);
}

TEST(NeededContexts, AreThoseThatNobodyAsksForByName) {
  EXPECT_THAT(
      NeededContexts(kFacts),
      ElementsAre("system_u:system_r:container_t:s0", "system_u:object_r:container_file_t:s0",
                  "system_u:system_r:spc_t:s0", "system_u:system_r:container_t:s0:c1022,c1023",
                  "system_u:object_r:container_file_t:s0:c1022,c1023"));
  SelinuxFacts facts = kFacts;
  facts.process.level = facts.file.level = "";
  EXPECT_THAT(NeededContexts(facts),
              ElementsAre("system_u:system_r:container_t", "system_u:object_r:container_file_t",
                          "system_u:system_r:spc_t"));
}

TEST(ParseLxcContexts, TellsWhatIsMissing) {
  SelinuxFacts facts;
  ParseLxcContexts("process = \"system_u:system_r:container_t:s0\"\nfile = none\n", facts);
  EXPECT_THAT(facts.problem, HasSubstr("\"file\""));
}

TEST(PlanPodSelinux, HasTheGivenLevelUnlessThePodAsksForOne) {
  EXPECT_EQ(PlanPodSelinux({}, kFacts, "s0:c4,c5"), kPod);
  EXPECT_EQ(PlanPodSelinux(Asking({.user = "a_u", .type = "b_t", .level = "s0:c7"}), kFacts, ""),
            (PodSelinux{.level = "s0:c7", .mount = "a_u:object_r:container_file_t:s0:c7"}));
}

TEST(PlanSelinux, AContainerHasThePolicysLabelsAndItsPodsLevel) {
  EXPECT_EQ(Labels({}, {}), (SelinuxLabels{"system_u:system_r:container_t:s0:c4,c5", kPod.mount}));
}

TEST(PlanSelinux, EachPartIsTheContainersElseThePods) {
  const spec::SecurityContext pod = Asking({.user = "a_u", .role = "b_r", .type = "c_t"});
  EXPECT_EQ(Labels({}, pod).process, "a_u:b_r:c_t:s0:c4,c5");
  EXPECT_EQ(Labels(Asking({.role = "d_r"}), pod).process, "a_u:d_r:c_t:s0:c4,c5");
  EXPECT_EQ(Labels(Asking({.type = "e_t", .level = "s0:c9"}), pod),
            (SelinuxLabels{"a_u:b_r:e_t:s0:c9", "a_u:object_r:container_file_t:s0:c9"}));
}

TEST(PlanSelinux, APrivilegedContainerIsOfItsOwnTypeAndNoPodsLevel) {
  EXPECT_EQ(Labels(Privileged(), {}), (SelinuxLabels{"system_u:system_r:spc_t:s0", kPod.mount}));
  spec::SecurityContext asking = Privileged();
  asking.selinux = spec::SelinuxOptions{.type = "container_t", .level = "s0:c4,c5"};
  EXPECT_EQ(Labels(asking, {}).process, "system_u:system_r:container_t:s0:c4,c5");
  asking.selinux = spec::SelinuxOptions{.type = "spc_t"};
  EXPECT_EQ(Labels(asking, {}).process, "system_u:system_r:spc_t:s0");
}

TEST(PlanSelinux, APrivilegedContainerOfAnotherTypeHasItsPodsLevel) {
  spec::SecurityContext asking = Privileged();
  asking.selinux = spec::SelinuxOptions{.type = "container_t"};
  EXPECT_EQ(Labels(asking, {}),
            (SelinuxLabels{"system_u:system_r:container_t:s0:c4,c5", kPod.mount}));
  EXPECT_EQ(Labels(Privileged(), Asking({.type = "container_t"})).process,
            "system_u:system_r:container_t:s0:c4,c5");
}

TEST(PlanSelinux, APolicyWithoutLevelsGetsNone) {
  SelinuxFacts facts = kFacts;
  facts.process.level = facts.file.level = "";
  EXPECT_EQ(PlanSelinux({}, {}, facts, PlanPodSelinux({}, facts, "")),
            (SelinuxLabels{"system_u:system_r:container_t", "system_u:object_r:container_file_t"}));
}

}  // namespace
}  // namespace bulkhead::isolation
