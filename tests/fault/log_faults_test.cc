// Log disks that hang or are full.
#include <signal.h>
#include <sys/mount.h>

#include "tests/fault/fault_test.h"
#include "tests/fault/hung_filesystem.h"

namespace bulkhead::fault {
namespace {

using fixture::Must;
using fixture::Pod;
using std::chrono::seconds;

namespace v1 = ::runtime::v1;

class LogDisk : public FaultTest {
 protected:
  // Ends in time, whatever the disk does.
  void ExpectUsable(const std::string& id) {
    EXPECT_EQ(Exec(id, "echo works"), "works\n");
    EXPECT_EQ(Status(id).state(), v1::CONTAINER_RUNNING);
    EXPECT_TRUE(cri().StopContainer(id, seconds(1)).ok());
    EXPECT_EQ(Status(id).state(), v1::CONTAINER_EXITED);
  }
  std::string VerboseInfo(const std::string& id) {
    std::string all;
    const auto response = Must(cri().ContainerStatus(id, true));
    for (const auto& [key, value] : response.info()) all += key + "=" + value + "\n";
    return all;
  }
};

TEST_F(LogDisk, ThatHangsStopsNeitherExecNorStopNorReaping) {
  HungFilesystem disk(folder() / "hung");
  auto config = PodConfig();
  config.set_log_directory(folder() / "hung");
  Pod pod = RunPod(config);
  const std::string id = Start(pod, Shell("while :; do echo some line of a log; done"));
  const std::string ends = Start(pod, Shell("trap 'echo the last; exit 5' TERM; "
                                            "while :; do sleep 1000 & wait; done"));
  Await([&] { return disk.written() > 1000; }, "the first lines");
  disk.Hang();
  // One that ends by itself is reaped, its exit code kept.
  cri().ExecSync(ends, {"kill", "-TERM", "1"}).IgnoreError();
  EXPECT_EQ(AwaitExit(ends).exit_code(), 5);
  EXPECT_THAT(VerboseInfo(ends), testing::ContainsRegex("logUnfinished[^a-z]*true"));
  EXPECT_THAT(fixture::ReadFile(daemon().log()), testing::HasSubstr("with an unfinished log"));
  ExpectUsable(id);
  // A new container of the same pod must not wait for the old one's disk.
  auto other = Shell("exit 3");
  other.clear_log_path();
  EXPECT_EQ(RunToEnd(pod, other).exit_code(), 3);
  EXPECT_TRUE(cri().StopPodSandbox(pod.id).ok());
  EXPECT_TRUE(cri().RemovePodSandbox(pod.id).ok());
}

TEST_F(LogDisk, ThatHangsDoesNotHoldUpOtherPods) {
  HungFilesystem disk(folder() / "hung");
  auto config = PodConfig();
  config.set_log_directory(folder() / "hung");
  Start(RunPod(config), Shell("while :; do echo some line of a log; done"));
  Await([&] { return disk.written() > 1000; }, "the first lines");
  disk.Hang();
  EXPECT_EQ(OutputOf(RunPod(), Shell("echo other")), "other\n");
  RemoveAllPods();
}

TEST_F(LogDisk, ThatIsFullStopsNothingAndWhatIsLostIsCounted) {
  const auto disk = folder() / "full";
  std::filesystem::create_directories(disk);
  ASSERT_EQ(mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=64k"), 0);
  auto config = PodConfig();
  config.set_log_directory(disk);
  Pod pod = RunPod(config);
  const std::string id = Start(pod, Shell("probe lines 10000 100; echo 1 > /tmp/done; "
                                          "while :; do sleep 1; done"));
  // The container is not held up by its log.
  Await(
      [&] {
        return cri().ExecSync(id, {"test", "-e", "/tmp/done"})->exit_code == 0;
      },
      "the container's own progress");
  EXPECT_THAT(VerboseInfo(id), testing::ContainsRegex("logLinesLost[^0-9]*[1-9]"));
  EXPECT_THAT(fixture::ReadFile(daemon().log()), testing::HasSubstr("log begins to lose lines"));
  ExpectUsable(id);
  Must(cri().StopPodSandbox(pod.id));
  Must(cri().RemovePodSandbox(pod.id));
  umount2(disk.c_str(), MNT_DETACH);
}

}  // namespace
}  // namespace bulkhead::fault
