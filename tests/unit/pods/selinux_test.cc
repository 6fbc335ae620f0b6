// SELinux labels: given, recorded, shared and given back.
#include <filesystem>
#include <fstream>

#include "tests/unit/pods/pods_test.h"

namespace bulkhead::pods {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;

class SelinuxPods : public PodsTest {
 protected:
  SelinuxPods() {
    host_->selinux = {.enforcing = true,
                      .process = {"system_u", "system_r", "container_t", "s0"},
                      .file = {"system_u", "object_r", "container_file_t", "s0"}};
  }

  PodFile RecordOf(const std::string& pod) {
    const auto file = RecordStore(root_ + "/state/pods").Read(pod);
    EXPECT_TRUE(file.ok()) << file.status();
    return file.value_or(PodFile());
  }
  std::string LevelOf(const std::string& pod) { return RecordOf(pod).pod.selinux.level; }
  // Of a further container.
  isolation::SelinuxLabels LabelsOf(const std::string& pod, const spec::ContainerSpec& container) {
    Create(pod, container);
    return RecordOf(pod).containers.back().selinux;
  }
  static spec::PodSpec PodWith(const spec::SelinuxOptions& options) {
    spec::PodSpec pod = PodOf("asking");
    pod.security.selinux = options;
    return pod;
  }
};

TEST_F(SelinuxPods, EachHasALevelOfItsOwnThatItsContainersShare) {
  const std::string pod = Run(PodOf("a"));
  const std::string level = LevelOf(pod);
  EXPECT_THAT(level, MatchesRegex("s0:c[0-9]+,c[0-9]+"));
  EXPECT_NE(LevelOf(Run(PodOf("b"))), level);
  for (const char* name : {"c", "d"}) {
    const isolation::SelinuxLabels labels = LabelsOf(pod, ContainerOf(name));
    EXPECT_EQ(labels.process, "system_u:system_r:container_t:" + level);
    EXPECT_EQ(labels.mount, "system_u:object_r:container_file_t:" + level);
  }
}

TEST_F(SelinuxPods, KeepTheirLevelOverARestart) {
  const std::string pod = Run(PodOf("a"));
  const std::string level = LevelOf(pod);
  services_.clear();
  Restart();
  EXPECT_THAT(LabelsOf(pod, ContainerOf("c")).process, EndsWith(level));
  EXPECT_EQ(LevelOf(pod), level);
}

TEST_F(SelinuxPods, GiveTheirLevelBackWithThePod) {
  services_.clear();
  Restart();
  const std::string pod = Run(PodWith({.level = "s0:c1,c2"}));
  EXPECT_EQ(LevelOf(pod), "s0:c1,c2");
  EXPECT_TRUE(pods_->StopPodSandbox(pod).ok());
  EXPECT_TRUE(pods_->RemovePodSandbox(pod).ok());
  ExpectNothingLeft();
}

TEST_F(SelinuxPods, GetWhatTheyAskFor) {
  const std::string pod = Run(PodWith({.user = "a_u", .level = "s0:c1,c2"}));
  EXPECT_EQ(RecordOf(pod).pod.selinux.mount, "a_u:object_r:container_file_t:s0:c1,c2");
  spec::ContainerSpec container = ContainerOf("c");
  container.security.selinux = spec::SelinuxOptions{.type = "b_t"};
  EXPECT_EQ(LabelsOf(pod, container).process, "a_u:system_r:b_t:s0:c1,c2");
}

TEST_F(SelinuxPods, HaveTheirLabelsAsThePolicyWritesThem) {
  const std::string pod = Run(PodWith({.level = "s0:c2,c1"}));
  EXPECT_EQ(LevelOf(pod), "s0:c1,c2");
  EXPECT_THAT(RecordOf(pod).pod.selinux.mount, EndsWith(":s0:c1,c2"));
  const isolation::SelinuxLabels labels = LabelsOf(pod, ContainerOf("c"));
  EXPECT_THAT(labels.process, EndsWith(":s0:c1,c2"));
  EXPECT_THAT(labels.mount, EndsWith(":s0:c1,c2"));
}

TEST_F(SelinuxPods, ALevelThatMakesALabelTooLongForAMountIsRefused) {
  std::string level = "s0:c0";
  for (int category = 2; level.size() < 250; category += 2) {
    level += ",c" + std::to_string(category);
  }
  const absl::Status refused = pods_->RunPodSandbox(PodWith({.level = level})).status();
  EXPECT_TRUE(absl::IsInvalidArgument(refused)) << refused;
  EXPECT_THAT(std::string(refused.message()), HasSubstr("selinux_options.level: \"s0:c0,"));
  ExpectNothingLeft();
  spec::ContainerSpec container = ContainerOf("c");
  container.security.selinux = spec::SelinuxOptions{.level = level};
  const absl::Status status = pods_->CreateContainer(Run(PodOf("a")), container).status();
  EXPECT_THAT(std::string(status.message()), HasSubstr("selinux_options.level"));
}

TEST_F(SelinuxPods, GetNoLevelThatAContainerAskedForAlsoAfterARestart) {
  // All levels of two categories from c0 to c2 but one.
  selinux_categories_ = 3;
  services_.clear();
  Restart();
  const std::string pod = Run(PodWith({.level = "s0:c0,c1"}));
  spec::ContainerSpec container = ContainerOf("c");
  container.security.selinux = spec::SelinuxOptions{.level = "s0:c2,c1"};
  Create(pod, container);
  EXPECT_EQ(LevelOf(Run(PodOf("b"))), "s0:c0,c2");
  services_.clear();
  Restart();
  EXPECT_TRUE(absl::IsResourceExhausted(pods_->RunPodSandbox(PodOf("c")).status()));
}

TEST_F(SelinuxPods, AContextThatThePolicyLacksIsRefusedAndNothingIsLeft) {
  host_->unknown_type = "odd_t";
  for (int i = 0; i < 2; ++i) {
    const absl::Status status = pods_->RunPodSandbox(PodWith({.type = "odd_t"})).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    EXPECT_THAT(std::string(status.message()),
                AllOf(HasSubstr("linux.security_context.selinux_options"), HasSubstr("odd_t")));
    ExpectNothingLeft();
  }
  const std::string pod = Run(PodOf("a"));
  const auto files = Files();
  spec::ContainerSpec container = ContainerOf("c");
  container.security.selinux = spec::SelinuxOptions{.type = "odd_t"};
  const absl::Status status = pods_->CreateContainer(pod, container).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("selinux_options"));
  EXPECT_EQ(Files(), files);
}

TEST_F(SelinuxPods, AreRefusedWithAPolicyThatSaysNothingOfContainers) {
  host_->selinux->problem = "no container_t";
  const absl::Status status = pods_->RunPodSandbox(PodOf("a")).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("no container_t"));
  ExpectNothingLeft();
}

TEST_F(SelinuxPods, TakeNoContainerOnceThePolicySaysNothingOfThem) {
  const std::string pod = Run(PodOf("a"));
  host_->selinux->problem = "no container_t";
  const absl::Status status = pods_->CreateContainer(pod, ContainerOf("c")).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
}

TEST_F(SelinuxPods, AreNotLabelledWithoutSelinux) {
  host_->selinux.reset();
  const std::string pod = Run(PodWith({.type = "odd_t", .level = "s0:c1"}));
  EXPECT_EQ(LabelsOf(pod, ContainerOf("c")), isolation::SelinuxLabels());
  EXPECT_EQ(RecordOf(pod).pod.selinux, isolation::PodSelinux());
}

TEST_F(SelinuxPods, ThatWereMadeWithoutItAreNotReadyOnceItIsThere) {
  const auto facts = std::exchange(host_->selinux, std::nullopt);
  const std::string pod = Run(PodOf("a"));
  const std::string running = Start(pod, ContainerOf("c"));
  host_->selinux = facts;
  const absl::Status status = pods_->CreateContainer(pod, ContainerOf("d")).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  services_.clear();
  Restart();
  EXPECT_EQ(pods_->PodSandboxStatus(pod)->state, PodState::kNotReady);
  EXPECT_EQ(pods_->PodSandboxStatus(pod)->reason, "MadeWithoutSelinux");
  EXPECT_EQ(StatusOf(running).state, ContainerState::kRunning);
}

TEST_F(SelinuxPods, ThatWereMadeWithoutItStayReadyWhereNoOtherCouldBeMade) {
  const auto facts = std::exchange(host_->selinux, std::nullopt);
  const std::string pod = Run(PodOf("a"));
  host_->selinux = facts;
  host_->selinux->problem = "no container_t";
  services_.clear();
  Restart();
  EXPECT_EQ(pods_->PodSandboxStatus(pod)->state, PodState::kReady);
}

TEST_F(SelinuxPods, KeepTheirLevelThoughTheirRecordCannotBeRead) {
  selinux_categories_ = 2;
  services_.clear();
  Restart();
  const std::string pod = Run(PodOf("a"));
  services_.clear();
  std::ofstream(root_ + "/state/pods/" + pod + "/record.json") << "{";
  Restart();
  EXPECT_TRUE(absl::IsResourceExhausted(pods_->RunPodSandbox(PodOf("b")).status()));
  selinux_categories_ = 3;
  services_.clear();
  Restart();
  EXPECT_NE(LevelOf(Run(PodOf("b"))), "s0:c0,c1");
}

TEST_F(SelinuxPods, GetNoLevelWhileThatOfAnotherIsUnknown) {
  const std::string pod = Run(PodOf("a"));
  services_.clear();
  const std::string directory = root_ + "/state/pods/" + pod;
  std::ofstream(directory + "/record.json") << "{";
  std::filesystem::remove(directory + "/hosts");
  Restart();
  EXPECT_TRUE(absl::IsFailedPrecondition(pods_->RunPodSandbox(PodOf("b")).status()));
}

}  // namespace
}  // namespace bulkhead::pods
