#include "shim/pods/events.h"

#include <gtest/gtest.h>

#include "tests/unit/pods/pods_test.h"

namespace bulkhead::pods {
namespace {

using Type = ContainerEvent::Type;

TEST(EventSubscription, EndsWithAnErrorInsteadOfLosingAnEvent) {
  EventSubscription events(2);
  for (int i = 0; i < 3; ++i) events.Push({});
  EXPECT_EQ(events.Next().status().code(), absl::StatusCode::kResourceExhausted);
}

TEST(EventSubscription, EndsWhenItIsClosed) {
  EventSubscription events(2);
  events.Close();
  EXPECT_EQ(events.Next().status().code(), absl::StatusCode::kCancelled);
}

TEST(EventHub, ClosesWhoSubscribesAfterTheEnd) {
  EventHub hub;
  hub.CloseAll();
  EXPECT_EQ(hub.Subscribe()->Next().status().code(), absl::StatusCode::kCancelled);
}

class Events : public PodsTest {
 protected:
  // The next event, whose state must be readable from the service and from the event itself.
  void ExpectNext(EventSubscription& events, const std::string& id, Type type) {
    const auto event = events.Next();
    ASSERT_TRUE(event.ok()) << event.status();
    EXPECT_EQ(event->container_id, id);
    EXPECT_EQ(event->type, type);
  }
};

TEST_F(Events, TellTheLifeOfASandboxAndItsContainerInOrder) {
  const auto events = pods_->SubscribeEvents();
  const std::string pod = Run(PodOf("web"));
  const std::string container = Start(pod, ContainerOf("c"));
  ASSERT_TRUE(pods_->StopContainer(container, std::chrono::seconds(0)).ok());
  ASSERT_TRUE(pods_->RemovePodSandbox(pod).ok());
  ExpectNext(*events, pod, Type::kCreated);
  ExpectNext(*events, pod, Type::kStarted);
  ExpectNext(*events, container, Type::kCreated);
  ExpectNext(*events, container, Type::kStarted);
  ExpectNext(*events, container, Type::kStopped);
  ExpectNext(*events, pod, Type::kStopped);
  ExpectNext(*events, container, Type::kDeleted);
  ExpectNext(*events, pod, Type::kDeleted);
}

TEST_F(Events, CarryTheStateThatTheyTell) {
  const auto events = pods_->SubscribeEvents();
  const std::string id = Start(Run(PodOf("web")), ContainerOf("c"));
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(events->Next().ok());
  const auto started = events->Next();
  ASSERT_EQ(started->pod.containers.size(), 1u);
  EXPECT_EQ(started->pod.containers[0].state, ContainerState::kRunning);
  EXPECT_EQ(started->pod.state, PodState::kReady);
}

}  // namespace
}  // namespace bulkhead::pods
