// bulkheadctl plan, as an operator runs it: no daemon is there.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "nlohmann/json.hpp"
#include "tests/conformance/fixture/child.h"
#include "tests/conformance/fixture/files.h"

namespace bulkhead::ctl {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

// An image of a layer with busybox and a user, as an archive of docker.
constexpr char kMakeArchive[] = R"(
set -e
cd "$1"
mkdir -p layer/bin layer/etc archive
cp /usr/bin/busybox layer/bin/ 2>/dev/null || cp /bin/busybox layer/bin/
printf 'root:x:0:0::/:\nweb:x:33:34::/:\n' > layer/etc/passwd
tar -cf archive/layer.tar -C layer .
digest=$(sha256sum archive/layer.tar | cut -d' ' -f1)
printf '{"architecture":"amd64","os":"linux","config":{"User":"web","Env":["TOKEN=hush"]},
  "rootfs":{"type":"layers","diff_ids":["sha256:%s"]}}' "$digest" > archive/config.json
printf '[{"Config":"config.json","RepoTags":["demo:1"],"Layers":["layer.tar"]}]' \
  > archive/manifest.json
tar -cf archive.tar -C archive config.json manifest.json layer.tar
)";

class PlanTest : public ::testing::Test {
 protected:
  PlanTest() {
    const std::string root = folder_.path();
    fixture::WriteFile(config_, "[daemon]\nstate_dir = \"" + root + "/state\"\ndata_dir = \"" +
                                    root + "/data\"\n[handlers.hardened]\nkind = \"hardened\"\n");
    fixture::RunCommand({"sh", "-c", kMakeArchive, "sh", root});
    fixture::RunCommand(
        {BULKHEAD_CTL, "--config", config_, "image", "import", root + "/archive.tar"});
    fixture::WriteFile(
        folder_.path() / "pod.yaml",
        "metadata: {name: p, uid: u, namespace: n}\nlog_directory: " + root + "/logs\n");
  }

  // What the command prints, error and all.
  std::string Plan(const std::string& container, const std::string& options = "") {
    fixture::WriteFile(folder_.path() / "container.yaml", container);
    const std::string out = folder_.path() / "out";
    const std::string line = std::string(BULKHEAD_CTL) + " --config " + config_ + " plan " +
                             options + " " + std::string(folder_.path() / "pod.yaml") + " " +
                             std::string(folder_.path() / "container.yaml") + " >" + out + " 2>&1";
    status_ = std::system(line.c_str());
    return fixture::ReadFile(out);
  }

  fixture::ScratchDir folder_;
  const std::string config_ = folder_.path() / "config.toml";
  int status_ = 0;
};

constexpr char kContainer[] =
    "metadata: {name: c}\nimage: {image: 'demo:1'}\ncommand: [busybox]\n"
    "envs: [{key: SECRET, value: hunter2}]\n";

TEST_F(PlanTest, IsCompleteAndWithoutSecrets) {
  const std::string text = Plan(std::string(kContainer) +
                                "linux: {resources: {memory_limit_in_bytes: 1048576},\n"
                                " security_context: {seccomp: {profile_type: 0},\n"
                                "  masked_paths: [/proc/keys]}}\n");
  ASSERT_EQ(status_, 0) << text;
  EXPECT_THAT(text, Not(HasSubstr("hunter2")));
  EXPECT_THAT(text, Not(HasSubstr("hush")));
  const nlohmann::json plan = nlohmann::json::parse(text);
  const nlohmann::json& launch = plan["launch"];
  EXPECT_EQ(launch["credentials"]["uid"], 33);
  EXPECT_EQ(launch["credentials"]["no_new_privileges"], false);
  EXPECT_THAT(launch["credentials"]["bounding"], Contains("cap_chown"));
  EXPECT_THAT(launch["process"]["env"], Contains("SECRET"));
  EXPECT_GT(launch["seccomp"]["instructions"], 50);
  EXPECT_THAT(launch["late_mounts"]["masked_paths"], Contains("/proc/keys"));
  EXPECT_EQ(plan["root"]["layers"].size(), 1u);
  EXPECT_EQ(plan["cgroup"]["resources"]["memory_limit"], 1048576);
}

TEST_F(PlanTest, IsThatOfTheHandler) {
  const std::string text = Plan(kContainer, "--handler hardened");
  ASSERT_EQ(status_, 0) << text;
  const nlohmann::json plan = nlohmann::json::parse(text);
  EXPECT_EQ(plan["launch"]["credentials"]["no_new_privileges"], true);
  EXPECT_EQ(plan["pod"]["user_namespace"]["uids"][0]["host"], 0x70000000);
  EXPECT_THAT(Plan(kContainer, "--handler none"), HasSubstr("hardened"));
  EXPECT_NE(status_, 0);
}

TEST_F(PlanTest, MakesNothing) {
  const std::filesystem::path volume = folder_.path() / "not-there";
  const std::string text =
      Plan(std::string(kContainer) +
           "mounts: [{container_path: /v, host_path: " + std::string(volume) + "}]\n");
  ASSERT_EQ(status_, 0) << text;
  EXPECT_FALSE(std::filesystem::exists(volume));
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "logs"));
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "state/pods"));
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "data/containers"));
}

TEST_F(PlanTest, TellsWhatTheKubeletWouldBeTold) {
  EXPECT_THAT(Plan("metadata: {name: c}\nimage: {image: 'other:1'}\n"),
              HasSubstr("image.image \"other:1\" is not on this node"));
  EXPECT_THAT(Plan(std::string(kContainer) +
                   "linux: {security_context: {capabilities: {add_capabilities: [FLY]}}}\n"),
              HasSubstr("FLY"));
  EXPECT_THAT(Plan("metadata: [1]\n"), HasSubstr("container.yaml: "));
}

}  // namespace
}  // namespace bulkhead::ctl
