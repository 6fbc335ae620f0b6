// Clients of a container, and signals to commands, as a supervisor sees them.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "tests/kernel/supervisor/hanging_filesystem.h"
#include "tests/kernel/supervisor/test_supervisor.h"

namespace bulkhead::supervisor {
namespace {

using testing::EndsWith;
using testing::HasSubstr;

class AttachTest : public SupervisorTest {
 protected:
  struct Client {
    UniqueFd out, err, in;
  };

  // Reads lines and answers each; a line `N` with so many lines.
  TestContainer Answerer(const std::string& id, bool terminal = false) {
    TestContainer container =
        Shell(id, "while read line; do seq 1 ${line#x}; echo end; done; exit 5");
    container.launch.mutable_streams()->set_open_stdin(true);
    container.launch.mutable_process()->set_terminal(terminal);
    return container;
  }
  absl::StatusOr<Client> Attach(const std::string& id, bool input, bool take = false) {
    Client client;
    Request request;
    request.mutable_attach()->set_id(id);
    request.mutable_attach()->set_stdin(input);
    request.mutable_attach()->set_take_stdin(take);
    request.mutable_attach()->mutable_stdout()->set_index(0);
    request.mutable_attach()->mutable_stderr()->set_index(1);
    std::vector<UniqueFd> fds;
    for (UniqueFd* own : {&client.out, &client.err}) {
      int ends[2];
      if (pipe2(ends, O_CLOEXEC) != 0) return absl::InternalError("pipe2");
      own->reset(ends[0]);
      fds.emplace_back(ends[1]);
    }
    auto response = Call(std::move(request), std::move(fds));
    if (!response.ok()) return response.status();
    if (!response->fds.empty()) client.in = std::move(response->fds[0]);
    return client;
  }
  static void Say(const Client& client, const std::string& text) {
    ASSERT_EQ(write(client.in.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  // Until `end` has come or the stream ends; empty: until it ends.
  static std::string Read(const UniqueFd& fd, const std::string& end = "") {
    std::string text;
    char buffer[65536];
    pollfd polled{fd.get(), POLLIN, 0};
    while (end.empty() || text.find(end) == std::string::npos) {
      if (poll(&polled, 1, kPatience.count()) != 1) return text + "[nothing comes]";
      const ssize_t n = read(fd.get(), buffer, sizeof(buffer));
      if (n <= 0) break;
      text.append(buffer, n);
    }
    return text;
  }
  size_t DescriptorsOfSupervisor() {
    size_t count = 0;
    const std::string tasks = "/proc/" + std::to_string(spawned_.pid) + "/task";
    for (const auto& task : std::filesystem::directory_iterator(tasks)) {
      for (const auto& fd : std::filesystem::directory_iterator(task.path() / "fd")) {
        count += fd.path().empty() ? 0 : 1;
      }
    }
    return count;
  }
  // Without clients. The log's thread answers the first one once it has left what it began with: a
  // copy of all descriptors. A client's are counted twice where the threads share their table.
  size_t SettledDescriptors(const std::string& id) {
    size_t without = 0;
    {
      const auto first = Attach(id, false);
      const size_t with_one = DescriptorsOfSupervisor();
      const auto second = Attach(id, false);
      EXPECT_TRUE(first.ok() && second.ok()) << first.status() << second.status();
      without = 2 * with_one - DescriptorsOfSupervisor();
    }
    AwaitDescriptors(without);
    return without;
  }
  void AwaitDescriptors(size_t expected) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (DescriptorsOfSupervisor() != expected) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline)
          << DescriptorsOfSupervisor() << " descriptors instead of " << expected;
      std::this_thread::yield();
    }
  }
};

class AttachReexecTest : public AttachTest {
 protected:
  void SetUp() override {
    if (!BULKHEAD_STATIC_POD) GTEST_SKIP() << "a linked supervisor finds no libraries in the pod";
  }
};

TEST_F(AttachTest, SharesTheInputOrGivesItAway) {
  SetUpPod();
  ASSERT_TRUE(Run(Answerer("c1")).ok());
  const auto first = Attach("c1", true);
  const auto second = Attach("c1", true);
  ASSERT_TRUE(first.ok() && second.ok()) << first.status() << second.status();
  Say(*first, "x1\n");
  EXPECT_EQ(Read(second->out, "end\n"), "1\nend\n");
  auto last = Attach("c1", true, true);
  ASSERT_TRUE(last.ok()) << last.status();
  EXPECT_THAT(std::string(Attach("c1", true).status().message()), HasSubstr("stdin_once"));
  EXPECT_TRUE(Attach("c1", false).ok());
}

TEST_F(AttachTest, EndsTheInputOnceItsLastHolderGoes) {
  SetUpPod();
  ASSERT_TRUE(Run(Answerer("c1")).ok());
  auto client = Attach("c1", true, true);
  ASSERT_TRUE(client.ok()) << client.status();
  Say(*client, "x1\n");
  client->in.reset();
  EXPECT_EQ(AwaitExit("c1")->code(), 5);
  EXPECT_EQ(Read(client->out), "1\nend\n");
}

TEST_F(AttachTest, GivesOutATerminalsMasterAndNeverTheLastOne) {
  SetUpPod();
  ASSERT_TRUE(Run(Answerer("c1", true)).ok());
  for (int i = 0; i < 2; ++i) {
    const auto client = Attach("c1", true, true);
    ASSERT_TRUE(client.ok()) << client.status();
    EXPECT_TRUE(isatty(client->in.get()));
    Say(*client, "x1\n");
    EXPECT_THAT(Read(client->out, "end\r\n"), EndsWith("1\r\nend\r\n"));
  }
}

TEST_F(AttachTest, RefusesContainersThatDoNotRun) {
  SetUpPod();
  ASSERT_TRUE(Create(Answerer("c1")).ok());
  EXPECT_EQ(Attach("c1", true).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(Attach("c2", true).status().code(), absl::StatusCode::kNotFound);
  ASSERT_TRUE(Run(Shell("c3", "exit 0")).ok());
  ASSERT_TRUE(AwaitExit("c3").ok());
  EXPECT_EQ(Attach("c3", false).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(AttachTest, RefusesDescriptorsThatDidNotCome) {
  SetUpPod();
  ASSERT_TRUE(Run(Answerer("c1")).ok());
  Request request;
  request.mutable_attach()->set_id("c1");
  request.mutable_attach()->mutable_stdout()->set_index(3);
  EXPECT_EQ(Call(request).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(AttachTest, KeepsNothingOfClientsThatVanish) {
  SetUpPod();
  ASSERT_TRUE(Run(Answerer("c1")).ok());
  const size_t before = SettledDescriptors("c1");
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(Attach("c1", true).ok());
  AwaitDescriptors(before);
}

TEST_F(AttachTest, KeepsNothingOfStalledClients) {
  SetUpPod();
  ASSERT_TRUE(Run(Answerer("c1")).ok());
  const size_t before = SettledDescriptors("c1");
  std::vector<Client> stalled;
  for (int i = 0; i < 10; ++i) stalled.push_back(*Attach("c1", false));
  const auto talker = Attach("c1", true);
  Say(*talker, "x100000\n");
  // The talker is one of those that do not read.
  AwaitDescriptors(before);
  EXPECT_THAT(Read(stalled[0].out), testing::StartsWith("1\n2\n"));
  EXPECT_EQ(Signal("c1", 0), absl::OkStatus());
}

TEST_F(AttachTest, HandsNoClientToAContainersProcess) {
  SetUpPod();
  ASSERT_TRUE(Run(Answerer("c1")).ok());
  auto client = Attach("c1", true, true);
  ASSERT_TRUE(client.ok()) << client.status();
  // Started while a client is attached; neither holds the other's end open.
  ASSERT_TRUE(Run(Shell("c2", "exec sleep 1000")).ok());
  const UniqueFd output = OpenLog(PathOf("exec.out"));
  ASSERT_TRUE(Exec("c1", {"sleep", "1000"}, output).ok());
  client->in.reset();
  EXPECT_EQ(AwaitExit("c1")->code(), 5);
  EXPECT_EQ(Read(client->out), "");
}

TEST_F(AttachTest, GetsOutputThoughTheLogHangsAndWaitsOnlyToBegin) {
  auto disk = std::make_unique<HangingFilesystem>(dir_.Make("disk"));
  SetUpPod();
  TestContainer container = Answerer("c1");
  container.launch_fds[container.launch.streams().log().index()] = OpenLog(disk->log_path());
  ASSERT_TRUE(Run(std::move(container)).ok());
  const auto client = Attach("c1", true);
  ASSERT_TRUE(client.ok()) << client.status();
  Say(*client, "x1\n");
  EXPECT_EQ(Read(client->out, "1\n").substr(0, 2), "1\n");
  disk->AwaitWrite();
  Request request;
  request.mutable_attach()->set_id("c1");
  EXPECT_EQ(Call(request, {}, std::chrono::milliseconds(200)).status().code(),
            absl::StatusCode::kDeadlineExceeded);
  const UniqueFd output = OpenLog(PathOf("exec.out"));
  EXPECT_TRUE(Exec("c1", {"true"}, output).ok());
  // Nor do those who wait pile up.
  for (int i = 0; i < 64; ++i) {
    EXPECT_FALSE(Call(request, {}, std::chrono::milliseconds(1)).ok());
  }
  EXPECT_EQ(Call(request, {}).status().code(), absl::StatusCode::kUnavailable);
  disk.reset();
  // Once those who wait have been answered.
  absl::StatusOr<Client> next = Attach("c1", false);
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (absl::IsUnavailable(next.status()) && std::chrono::steady_clock::now() < deadline) {
    next = Attach("c1", false);
  }
  EXPECT_TRUE(next.ok()) << next.status();
}

TEST_F(AttachReexecTest, IsEndedByAReexecWhichKeepsTheInput) {
  SetUpPod();
  ASSERT_TRUE(Run(Answerer("c1")).ok());
  ASSERT_TRUE(Run(Answerer("c2", true)).ok());
  const auto client = Attach("c1", true);
  const auto at_terminal = Attach("c2", true);
  const absl::Status status = Reexec(BULKHEAD_POD_NEXT);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(Read(client->out), "");
  EXPECT_EQ(Read(at_terminal->out), "");
  for (const std::string id : {"c1", "c2"}) {
    const auto next = Attach(id, true);
    ASSERT_TRUE(next.ok()) << next.status();
    Say(*next, "x1\n");
    EXPECT_THAT(Read(next->out, "end"), HasSubstr("1"));
  }
  // Its own end of the input is still good.
  Say(*client, "x1\n");
}

TEST_F(AttachReexecTest, KeepsAnInputThatWasGivenAwayOverAReexec) {
  SetUpPod();
  ASSERT_TRUE(Run(Answerer("c1")).ok());
  auto client = Attach("c1", true, true);
  ASSERT_TRUE(Reexec(BULKHEAD_POD_NEXT).ok());
  EXPECT_EQ(Attach("c1", true).status().code(), absl::StatusCode::kFailedPrecondition);
  client->in.reset();
  EXPECT_EQ(AwaitExit("c1")->code(), 5);
}

TEST_F(AttachReexecTest, SurvivesReexecsUnderOutput) {
  SetUpPod();
  ASSERT_TRUE(Run(Answerer("c1")).ok());
  const size_t before = SettledDescriptors("c1");
  Client talker = *Attach("c1", true);
  Say(talker, "x300000\n");
  for (int i = 0; i < 6; ++i) {
    const auto client = Attach("c1", false);
    ASSERT_TRUE(client.ok()) << client.status();
    const absl::Status status = Reexec(i % 2 == 0 ? BULKHEAD_POD_NEXT : BULKHEAD_POD);
    ASSERT_TRUE(status.ok()) << status;
  }
  talker = {};
  EXPECT_EQ(Signal("c1", SIGKILL), absl::OkStatus());
  ASSERT_TRUE(AwaitExit("c1").ok());
  EXPECT_TRUE(Remove("c1").ok());
  EXPECT_LE(DescriptorsOfSupervisor(), before);
}

class SignalExecTest : public AttachTest {
 protected:
  absl::Status SignalExec(uint64_t id, int signal) {
    Request request;
    request.mutable_signal_exec()->set_exec_id(id);
    request.mutable_signal_exec()->set_signal(signal);
    return Call(std::move(request)).status();
  }
};

TEST_F(SignalExecTest, ReachesTheCommandsWholeGroupAndNobodyElse) {
  SetUpPod();
  ASSERT_TRUE(Run(Container("c1", {"sleep", "1000"})).ok());
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  const auto exec = Exec("c1", {"sh", "-c", "sleep 1000 & echo on; sleep 1000"}, writer);
  writer.reset();
  ASSERT_TRUE(exec.ok()) << exec.status();
  EXPECT_EQ(Read(reader, "on\n"), "on\n");
  ASSERT_TRUE(SignalExec(exec->exec_id(), SIGKILL).ok());
  EXPECT_EQ(AwaitExecExit(exec->exec_id())->code(), 137);
  // The background child held it open.
  EXPECT_EQ(Read(reader), "");
  EXPECT_EQ(SignalExec(exec->exec_id(), SIGKILL).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Signal("c1", 0), absl::OkStatus());
}

}  // namespace
}  // namespace bulkhead::supervisor
