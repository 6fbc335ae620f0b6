// A pod with a user namespace, by every way into it and over every change of the programs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "tests/kernel/pods/real_pods.h"
#include "tests/kernel/pods/stream_client.h"

namespace bulkhead::pods {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr StreamSelection kPipes{
    .standard_input = true, .standard_output = true, .standard_error = true};
constexpr StreamSelection kTerminal{
    .standard_input = true, .standard_output = true, .terminal = true};

// Where a process is: its ids on the host, and itself the superuser.
constexpr char kWhere[] = "set -- $(cat /proc/self/uid_map); echo $1 $2 $3; id -u";
constexpr char kMapped[] = "0 262144 65536\n0\n";

class UserNamespace : public RealPods {
 protected:
  std::string RunMapped() {
    spec::PodSpec pod = PodOf("web");
    pod.security.namespaces.network = spec::NamespaceMode::kPod;
    const std::vector<spec::IdRange> map = {{.container = 0, .host = 262144, .size = 65536}};
    pod.security.namespaces.user = {.mode = spec::NamespaceMode::kPod, .uids = map, .gids = map};
    return Run(pod);
  }
  spec::ContainerSpec Mapped(const std::string& script) {
    spec::ContainerSpec container = ContainerOf("c", script);
    container.security.namespaces.network = spec::NamespaceMode::kPod;
    return container;
  }
  std::string ExecSync(const std::string& id, const std::string& script) {
    const auto result = pods_->ExecSync(id, {"/bin/sh", "-c", script}, seconds(0));
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? result->standard_output + result->standard_error : "";
  }
  std::unique_ptr<AttachedProcess> Exec(const std::string& id, const std::string& script,
                                        const StreamSelection& streams) {
    auto process = pods_->Exec(id, {"/bin/sh", "-c", script}, streams);
    EXPECT_TRUE(process.ok()) << process.status();
    return process.ok() ? *std::move(process) : nullptr;
  }
  // Everything in a running pod that goes by its user namespace.
  void ExpectMapped(const std::string& id) {
    EXPECT_EQ(ExecSync(id, kWhere), kMapped);
    EXPECT_EQ(ExecSync(id, "[ /proc/self/ns/user -ef /proc/1/ns/user ] && echo same"), "same\n");
  }
};

TEST_F(UserNamespace, CommandsAreInItWithPipesAndWithATerminal) {
  const std::string id = Start(RunMapped(), Mapped("exec sleep 1000"));
  ExpectMapped(id);
  const auto piped = Exec(id, absl::StrCat("cat; ", kWhere, "; echo err >&2; exit 3"), kPipes);
  ProcessStreams streams = piped->TakeStreams();
  ASSERT_TRUE(WriteAll(streams.in.get(), "in\n"));
  streams.in.reset();
  EXPECT_EQ(ReadToEnd(streams.out.get()), absl::StrCat("in\n", kMapped));
  EXPECT_EQ(ReadToEnd(streams.err.get()), "err\n");
  EXPECT_EQ(AwaitCode(*piped), 3);
  // Which it opens by its name, and owns.
  const auto terminal =
      Exec(id, absl::StrCat("echo > /dev/tty && ls -ln /dev/pts; ", kWhere), kTerminal);
  const std::string said = ReadToEnd(terminal->TakeStreams().out.get());
  EXPECT_THAT(said, HasSubstr("0 262144 65536\r\n0\r\n"));
  EXPECT_THAT(said, Not(HasSubstr("65534")));
  EXPECT_EQ(AwaitCode(*terminal), 0);
}

TEST_F(UserNamespace, ItsStreamsCanBeOpenedByPath) {
  const std::string id = Start(RunMapped(), Mapped("exec sleep 1000"));
  EXPECT_EQ(ExecSync(id,
                     "echo out > /dev/stdout; echo err > /dev/stderr; "
                     "echo x > /dev/null && echo null"),
            "out\nnull\nerr\n");
}

TEST_F(UserNamespace, AttachReachesTheContainersProcess) {
  spec::ContainerSpec container =
      Mapped(absl::StrCat("while read line; do ", kWhere, "; echo got-$line; done"));
  container.stdin = true;
  const std::string id = Start(RunMapped(), container);
  const auto client = pods_->Attach(id, kPipes);
  ASSERT_TRUE(client.ok()) << client.status();
  ProcessStreams streams = (*client)->TakeStreams();
  ASSERT_TRUE(WriteAll(streams.in.get(), "line\n"));
  EXPECT_EQ(ReadUntil(streams.out.get(), "got-line\n"), absl::StrCat(kMapped, "got-line\n"));
}

TEST_F(UserNamespace, PortForwardReachesIt) {
  const std::string pod = RunMapped();
  const std::string id = Start(pod, Mapped("exec nc -ll -p 8080 -e /bin/cat"));
  const std::string listens = "until grep -q ':1F90 ' /proc/net/tcp /proc/net/tcp6; do :; done";
  ASSERT_EQ(pods_->ExecSync(id, {"/bin/sh", "-c", listens}, seconds(20))->exit_code, 0);
  const auto socket = pods_->Connect(pod, 8080);
  ASSERT_TRUE(socket.ok()) << socket.status();
  ASSERT_TRUE(WriteAll(socket->get(), "echoed"));
  EXPECT_EQ(ReadUntil(socket->get(), "echoed"), "echoed");
}

TEST_F(UserNamespace, ASeccompProfileFromAFileFiltersContainersAndCommands) {
  const std::string profile = root_ + "/profile.json";
  std::ofstream(profile) << R"({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
      {"names": ["chmod", "fchmod", "fchmodat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 13}]})";
  constexpr char kTry[] = "chmod 0700 /tmp 2>/dev/null && echo changed || echo refused";
  for (const bool no_new_privileges : {false, true}) {
    spec::ContainerSpec container = Mapped(absl::StrCat(kTry, "; exec sleep 1000"));
    container.metadata.name = container.log_path = absl::StrCat("c", no_new_privileges);
    container.security.seccomp = {spec::SecurityProfile::Type::kLocalhost, profile};
    container.security.no_new_privs = no_new_privileges;
    const std::string pod = RunMapped();
    const std::string id = Start(pod, container);
    AwaitLog(container, "refused");
    EXPECT_EQ(ExecSync(id, kTry), "refused\n");
    EXPECT_EQ(ExecSync(id, "grep ^Seccomp: /proc/self/status"), "Seccomp:\t2\n");
    ExpectMapped(id);
  }
}

TEST_F(UserNamespace, OutlivesTheDaemonAndBothBuildsOfTheSupervisor) {
  const std::string pod = RunMapped();
  spec::ContainerSpec running = Mapped("trap 'exit 42' TERM; while :; do sleep 1; done");
  const std::string id = Start(pod, running);
  spec::ContainerSpec late = Mapped(kWhere);
  late.metadata.name = late.log_path = "late";
  const std::string created = Create(pod, late);
  const std::vector<int> supervisors = Supervisors();
  Close();
  Open();
  ExpectMapped(id);
  if (BULKHEAD_STATIC_POD) {
    for (const char* build : {BULKHEAD_POD_NEXT, BULKHEAD_POD_PROGRAM}) {
      Close();
      config_.daemon.supervisor = build;
      Open();
      EXPECT_EQ(Supervisors(), supervisors);
      ExpectMapped(id);
    }
  }
  // One that was created before, and one that is made after.
  ASSERT_TRUE(pods_->StartContainer(created).ok());
  EXPECT_EQ(AwaitExit(created).exit_code, 0);
  EXPECT_THAT(LogOf(late), HasSubstr("0 262144 65536"));
  spec::ContainerSpec other = Mapped("exec sleep 1000");
  other.metadata.name = other.log_path = "other";
  ExpectMapped(Start(pod, other));
  EXPECT_TRUE(pods_->StopContainer(id, seconds(60)).ok());
  EXPECT_EQ(AwaitExit(id).exit_code, 42);
}

}  // namespace
}  // namespace bulkhead::pods
