// Logs as a real supervisor writes them, on disks that behave and on others.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <random>

#include "tests/kernel/supervisor/hanging_filesystem.h"
#include "tests/kernel/supervisor/test_supervisor.h"

namespace bulkhead::supervisor {
namespace {

using testing::HasSubstr;

std::string Sequence(int last) {
  std::string lines;
  for (int i = 1; i <= last; ++i) lines += std::to_string(i) + "\n";
  return lines;
}

class LogTest : public SupervisorTest {
 protected:
  // A container that says its log is at `path`.
  TestContainer ShellWithLog(const std::string& id, const std::string& script,
                             const std::string& path) {
    TestContainer container = Shell(id, script);
    container.launch_fds[container.launch.streams().log().index()] = OpenLog(path);
    return container;
  }

  // Runs `script` in the container and gives its exit code.
  int ExecCode(const std::string& id, const std::string& script) {
    const UniqueFd output = OpenLog("/dev/null");
    const auto exec = Exec(id, {"sh", "-c", script}, output);
    if (!exec.ok()) return -1;
    const auto exit = AwaitExecExit(exec->exec_id());
    return exit.ok() ? exit->code() : -2;
  }
};

// A tmpfs of one MiB.
class SmallDisk {
 public:
  explicit SmallDisk(std::string path) : path_(std::move(path)) {
    EXPECT_EQ(mount("tmpfs", path_.c_str(), "tmpfs", 0, "size=1m"), 0) << strerror(errno);
  }
  ~SmallDisk() { EXPECT_EQ(umount2(path_.c_str(), MNT_DETACH), 0); }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  std::string filler() const { return path_ + "/filler"; }
  // Leaves no room for another page.
  void Fill() const {
    const UniqueFd file(open(filler().c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    const std::string page(4096, 'f');
    while (write(file.get(), page.data(), page.size()) > 0) {
    }
  }
  void Free() const { EXPECT_EQ(unlink(filler().c_str()), 0); }

 private:
  std::string path_;
};

TEST_F(LogTest, HasEveryByteOfBinaryOutput) {
  std::mt19937 random(11);
  std::string bytes(1 << 20, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  std::ofstream(layer_ + "/data/blob", std::ios::binary) << bytes;
  SetUpPod();
  ASSERT_TRUE(Run(Container("c1", {"cat", "/data/blob"})).ok());
  ASSERT_TRUE(AwaitExit("c1").ok());
  EXPECT_TRUE(PayloadOf(ReadAll(LogPath("c1"))) == bytes);
}

TEST_F(LogTest, HasEveryLineWhenReopenedUnderLoad) {
  constexpr int kLines = 2'000'000;
  SetUpPod();
  ASSERT_TRUE(Run(Container("c1", {"/bin/busybox", "seq", "1", std::to_string(kLines)})).ok());
  std::vector<std::string> files = {LogPath("c1")};
  for (int i = 0; i < 10; ++i) {
    AwaitContent(files.back());
    files.push_back(PathOf("rotated" + std::to_string(i)));
    ASSERT_TRUE(ReopenLog("c1", OpenLog(files.back())).ok());
  }
  // An emulated machine takes its time.
  ASSERT_TRUE(AwaitExit("c1", std::chrono::seconds(90)).ok());
  std::string payload;
  int used = 0;
  for (const std::string& file : files) {
    const std::string part = PayloadOf(ReadAll(file));
    used += !part.empty();
    payload += part;
  }
  EXPECT_TRUE(payload == Sequence(kLines));
  EXPECT_GT(used, 1);
}

TEST_F(LogTest, AnswersReopeningOnceTheNewFileIsUsed) {
  SetUpPod();
  ASSERT_TRUE(Run(Shell("c1", "while read line; do :; done; sleep 1000")).ok());
  ASSERT_TRUE(Run(Container("c2", {"sleep", "1000"})).ok());
  ASSERT_TRUE(ReopenLog("c1", OpenLog(PathOf("new"))).ok());
  EXPECT_EQ(ReopenLog("nobody", OpenLog(PathOf("new"))).code(), absl::StatusCode::kNotFound);
}

TEST_F(LogTest, ReadsAndDropsOutputWithoutALogPath) {
  SetUpPod();
  TestContainer container = Shell("c1", "/bin/busybox seq 1 200000; exit 4");
  container.launch.mutable_streams()->clear_log();
  ASSERT_TRUE(Run(std::move(container)).ok());
  EXPECT_EQ(AwaitExit("c1")->code(), 4);
}

TEST_F(LogTest, GoesOnAfterAFullDiskWithWholeLines) {
  const SmallDisk disk(dir_.Make("disk"));
  SetUpPod();
  const std::string script =
      "/bin/busybox mkfifo /tmp/a /tmp/b; echo first; read x < /tmp/a;"
      "/bin/busybox seq 1 20000; read x < /tmp/b; echo last; exit 6";
  ASSERT_TRUE(Run(ShellWithLog("c1", script, PathOf("disk/log"))).ok());
  AwaitContent(PathOf("disk/log"));
  disk.Fill();
  // Exec works all the while.
  ASSERT_EQ(ExecCode("c1", "until test -p /tmp/b; do :; done; echo > /tmp/a"), 0);
  const auto loss = AwaitLoss("c1");
  ASSERT_TRUE(loss.ok()) << loss.status();
  EXPECT_EQ(loss->error_number(), ENOSPC);
  disk.Free();
  // The container's end can be quicker than the shell's.
  EXPECT_THAT(ExecCode("c1", "echo > /tmp/b"), testing::AnyOf(0, 128 + SIGKILL));
  const auto exit = AwaitExit("c1");
  ASSERT_TRUE(exit.ok()) << exit.status();
  EXPECT_EQ(exit->code(), 6);
  const std::string payload = PayloadOf(ReadAll(PathOf("disk/log")));
  EXPECT_THAT(payload.substr(0, 6), "first\n");
  EXPECT_THAT(payload, HasSubstr("\nlast\n"));
  // Every line is whole: it is what the container wrote, or absent and counted.
  Reconnect();
  const uint64_t lines = std::count(payload.begin(), payload.end(), '\n');
  EXPECT_EQ(client_->hello().containers(0).log_loss().lines() + lines, 20'002u);
  EXPECT_GT(client_->hello().containers(0).log_loss().lines(), 0u);
}

TEST_F(LogTest, AHungDiskStopsNeitherExecNorStoppingNorReaping) {
  SetUpPod();
  const std::string mount_point = dir_.Make("hung");
  auto disk = std::make_unique<HangingFilesystem>(mount_point);
  ASSERT_TRUE(Run(ShellWithLog("c1", "echo lost; sleep 1000", disk->log_path())).ok());
  ASSERT_TRUE(Run(Container("c2", {"sleep", "1000"})).ok());
  disk->AwaitWrite();
  EXPECT_EQ(ExecCode("c1", "exit 3"), 3);
  const auto begin = std::chrono::steady_clock::now();
  ASSERT_TRUE(Signal("c1", SIGKILL).ok());
  const auto exit = AwaitExit("c1");
  ASSERT_TRUE(exit.ok()) << exit.status();
  EXPECT_EQ(exit->code(), 137);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(6));
  // What is not in its log cannot be counted, but is told.
  Reconnect();
  EXPECT_TRUE(client_->hello().containers(0).log_loss().unfinished());
  EXPECT_TRUE(Remove("c1").ok());
  // A container made while the disk hangs runs, too.
  ASSERT_TRUE(Run(Shell("c3", "exit 5")).ok());
  EXPECT_EQ(AwaitExit("c3")->code(), 5);
  const absl::Status status = Reexec(BULKHEAD_POD);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("hangs"));
  EXPECT_EQ(ExecCode("c2", "exit 9"), 9);
  ASSERT_TRUE(Signal("c2", SIGKILL).ok());
  ASSERT_TRUE(AwaitExit("c2").ok());
  Request request;
  request.mutable_shutdown();
  EXPECT_TRUE(Call(request).ok());
  // FUSE's writes cannot be killed, so the thread's end waits for the disk's.
  disk.reset();
  EXPECT_EQ(AwaitSupervisorEnd(), 0);
}

TEST_F(LogTest, ADiskThatHungGoesOnWithTheRest) {
  SetUpPod();
  const std::string mount_point = dir_.Make("hung");
  {
    HangingFilesystem disk(mount_point);
    ASSERT_TRUE(Run(ShellWithLog("c1", "echo lost; sleep 1000", disk.log_path())).ok());
    disk.AwaitWrite();
    ASSERT_TRUE(Run(Shell("c2", "/bin/busybox seq 1 1000")).ok());
  }
  const auto loss = AwaitLoss("c1");
  ASSERT_TRUE(loss.ok()) << loss.status();
  EXPECT_EQ(loss->lines(), 1u);
  ASSERT_TRUE(AwaitExit("c2").ok());
  EXPECT_EQ(PayloadOf(ReadAll(LogPath("c2"))), Sequence(1000));
}

TEST_F(LogTest, ABackgroundProcessThatHoldsThePipesDoesNotHoldTheExit) {
  plan::PodPlan pod = isolation::MakePodPlan();
  pod.set_shared_pid_namespace(true);
  SetUpPod(pod);
  TestContainer container = Shell("c1", "sleep 1000 & echo done; exit 8");
  container.launch.mutable_namespaces()->set_pid(plan::NamespacesPlan::POD);
  ASSERT_TRUE(Run(std::move(container)).ok());
  const auto exit = AwaitExit("c1", std::chrono::milliseconds(1500));
  ASSERT_TRUE(exit.ok()) << exit.status();
  EXPECT_EQ(exit->code(), 8);
  EXPECT_EQ(PayloadOf(ReadAll(LogPath("c1"))), "done\n");
  Request request;
  request.mutable_shutdown();
  ASSERT_TRUE(Call(request).ok());
  EXPECT_EQ(AwaitSupervisorEnd(), 0);
}

}  // namespace
}  // namespace bulkhead::supervisor
