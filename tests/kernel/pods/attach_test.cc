#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <thread>
#include <vector>

#include "tests/kernel/pods/real_pods.h"
#include "tests/kernel/pods/stream_client.h"

namespace bulkhead::pods {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr StreamSelection kAll{
    .standard_input = true, .standard_output = true, .standard_error = true};
constexpr StreamSelection kOutput{.standard_output = true, .standard_error = true};
constexpr StreamSelection kTerminal{
    .standard_input = true, .standard_output = true, .terminal = true};

class Attach : public RealPods {
 protected:
  void StartWith(const std::string& script, bool once = false, bool terminal = false) {
    spec_ = ContainerOf("c", script);
    spec_.stdin = true;
    spec_.stdin_once = once;
    spec_.tty = terminal;
    id_ = Start(Run(PodOf("web")), spec_);
  }
  std::unique_ptr<AttachedProcess> Client(const StreamSelection& streams) {
    auto process = pods_->Attach(id_, streams);
    EXPECT_TRUE(process.ok()) << process.status();
    return process.ok() ? *std::move(process) : nullptr;
  }
  // What the container's shell answers to a line.
  static std::string Ask(const ProcessStreams& streams, const std::string& line,
                         const std::string& until) {
    EXPECT_TRUE(WriteAll(streams.in.get(), line + "\n"));
    return ReadUntil(streams.out.get(), until);
  }

  spec::ContainerSpec spec_;
  std::string id_;
};

TEST_F(Attach, ConnectsAClientToAllThreeStreamsFromNowOn) {
  StartWith("echo before; while read line; do echo out-$line; echo err-$line >&2; done; exit 6");
  AwaitLog(spec_, "before");
  const auto client = Client(kAll);
  ProcessStreams streams = client->TakeStreams();
  EXPECT_EQ(Ask(streams, "a", "\n"), "out-a\n");
  EXPECT_EQ(ReadUntil(streams.err.get(), "\n"), "err-a\n");
  EXPECT_THAT(AwaitLog(spec_, "err-a"), HasSubstr("out-a"));
}

TEST_F(Attach, ServesManyClientsAtOnce) {
  StartWith("while read line; do echo got $line; done");
  std::vector<std::unique_ptr<AttachedProcess>> clients;
  std::vector<ProcessStreams> streams;
  for (int i = 0; i < 20; ++i) {
    clients.push_back(Client(kAll));
    streams.push_back(clients.back()->TakeStreams());
  }
  EXPECT_EQ(Ask(streams[0], "one", "\n"), "got one\n");
  EXPECT_EQ(Ask(streams[19], "two", "two\n"), "got one\ngot two\n");
  for (size_t i = 1; i < 19; ++i) {
    EXPECT_EQ(ReadUntil(streams[i].out.get(), "two\n"), "got one\ngot two\n");
  }
}

TEST_F(Attach, TellsTheEndAfterAllOutput) {
  StartWith("read line; seq 1 20000; exit 7");
  const auto client = Client(kAll);
  ProcessStreams streams = client->TakeStreams();
  ASSERT_TRUE(WriteAll(streams.in.get(), "go\n"));
  EXPECT_THAT(ReadToEnd(streams.out.get()), EndsWith("\n20000\n"));
  EXPECT_EQ(AwaitCode(*client), 7);
}

TEST_F(Attach, TellsACodeThoughAChildHoldsTheOutputOpen) {
  StartWith("trap '' HUP; read line; sleep 1000 & exit 8");
  const auto client = Client(kAll);
  ProcessStreams streams = client->TakeStreams();
  ASSERT_TRUE(WriteAll(streams.in.get(), "go\n"));
  EXPECT_EQ(AwaitCode(*client), 8);
}

TEST_F(Attach, LeavesTheContainerAloneWhenAClientGoes) {
  StartWith("while read line; do echo got $line; done");
  for (int i = 0; i < 3; ++i) {
    const auto client = Client(kAll);
    EXPECT_EQ(Ask(client->TakeStreams(), "x", "\n"), "got x\n");
  }
  EXPECT_EQ(StatusOf(id_).state, ContainerState::kRunning);
}

TEST_F(Attach, EndsTheInputWithItsFirstClientIfThatIsHowItWasMade) {
  StartWith("while read line; do echo got $line; done; exit 9", true);
  const auto watcher = Client(kOutput);
  auto client = Client(kAll);
  ProcessStreams streams = client->TakeStreams();
  EXPECT_EQ(Ask(streams, "x", "\n"), "got x\n");
  const absl::Status second = pods_->Attach(id_, kAll).status();
  EXPECT_EQ(second.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(second.message()), HasSubstr("stdin_once"));
  streams.in.reset();
  EXPECT_EQ(AwaitCode(*client), 9);
  EXPECT_EQ(AwaitCode(*watcher), 9);
}

TEST_F(Attach, EndsTheInputWithAClientThatVanishes) {
  StartWith("while read line; do echo got $line; done; exit 9", true);
  Client(kAll).reset();
  EXPECT_EQ(AwaitExit(id_).exit_code, 9);
}

TEST_F(Attach, KeepsATerminalForTheNextClient) {
  StartWith("while read line; do echo got $line; done", true, true);
  for (const char* line : {"one", "two"}) {
    const auto client = Client(kTerminal);
    EXPECT_THAT(Ask(client->TakeStreams(), line, "got"), HasSubstr(line));
  }
  EXPECT_EQ(StatusOf(id_).state, ContainerState::kRunning);
}

TEST_F(Attach, TellsATerminalItsSize) {
  StartWith("trap 'stty size' WINCH; echo ready; while :; do sleep 0.02; done", false, true);
  const auto client = Client(kTerminal);
  const ProcessStreams streams = client->TakeStreams();
  // The trap may not be set before.
  AwaitLog(spec_, "ready");
  ASSERT_TRUE(client->Resize({.width = 101, .height = 31}).ok());
  EXPECT_THAT(ReadUntil(streams.out.get(), "31 101"), HasSubstr("31 101"));
}

TEST_F(Attach, DetachesAStalledClientAndNobodyElse) {
  StartWith("while read count; do seq 1 $count; echo done; done");
  const auto stalled = Client(kAll);
  const ProcessStreams not_read = stalled->TakeStreams();
  const auto other = Client(kAll);
  const ProcessStreams streams = other->TakeStreams();
  // Each answer has room in a client's pipe, two have not.
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(WriteAll(streams.in.get(), "100000\n"));
    EXPECT_THAT(ReadUntil(streams.out.get(), "done\n"), EndsWith("\n100000\ndone\n"));
  }
  // What was in its pipe, and the end, though the container runs.
  const std::string read = ReadToEnd(not_read.out.get());
  EXPECT_THAT(read, StartsWith("1\n2\n"));
  EXPECT_LE(read.size(), 1u << 20);
  EXPECT_EQ(ReadToEnd(not_read.err.get()), "");
  EXPECT_FALSE(AwaitReadable(stalled->ended_fd(), std::chrono::milliseconds(0)));
  AwaitLog(spec_, "F done");
}

TEST_F(Attach, RefusesWhatTheContainerHasNot) {
  spec_ = ContainerOf("c", "exec sleep 1000");
  id_ = Start(Run(PodOf("web")), spec_);
  EXPECT_EQ(pods_->Attach(id_, kAll).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(pods_->Attach(id_, kTerminal).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(pods_->Attach("none", kOutput).status().code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(pods_->Attach(id_, kOutput).ok());
  ASSERT_TRUE(pods_->StopContainer(id_, std::chrono::seconds(0)).ok());
  EXPECT_EQ(pods_->Attach(id_, kOutput).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(Attach, IsToldOfALostSupervisor) {
  StartWith("exec sleep 1000");
  const auto client = Client(kAll);
  for (const int pid : Supervisors()) kill(pid, SIGKILL);
  ASSERT_TRUE(AwaitReadable(client->ended_fd()));
  EXPECT_EQ(client->ExitCode().status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(Attach, LeavesNothingBehindWhenClientsVanish) {
  StartWith("exec sleep 1000");
  const HeldDescriptors before = Held();
  for (int i = 0; i < 100; ++i) Client(kAll).reset();
  // The container says nothing, so that only their pipes' ends tell.
  AwaitHeld(before);
}

TEST_F(Attach, LeavesNothingBehindInASupervisorWhoseDaemonEnds) {
  StartWith("exec sleep 1000");
  HeldDescriptors before = Held();
  auto client = Client(kAll);
  Close();
  client.reset();
  Open();
  before.erase(before.begin());
  AwaitHeld(before, 1);
}

TEST_F(Attach, GoesOnAfterADaemonsRestart) {
  StartWith("while read line; do echo got $line; done");
  Client(kAll).reset();
  Close();
  Open();
  EXPECT_EQ(Ask(Client(kAll)->TakeStreams(), "x", "\n"), "got x\n");
}

class AttachUpgraded : public Attach {
 protected:
  void SetUp() override {
    if (!BULKHEAD_STATIC_POD) GTEST_SKIP() << "a linked supervisor finds no libraries in the pod";
  }
  // A daemon with another build of the supervisor.
  void Upgrade() {
    Close();
    config_.daemon.supervisor = BULKHEAD_POD_NEXT;
    Open();
  }
};

TEST_F(AttachUpgraded, KeepsTheInputOverAReexecOfTheSupervisor) {
  StartWith("while read line; do echo got $line; done; exit 9", true);
  Upgrade();
  const auto client = Client(kAll);
  ProcessStreams streams = client->TakeStreams();
  EXPECT_EQ(Ask(streams, "x", "\n"), "got x\n");
  streams.in.reset();
  EXPECT_EQ(AwaitCode(*client), 9);
}

TEST_F(AttachUpgraded, KeepsTheTerminalOverAReexecOfTheSupervisor) {
  StartWith("while read line; do echo got $line; done", false, true);
  Upgrade();
  EXPECT_THAT(Ask(Client(kTerminal)->TakeStreams(), "x", "got"), HasSubstr("got"));
}

}  // namespace
}  // namespace bulkhead::pods
