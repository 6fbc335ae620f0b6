#include "runtime/supervisor/takeover.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bulkhead::supervisor {
namespace {

using testing::HasSubstr;
using testing::UnorderedElementsAre;

state::State Valid() {
  state::State state;
  state.set_version(kStateVersion);
  state.set_pod_id("pod1");
  state.set_listener(3);
  state.mutable_connection()->set_socket(4);
  state.mutable_pod()->set_mount_namespace(5);
  state::Container& container = *state.add_containers();
  container.set_id("c1");
  container.set_root(6);
  container.mutable_process()->set_pidfd(7);
  container.mutable_log()->set_out(8);
  container.mutable_log()->set_out_partial(std::string("bin\0ary", 7));
  state.add_execs()->mutable_process()->set_pidfd(9);
  state.add_unreaped(10);
  return state;
}

TEST(Takeover, StateComesBackFromItsFile) {
  const auto file = WriteState(Valid());
  ASSERT_TRUE(file.ok()) << file.status();
  const auto state = ReadState(file->get());
  ASSERT_TRUE(state.ok()) << state.status();
  EXPECT_EQ(state->SerializeAsString(), Valid().SerializeAsString());
  EXPECT_TRUE(ValidateState(*state).ok());
}

TEST(Takeover, NamesAllDescriptors) {
  state::State state = Valid();
  state.mutable_execs(0)->mutable_process()->set_successor(11);
  state.mutable_execs(0)->mutable_process()->set_seccomp_agent(12);
  EXPECT_THAT(DescriptorsOf(state), UnorderedElementsAre(3, 4, 5, 6, 7, 8, 9, 10, 11, 12));
}

TEST(Takeover, RefusesAStateOfAnotherVersion) {
  state::State state = Valid();
  state.set_version(kStateVersionLaunching + 1);
  const absl::Status status = ValidateState(state);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("version is 4"));
}

TEST(Takeover, TakesAStateWithAUserNamespace) {
  state::State state = Valid();
  state.mutable_pod()->set_user_namespace(13);
  state.set_version(VersionFor(state));
  EXPECT_EQ(state.version(), kStateVersionUserNamespaces);
  EXPECT_TRUE(ValidateState(state).ok());
  EXPECT_THAT(DescriptorsOf(state), testing::Contains(13));
}

TEST(Takeover, IsOfNoProgramWithoutAgentsWhileOneWaitsForAListener) {
  EXPECT_EQ(VersionFor(Valid()), kStateVersion);
  state::State container = Valid();
  container.mutable_containers(0)->mutable_process()->set_seccomp_agent(21);
  container.mutable_pod()->set_user_namespace(22);
  container.set_version(VersionFor(container));
  EXPECT_EQ(container.version(), kStateVersionLaunching);
  EXPECT_TRUE(ValidateState(container).ok());
  EXPECT_THAT(DescriptorsOf(container), testing::Contains(21));
  state::State command = Valid();
  command.mutable_execs(0)->mutable_process()->set_seccomp_agent(21);
  EXPECT_EQ(VersionFor(command), kStateVersionLaunching);
}

TEST(Takeover, IsOfNoProgramWithoutSuccessorsWhileOneIsToBeCloned) {
  state::State state = Valid();
  state.mutable_execs(0)->mutable_process()->set_successor(21);
  EXPECT_EQ(VersionFor(state), kStateVersionLaunching);
}

TEST(Takeover, RefusesADescriptorWithTwoOwners) {
  state::State state = Valid();
  state.add_unreaped(8);
  EXPECT_EQ(ValidateState(state).code(), absl::StatusCode::kInvalidArgument);
}

TEST(Takeover, RefusesBytesThatAreNoState) {
  const auto file = WriteState(Valid());
  ASSERT_TRUE(file.ok());
  ASSERT_EQ(pwrite(file->get(), "\xff\xff\xff", 3, 0), 3);
  EXPECT_EQ(ReadState(file->get()).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace bulkhead::supervisor
