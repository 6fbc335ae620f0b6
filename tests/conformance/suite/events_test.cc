// GetContainerEvents.
#include "tests/conformance/client/event_stream.h"
#include "tests/conformance/fixture/pod_test.h"

namespace bulkhead::fixture {
namespace {

using client::EventStream;
using Event = v1::ContainerEventResponse;
using std::chrono::seconds;

class Events : public PodTest {
 protected:
  static auto Is(const std::string& id, v1::ContainerEventType type) {
    return [=](const Event& event) {
      return event.container_id() == id && event.container_event_type() == type;
    };
  }
  static std::vector<v1::ContainerEventType> TypesOf(const std::vector<Event>& events) {
    std::vector<v1::ContainerEventType> types;
    for (const Event& event : events) types.push_back(event.container_event_type());
    return types;
  }
};

TEST_F(Events, TellOfEachStepOfAContainerInOrder) {
  auto stream = cri().Events();
  Pod pod = RunPod();
  const std::string id = Start(pod, Shell("exit 0"));
  ASSERT_TRUE(stream->WaitFor(Is(id, v1::CONTAINER_STOPPED_EVENT), seconds(10)));
  Must(cri().RemoveContainer(id));
  ASSERT_TRUE(stream->WaitFor(Is(id, v1::CONTAINER_DELETED_EVENT), seconds(10)));
  EXPECT_THAT(TypesOf(stream->Of(id)),
              testing::ElementsAre(v1::CONTAINER_CREATED_EVENT, v1::CONTAINER_STARTED_EVENT,
                                   v1::CONTAINER_STOPPED_EVENT, v1::CONTAINER_DELETED_EVENT));
}

TEST_F(Events, TellOfEachStepOfASandboxInOrder) {
  auto stream = cri().Events();
  Pod pod = RunPod();
  Must(cri().StopPodSandbox(pod.id));
  Must(cri().RemovePodSandbox(pod.id));
  ASSERT_TRUE(stream->WaitFor(Is(pod.id, v1::CONTAINER_DELETED_EVENT), seconds(10)));
  EXPECT_THAT(TypesOf(stream->Of(pod.id)),
              testing::ElementsAre(v1::CONTAINER_CREATED_EVENT, v1::CONTAINER_STARTED_EVENT,
                                   v1::CONTAINER_STOPPED_EVENT, v1::CONTAINER_DELETED_EVENT));
}

TEST_F(Events, CarryTheStatusOfThePodAndItsContainers) {
  auto stream = cri().Events();
  Pod pod = RunPod();
  const std::string id = Start(pod, Idle());
  auto event = stream->WaitFor(Is(id, v1::CONTAINER_STARTED_EVENT), seconds(10));
  ASSERT_TRUE(event);
  EXPECT_GT(event->created_at(), 0);
  EXPECT_EQ(event->pod_sandbox_status().id(), pod.id);
  ASSERT_EQ(event->containers_statuses_size(), 1);
  EXPECT_EQ(event->containers_statuses(0).id(), id);
}

TEST_F(Events, ComeWhenTheStateCanBeRead) {
  auto stream = cri().Events();
  const std::string id = Start(RunPod(), Shell("exit 6"));
  ASSERT_TRUE(stream->WaitFor(Is(id, v1::CONTAINER_STOPPED_EVENT), seconds(10)));
  auto status = Status(id);
  EXPECT_EQ(status.state(), v1::CONTAINER_EXITED);
  EXPECT_EQ(status.exit_code(), 6);
}

TEST_F(Events, ReachEverySubscriber) {
  if (!suite().is_bulkhead()) GTEST_SKIP() << "another runtime may share one queue";
  auto one = cri().Events();
  auto two = cri().Events();
  const std::string id = Start(RunPod(), Shell("exit 0"));
  EXPECT_TRUE(one->WaitFor(Is(id, v1::CONTAINER_STOPPED_EVENT), seconds(10)));
  EXPECT_TRUE(two->WaitFor(Is(id, v1::CONTAINER_STOPPED_EVENT), seconds(10)));
}

}  // namespace
}  // namespace bulkhead::fixture
