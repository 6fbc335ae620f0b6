#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "absl/strings/str_cat.h"
#include "tests/kernel/pods/real_pods.h"
#include "tests/kernel/pods/stream_client.h"

namespace bulkhead::pods {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr StreamSelection kPipes{
    .standard_input = true, .standard_output = true, .standard_error = true};
constexpr StreamSelection kTerminal{
    .standard_input = true, .standard_output = true, .terminal = true};

class Exec : public RealPods {
 protected:
  Exec() : id_(Start(Run(PodOf("web")), ContainerOf("c", "exec sleep 1000"))) {}

  std::unique_ptr<AttachedProcess> Command(const std::vector<std::string>& command,
                                           const StreamSelection& streams) {
    auto process = pods_->Exec(id_, command, streams);
    EXPECT_TRUE(process.ok()) << process.status();
    return process.ok() ? *std::move(process) : nullptr;
  }
  std::unique_ptr<AttachedProcess> Shell(const std::string& script,
                                         const StreamSelection& streams = kPipes) {
    return Command({"/bin/sh", "-c", script}, streams);
  }
  std::string Output(const std::string& script) {
    const auto process = Shell(script, {.standard_output = true});
    return process == nullptr ? "" : ReadToEnd(process->TakeStreams().out.get());
  }

  const std::string id_;
};

TEST_F(Exec, KeepsOutputErrorAndCodeApart) {
  const auto process = Shell("echo out; echo err >&2; exit 3");
  const ProcessStreams streams = process->TakeStreams();
  EXPECT_EQ(ReadToEnd(streams.out.get()), "out\n");
  EXPECT_EQ(ReadToEnd(streams.err.get()), "err\n");
  EXPECT_EQ(AwaitCode(*process), 3);
}

TEST_F(Exec, GivesWhatWasNotAskedForToTheNullDevice) {
  const auto process =
      Shell("cat; echo out; ls -l /proc/self/fd/ | grep -c null", {.standard_output = true});
  const ProcessStreams streams = process->TakeStreams();
  EXPECT_FALSE(streams.in.valid());
  EXPECT_FALSE(streams.err.valid());
  EXPECT_EQ(ReadToEnd(streams.out.get()), "out\n2\n");
}

TEST_F(Exec, EndsItsInputWhenTheClientClosesIt) {
  const auto process = Command({"/bin/cat"}, kPipes);
  ProcessStreams streams = process->TakeStreams();
  ASSERT_TRUE(WriteAll(streams.in.get(), "hello"));
  EXPECT_EQ(ReadUntil(streams.out.get(), "hello"), "hello");
  streams.in.reset();
  EXPECT_EQ(ReadToEnd(streams.out.get()), "");
  EXPECT_EQ(AwaitCode(*process), 0);
}

TEST_F(Exec, MovesMuchDataThroughPipesBothWays) {
  const auto process = Command({"/bin/cat"}, kPipes);
  ProcessStreams streams = process->TakeStreams();
  std::string sent;
  for (int i = 0; sent.size() < (8u << 20); ++i) absl::StrAppend(&sent, i, "\n");
  std::thread writer([&] {
    EXPECT_TRUE(WriteAll(streams.in.get(), sent));
    streams.in.reset();
  });
  const std::string received = ReadToEnd(streams.out.get());
  writer.join();
  EXPECT_TRUE(received == sent) << received.size() << " of " << sent.size() << " bytes";
}

TEST_F(Exec, TellsASignalAs128AndItsNumber) {
  EXPECT_EQ(AwaitCode(*Shell("kill -TERM $$")), 143);
  EXPECT_EQ(AwaitCode(*Shell("kill -KILL $$")), 137);
}

TEST_F(Exec, HasATerminalOfItsOwn) {
  const auto process =
      Shell("echo in-$TERM; ls -l /proc/self/fd/0 /proc/self/fd/2; exit 4", kTerminal);
  const ProcessStreams streams = process->TakeStreams();
  const std::string output = ReadToEnd(streams.out.get());
  EXPECT_THAT(output, HasSubstr("in-xterm\r\n"));
  EXPECT_THAT(output, HasSubstr("fd/0 -> /dev/pts/0\r\n"));
  EXPECT_THAT(output, HasSubstr("fd/2 -> /dev/pts/0\r\n"));
  EXPECT_EQ(AwaitCode(*process), 4);
}

TEST_F(Exec, TellsItsTerminalTheClientsSize) {
  const auto process = Shell(
      "trap 'stty size; exit 0' WINCH; echo ready; while :; do sleep 0.02; "
      "done",
      kTerminal);
  const ProcessStreams streams = process->TakeStreams();
  ReadUntil(streams.out.get(), "ready");
  ASSERT_TRUE(process->Resize({.width = 132, .height = 43}).ok());
  EXPECT_THAT(ReadToEnd(streams.out.get()), HasSubstr("43 132"));
  EXPECT_EQ(AwaitCode(*process), 0);
}

TEST_F(Exec, HandsKeysToItsTerminal) {
  const auto process = Shell("exec sleep 1000", kTerminal);
  const ProcessStreams streams = process->TakeStreams();
  // Until the shell has become what the terminal's driver sends SIGINT to.
  ASSERT_TRUE(WriteAll(streams.in.get(), "\x03"));
  EXPECT_EQ(AwaitCode(*process), 130);
}

TEST_F(Exec, RefusesASizeWithoutATerminal) {
  EXPECT_EQ(Shell("true")->Resize({.width = 80, .height = 24}).code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(Exec, HangsUpTheTerminalOfAClientThatGoes) {
  auto process = Shell(
      "trap 'touch /tmp/hup; exit 0' HUP; echo ready; while :; do sleep 0.02; done", kTerminal);
  ReadUntil(process->TakeStreams().out.get(), "ready");
  process.reset();
  EXPECT_EQ(Output("until test -e /tmp/hup; do sleep 0.02; done; echo gone"), "gone\n");
  AwaitNoLeaf();
}

TEST_F(Exec, EndsThePipesOfAClientThatGoes) {
  Shell("cat; yes; test $? = 141 && touch /tmp/sigpipe").reset();
  EXPECT_EQ(Output("until test -e /tmp/sigpipe; do sleep 0.02; done; echo gone"), "gone\n");
  AwaitNoLeaf();
}

TEST_F(Exec, LetsTheCommandOfAClientThatGoesRunOn) {
  Shell("sleep 1000").reset();
  EXPECT_EQ(Output("ps | grep -c '[s]leep 1000'"), "2\n");
}

TEST_F(Exec, KillsTheCommandOfAClientThatGoesIfToldSo) {
  options_.kill_on_disconnect = true;
  Close();
  Open();
  auto process = Shell("sleep 1000 & echo ready; exec sleep 1000");
  ReadUntil(process->TakeStreams().out.get(), "ready");
  process.reset();
  AwaitNoLeaf();
  EXPECT_EQ(Output("ps | grep -c '[s]leep 1000'"), "1\n");
}

TEST_F(Exec, LeavesABackgroundChildToTheContainer) {
  options_.kill_on_disconnect = true;
  Close();
  Open();
  auto process = Shell("sleep 1000 & echo $!; exit 0");
  const std::string pid = ReadUntil(process->TakeStreams().out.get(), "\n");
  EXPECT_EQ(AwaitCode(*process), 0);
  process.reset();
  EXPECT_EQ(Leaves().size(), 1u);
  EXPECT_EQ(Output("ps | grep -c '[s]leep 1000'"), "2\n");
  EXPECT_EQ(AwaitCode(*Shell("kill " + pid)), 0);
  AwaitNoLeaf();
}

TEST_F(Exec, RemovesTheLeafOfACommandThatOutlivedADaemon) {
  auto process = Shell("echo $$; exec sleep 1000");
  const std::string pid = ReadUntil(process->TakeStreams().out.get(), "\n");
  Close();
  process.reset();
  Open();
  EXPECT_EQ(Leaves().size(), 1u);
  EXPECT_EQ(AwaitCode(*Shell("kill " + pid)), 0);
  AwaitNoLeaf();
}

TEST_F(Exec, RemovesAnEmptyLeafOfAnEarlierDaemon) {
  // As of a daemon that was killed after the command had ended.
  ASSERT_EQ(mkdir((LeafParent() + "/exec-0123456789abcdef").c_str(), 0755), 0);
  Close();
  Open();
  EXPECT_THAT(Leaves(), IsEmpty());
}

TEST_F(Exec, GoesWithoutALeafWhereTheContainerAllowsNone) {
  std::ofstream(LeafParent() + "/cgroup.max.descendants") << "0";
  const auto process = Shell("echo done; exit 5");
  EXPECT_EQ(ReadToEnd(process->TakeStreams().out.get()), "done\n");
  EXPECT_EQ(AwaitCode(*process), 5);
  const auto timed_out = pods_->ExecSync(id_, {"/bin/sh", "-c", "sleep 999 & exec sleep 999"},
                                         std::chrono::seconds(1));
  EXPECT_EQ(timed_out.status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(Output("until ! ps | grep '[s]leep 999'; do sleep 0.02; done"), "");
}

TEST_F(Exec, GoesWithoutALeafWhereTheContainersCgroupIsThreaded) {
  const std::string threads = LeafParent() + "/threads";
  ASSERT_EQ(mkdir(threads.c_str(), 0755), 0);
  std::ofstream(threads + "/cgroup.type") << "threaded";
  const auto process = Shell("echo done; exit 5");
  ASSERT_NE(process, nullptr);
  EXPECT_EQ(ReadToEnd(process->TakeStreams().out.get()), "done\n");
  EXPECT_EQ(AwaitCode(*process), 5);
  EXPECT_THAT(Leaves(), IsEmpty());
}

TEST_F(Exec, IsToldOfALostSupervisor) {
  const auto process = Shell("exec sleep 1000");
  for (const int pid : Supervisors()) kill(pid, SIGKILL);
  ASSERT_TRUE(AwaitReadable(process->ended_fd()));
  EXPECT_EQ(process->ExitCode().status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(Exec, IsToldOfAHungSupervisorWhenAStopFindsIt) {
  options_.answer_bound = std::chrono::milliseconds(500);
  Close();
  Open();
  const auto process = Shell("exec sleep 1000");
  const auto attached = pods_->Attach(id_, {.standard_output = true});
  ASSERT_TRUE(attached.ok()) << attached.status();
  for (const int pid : Supervisors()) kill(pid, SIGSTOP);
  ASSERT_TRUE(pods_->StopContainer(id_, std::chrono::seconds(0)).ok());
  for (AttachedProcess* lost : {process.get(), attached->get()}) {
    ASSERT_TRUE(AwaitReadable(lost->ended_fd()));
    EXPECT_EQ(lost->ExitCode().status().code(), absl::StatusCode::kUnavailable);
  }
}

TEST_F(Exec, FailsWhereNothingRuns) {
  EXPECT_TRUE(pods_->CheckExec(id_).ok());
  EXPECT_EQ(pods_->CheckExec("none").code(), absl::StatusCode::kNotFound);
  ASSERT_TRUE(pods_->StopContainer(id_, std::chrono::seconds(0)).ok());
  EXPECT_EQ(pods_->CheckExec(id_).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(pods_->Exec(id_, {"true"}, kPipes).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(Exec, FailsForAProgramThatIsNotThereAndLeavesNothing) {
  for (const StreamSelection& streams : {kPipes, kTerminal}) {
    EXPECT_THAT(std::string(pods_->Exec(id_, {"/bin/nothing"}, streams).status().message()),
                HasSubstr("/bin/nothing"));
  }
  EXPECT_EQ(pods_->Exec(id_, {}, kPipes).status().code(), absl::StatusCode::kInvalidArgument);
  AwaitNoLeaf();
}

TEST_F(Exec, LeavesNothingBehindInDaemonAndSupervisor) {
  const auto run = [this](int rounds) {
    for (int i = 0; i < rounds; ++i) {
      const auto process = Shell("echo hello", i % 2 == 0 ? kPipes : kTerminal);
      ReadToEnd(process->TakeStreams().out.get());
      ASSERT_EQ(AwaitCode(*process), 0);
    }
  };
  run(4);
  const HeldDescriptors before = Held();
  run(50);
  EXPECT_EQ(Held(), before);
  EXPECT_THAT(Leaves(), IsEmpty());
}

}  // namespace
}  // namespace bulkhead::pods
