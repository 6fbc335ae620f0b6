#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "shim/pods/process_streams.h"
#include "tests/unit/pods/pods_test.h"

namespace bulkhead::pods {
namespace {

using ::testing::HasSubstr;

constexpr StreamSelection kAll{
    .standard_input = true, .standard_output = true, .standard_error = true};
constexpr StreamSelection kOutput{.standard_output = true};

class AttachTest : public PodsTest {
 protected:
  std::string StartWith(bool in, bool once) {
    spec::ContainerSpec container = ContainerOf("c");
    container.stdin = in;
    container.stdin_once = once;
    return Start(Run(PodOf("web")), container);
  }
};

TEST_F(AttachTest, ConnectsPipesThatDoNotBlock) {
  const std::string id = StartWith(true, false);
  const auto process = pods_->Attach(id, kAll);
  ASSERT_TRUE(process.ok()) << process.status();
  const ProcessStreams streams = (*process)->TakeStreams();
  FakePod& pod = *host_->OnlyPod();
  ASSERT_EQ(write(pod.attached_out.get(), "o", 1), 1);
  ASSERT_EQ(write(pod.attached_err.get(), "e", 1), 1);
  ASSERT_EQ(write(streams.in.get(), "i", 1), 1);
  char c = 0;
  EXPECT_TRUE(read(streams.out.get(), &c, 1) == 1 && c == 'o');
  EXPECT_TRUE(read(streams.err.get(), &c, 1) == 1 && c == 'e');
  EXPECT_TRUE(read(pod.attached_in.get(), &c, 1) == 1 && c == 'i');
  for (const int fd : {streams.in.get(), streams.out.get(), streams.err.get()}) {
    EXPECT_NE(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
  }
  EXPECT_FALSE(pod.attached_once);
  EXPECT_EQ((*process)->Resize({}).code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(AttachTest, TakesTheInputAwayWhereItIsForOneClient) {
  const std::string id = StartWith(true, true);
  ASSERT_TRUE(pods_->Attach(id, kAll).ok());
  EXPECT_TRUE(host_->OnlyPod()->attached_once);
}

TEST_F(AttachTest, TellsEveryClientTheContainersEnd) {
  const std::string id = StartWith(false, false);
  const auto a = pods_->Attach(id, kOutput);
  const auto b = pods_->Attach(id, kOutput);
  EXPECT_FALSE(IsReadable((*a)->ended_fd()));
  EXPECT_EQ((*a)->ExitCode().status().code(), absl::StatusCode::kUnavailable);
  host_->EndContainer(id, 7);
  AwaitExit(id);
  for (const auto& client : {a->get(), b->get()}) {
    EXPECT_TRUE(IsReadable(client->ended_fd()));
    EXPECT_EQ(*client->ExitCode(), 7);
  }
}

TEST_F(AttachTest, TellsThatACodeIsNotKnownWhenTheSupervisorIsLost) {
  const std::string id = StartWith(false, false);
  const auto client = pods_->Attach(id, kOutput);
  host_->CrashSupervisors(false);
  AwaitExit(id);
  EXPECT_TRUE(IsReadable((*client)->ended_fd()));
  EXPECT_EQ((*client)->ExitCode().status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(AttachTest, MissesNoEndThatComesWhileItIsUnderWay) {
  const std::string id = StartWith(false, false);
  steps_.Hold("Attach");
  auto call = Aside([&] { return pods_->Attach(id, kOutput); });
  steps_.AwaitHeld("Attach");
  host_->EndContainer(id, 7);
  AwaitExit(id);
  steps_.LetGo("Attach");
  const auto client = call.get();
  ASSERT_TRUE(client.ok()) << client.status();
  EXPECT_EQ(*(*client)->ExitCode(), 7);
}

TEST_F(AttachTest, TakesNoMoreClientsThanItsSupervisorCanBear) {
  const std::string id = StartWith(false, false);
  std::vector<std::unique_ptr<AttachedProcess>> clients;
  for (int i = 0; i < 64; ++i) clients.push_back(*pods_->Attach(id, kOutput));
  EXPECT_EQ(pods_->Attach(id, kOutput).status().code(), absl::StatusCode::kResourceExhausted);
  clients.pop_back();
  EXPECT_TRUE(pods_->Attach(id, kOutput).ok());
}

TEST_F(AttachTest, SaysThatTheSupervisorIsTooOld) {
  const std::string id = StartWith(false, false);
  steps_.Fail("Attach", absl::UnimplementedError("this supervisor does not know the request"));
  const absl::Status status = pods_->Attach(id, kOutput).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(std::string(status.message()), HasSubstr("does not know the request"));
}

TEST_F(AttachTest, RefusesWhatTheContainerWasNotMadeWith) {
  const std::string id = StartWith(false, false);
  EXPECT_THAT(std::string(pods_->Attach(id, kAll).status().message()), HasSubstr("stdin: "));
  EXPECT_THAT(
      std::string(
          pods_->Attach(id, {.standard_output = true, .terminal = true}).status().message()),
      HasSubstr("tty: "));
  EXPECT_EQ(steps_.Count("Attach"), 0);
  host_->EndContainer(id, 0);
  AwaitExit(id);
  EXPECT_EQ(pods_->Attach(id, kOutput).status().code(), absl::StatusCode::kFailedPrecondition);
}

class ConnectTest : public PodsTest {};

TEST_F(ConnectTest, GoesToThePodsNetworkNamespaceOrTheHosts) {
  const std::string pod = Run(PodOf("web"));
  const std::string on_host = Run(HostNetworkPodOf("host"));
  ASSERT_TRUE(pods_->Connect(pod, 80).ok());
  EXPECT_EQ(host_->connected, std::make_pair("/netns/" + pod, uint16_t{80}));
  ASSERT_TRUE(pods_->Connect(on_host, 8080).ok());
  EXPECT_EQ(host_->connected, std::make_pair(std::string(), uint16_t{8080}));
}

TEST_F(ConnectTest, IsRefusedForAPodThatIsNotReady) {
  EXPECT_EQ(pods_->Connect("nothing", 80).status().code(), absl::StatusCode::kNotFound);
  const std::string pod = Run(PodOf("web"));
  EXPECT_TRUE(pods_->CheckPortForward(pod).ok());
  EXPECT_EQ(pods_->Connect(pod, 0).status().code(), absl::StatusCode::kInvalidArgument);
  ASSERT_TRUE(pods_->StopPodSandbox(pod).ok());
  EXPECT_EQ(pods_->Connect(pod, 80).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(pods_->CheckPortForward(pod).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(steps_.Count("Connect"), 0);
}

}  // namespace
}  // namespace bulkhead::pods
