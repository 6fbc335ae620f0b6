// Small values and pure functions: ids, filters, signals, output, files, records.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <future>
#include <string>
#include <vector>

#include "runtime/kernel/fd.h"
#include "shim/pods/captured_output.h"
#include "shim/pods/cgroups.h"
#include "shim/pods/files.h"
#include "shim/pods/filter.h"
#include "shim/pods/ids.h"
#include "shim/pods/pod_files.h"
#include "shim/pods/record.h"
#include "shim/pods/signals.h"

namespace bulkhead::pods {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;

TEST(Ids, Have64HexDigitsAndDiffer) {
  EXPECT_TRUE(IsId(NewId()));
  EXPECT_NE(NewId(), NewId());
  EXPECT_FALSE(IsId("../../etc"));
}

TEST(Filter, HoldsOnlyWhenAllOfItHolds) {
  spec::PodSpec pod;
  pod.labels = {{"app", "web"}, {"tier", "front"}};
  EXPECT_TRUE(Matches(PodFilter{}, "abc", pod, PodState::kReady));
  EXPECT_TRUE(Matches({.id = "ab", .labels = {{"app", "web"}}}, "abc", pod, PodState::kReady));
  EXPECT_FALSE(Matches({.id = "b"}, "abc", pod, PodState::kReady));
  EXPECT_FALSE(Matches({.state = PodState::kNotReady}, "abc", pod, PodState::kReady));
  EXPECT_FALSE(Matches({.labels = {{"app", "db"}}}, "abc", pod, PodState::kReady));
  EXPECT_FALSE(Matches({.labels = {{"none", ""}}}, "abc", pod, PodState::kReady));
}

TEST(Filter, FindsContainersOfASandbox) {
  const spec::ContainerSpec container;
  EXPECT_TRUE(Matches({.pod_id = "p1"}, "c", "p123", container, ContainerState::kRunning));
  EXPECT_FALSE(Matches({.pod_id = "p2"}, "c", "p123", container, ContainerState::kRunning));
}

TEST(SignalNumber, ReadsNamesAndNumbers) {
  EXPECT_EQ(*SignalNumber("SIGTERM"), 15);
  EXPECT_EQ(*SignalNumber("quit"), 3);
  EXPECT_EQ(*SignalNumber("9"), 9);
  EXPECT_EQ(*SignalNumber("SIGRTMIN+3"), 37);
  EXPECT_EQ(*SignalNumber("RTMAX-1"), 63);
}

TEST(SignalNumber, RefusesWhatIsNone) {
  for (const char* name : {"", "SIG", "SIGNONE", "0", "65", "RTMIN+40", "RTMIN+x"}) {
    EXPECT_FALSE(SignalNumber(name).ok()) << name;
  }
}

TEST(CapturedOutput, KeepsBothStreamsWithinOneLimitAndSaysWhatIsCut) {
  CapturedOutput output(6);
  output.Append(CapturedOutput::Stream::kOut, "1234");
  output.Append(CapturedOutput::Stream::kErr, "5678");
  EXPECT_EQ(output.Take(CapturedOutput::Stream::kOut), "1234");
  const std::string err = output.Take(CapturedOutput::Stream::kErr);
  EXPECT_THAT(err, HasSubstr("56\n"));
  EXPECT_THAT(err, EndsWith("[output cut: 2 more bytes were written]\n"));
}

TEST(PodCgroup, IsTheKubeletsOrOneOfOurOwn) {
  spec::PodSpec pod;
  EXPECT_EQ(*PodCgroup(pod, "id", {}), "/bulkhead/id");
  pod.cgroup_parent = "/kubepods/pod1/";
  EXPECT_EQ(*PodCgroup(pod, "id", {}), "/kubepods/pod1");
  for (const char* parent : {"/kubepods/../..", "/", "kubepods-pod1.slice"}) {
    pod.cgroup_parent = parent;
    EXPECT_THAT(PodCgroup(pod, "id", {}).status().message(), HasSubstr(parent));
  }
  EXPECT_EQ(CgroupBelow("/kubepods/pod1", "id"), "/kubepods/pod1/id");
}

TEST(PodCgroup, IsASliceForTheSystemdDriver) {
  const CgroupParents slices{.unnamed = "/system/pods", .are_slices = true};
  const std::string path =
      "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1_2.slice";
  spec::PodSpec pod;
  EXPECT_EQ(*PodCgroup(pod, "id", slices), "/system.slice/system-pods.slice/system-pods-id.slice");
  pod.cgroup_parent = "kubepods-burstable-pod1_2.slice";
  EXPECT_EQ(*PodCgroup(pod, "id", slices), path);
  pod.cgroup_parent = path;
  EXPECT_EQ(*PodCgroup(pod, "id", slices), path);
  EXPECT_EQ(CgroupBelow(path, "id"), path + "/bulkhead-id.scope");
  for (const char* parent : {"/kubepods/pod1", "/other.slice/kubepods-pod1.slice", "../a.slice"}) {
    pod.cgroup_parent = parent;
    EXPECT_THAT(PodCgroup(pod, "id", slices).status().message(), HasSubstr(parent));
  }
}

TEST(CgroupClaims, EndWithTheLastPod) {
  CgroupClaims claims;
  std::vector<std::string> removed;
  const auto remove = [&](const std::string& path) {
    removed.push_back(path);
    return absl::OkStatus();
  };
  claims.Claim("p1", {"/a", "/a/b"});
  claims.Claim("p2", {"/a"});
  EXPECT_TRUE(claims.Release("p1", remove).ok());
  EXPECT_THAT(removed, ElementsAre("/a/b"));
  EXPECT_TRUE(claims.Release("p2", remove).ok());
  EXPECT_THAT(removed, ElementsAre("/a/b", "/a"));
}

TEST(CgroupClaims, TakeWhatIsMissingOrAnotherPodsButNotAStrangers) {
  CgroupClaims claims;
  claims.Claim("p1", {"/a"});
  const auto exists = [](const std::string& path) { return path != "/kubelet/new"; };
  EXPECT_THAT(claims.ClaimOurs("p2", {"/a", "/kubelet", "/kubelet/new"}, exists),
              ElementsAre("/a", "/kubelet/new"));
}

TEST(CgroupClaims, WaitForTheRemovalThatIsUnderWay) {
  CgroupClaims claims;
  claims.Claim("p1", {"/a"});
  std::atomic<bool> there = true;
  std::future<std::vector<std::string>> claimed;
  const absl::Status released = claims.Release("p1", [&](const std::string& path) {
    claimed = std::async(std::launch::async, [&claims, &there, path] {
      return claims.ClaimOurs("p2", {path}, [&there](const std::string&) { return there.load(); });
    });
    EXPECT_EQ(claimed.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
    there = false;
    return absl::OkStatus();
  });
  EXPECT_TRUE(released.ok());
  EXPECT_THAT(claimed.get(), ElementsAre("/a"));
}

TEST(PodFiles, SayTheDnsConfigurationAndThePodsName) {
  EXPECT_EQ(ResolvConf({.servers = {"10.0.0.1", "10.0.0.2"},
                        .searches = {"a.local", "b.local"},
                        .options = {"ndots:5"}}),
            "search a.local b.local\nnameserver 10.0.0.1\nnameserver 10.0.0.2\noptions ndots:5\n");
  EXPECT_THAT(Hosts("web", {"10.0.0.2"}), HasSubstr("10.0.0.2\tweb\n"));
}

PodFile FullFile() {
  PodFile file;
  file.pod = {.id = "p",
              .phase = PodPhase::kReady,
              .stopping = true,
              .created_at = 1,
              .network_namespace = "/n",
              .ips = {"10.0.0.2"},
              .cgroup = "/c",
              .made_cgroups = {"/c"},
              .reason = "r"};
  ContainerRecord container;
  container.id = "c";
  container.resources.memory_limit = 7;
  container.phase = ContainerPhase::kExited;
  container.exit_code = 137;
  container.image_config.env = {"A=b"};
  container.volume_images = {{"models:1", "sha256:9"}};
  container.seccomp_kept = true;
  container.apparmor_profile = "p";
  container.user = {.uid = 1, .gid = 2, .groups = {2, 3}, .home = "/h"};
  file.containers.push_back(container);
  return file;
}

// What a container writes can be deeper than the daemon has descriptors.
TEST(RemoveTree, TakesNoDescriptorForEachLevel) {
  constexpr int kLevels = 1000;
  std::string top = ::testing::TempDir() + "/bulkhead-tree-XXXXXX";
  ASSERT_NE(mkdtemp(top.data()), nullptr);
  UniqueFd level(open(top.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  for (int i = 0; i < kLevels; ++i) {
    ASSERT_EQ(mkdirat(level.get(), "d", 0700), 0);
    level.reset(openat(level.get(), "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    ASSERT_TRUE(level.valid());
  }
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit few = before;
  few.rlim_cur = 256;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
  const absl::Status removed = RemoveTree(top);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_TRUE(removed.ok()) << removed;
  EXPECT_NE(access(top.c_str(), F_OK), 0);
}

TEST(RemoveTree, IsDoneWhereNothingIs) {
  EXPECT_TRUE(RemoveTree(::testing::TempDir() + "/bulkhead-no-such").ok());
  EXPECT_TRUE(RemoveTree(::testing::TempDir() + "/bulkhead-no-such/file").ok());
}

TEST(Record, IsReadAsItWasWritten) {
  const std::string text = ToJson(FullFile()).dump();
  const auto read = PodFileFromJson(text);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(ToJson(*read).dump(), text);
  EXPECT_EQ(read->containers[0].resources.memory_limit, 7);
  EXPECT_TRUE(read->containers[0].seccomp_kept);
  EXPECT_EQ(read->containers[0].volume_images.at("models:1"), "sha256:9");
}

TEST(Record, OfAVersionThatKeptNeitherFiltersNorLabelsIsRead) {
  nlohmann::json json = ToJson(FullFile());
  json.at("containers").at(0).erase("seccomp_kept");
  json.at("containers").at(0).erase("volume_images");
  json.at("containers").at(0).erase("apparmor_profile");
  const auto read = PodFileFromJson(json.dump());
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_FALSE(read->containers[0].seccomp_kept);
  EXPECT_TRUE(read->containers[0].volume_images.empty());
  EXPECT_EQ(read->containers[0].apparmor_profile, "");
}

TEST(Record, IsRefusedWhenAnythingIsMissing) {
  for (const char* key : {"version", "spec", "phase", "containers", "cgroup"}) {
    nlohmann::json json = ToJson(FullFile());
    json.erase(key);
    EXPECT_EQ(PodFileFromJson(json.dump()).status().code(), absl::StatusCode::kDataLoss) << key;
  }
  EXPECT_EQ(PodFileFromJson("").status().code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace bulkhead::pods
