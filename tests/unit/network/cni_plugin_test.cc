#include "shim/network/cni_plugin.h"

#include <filesystem>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/network/temporary_directory.h"

namespace bulkhead::network {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

TEST(MakePluginConfig, GivesAPluginOnlyTheCapabilitiesThatItDeclared) {
  const CniNetwork network = {.name = "pods", .cni_version = "1.0.0"};
  const json plugin = json::parse(
      R"({"type": "portmap", "snat": true, "capabilities": {"portMappings": true, "mac": false}})");
  const json config = MakePluginConfig(
      network, plugin, json::parse(R"({"portMappings": [1], "mac": "x", "ips": ["y"]})"),
      json::parse(R"({"ips": []})"));
  EXPECT_EQ(config, json::parse(R"({"type": "portmap", "snat": true, "name": "pods",
      "cniVersion": "1.0.0", "runtimeConfig": {"portMappings": [1]}, "prevResult": {"ips": []}})"));
}

TEST(MakePluginConfig, TakesNoRuntimeConfigFromTheFile) {
  const json plugin =
      json::parse(R"({"type": "x", "runtimeConfig": "mine", "capabilities": {"mac": true}})");
  const json config = MakePluginConfig({.name = "n", .cni_version = "1.0.0"}, plugin,
                                       json::parse(R"({"mac": "m"})"), json());
  EXPECT_EQ(config["runtimeConfig"], json::parse(R"({"mac": "m"})"));
}

TEST(MakePluginConfig, HasNoPreviousResultForTheFirstPlugin) {
  const json config = MakePluginConfig({.name = "n", .cni_version = "0.3.1"}, {{"type", "bridge"}},
                                       json::object(), json());
  EXPECT_FALSE(config.contains("prevResult"));
  EXPECT_FALSE(config.contains("runtimeConfig"));
}

TEST(CniFailure, TellsThePluginsErrorObjectInASentence) {
  const absl::Status status = CniFailure(
      "ADD", "bridge", "exit status 1",
      R"({"cniVersion": "1.0.0", "code": 7, "msg": "no range", "details": "set one"})", "ignored");
  EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
  EXPECT_EQ(status.message(), "CNI plugin \"bridge\" failed on ADD with code 7: no range: set one");
}

TEST(CniFailure, IsUnavailableWhenThePluginAsksToTryAgain) {
  EXPECT_TRUE(absl::IsUnavailable(
      CniFailure("ADD", "x", "exit status 1", R"({"code": 11, "msg": "starting"})", "")));
}

TEST(CniFailure, QuotesTheEndOfStandardErrorWhenThereIsNoErrorObject) {
  const absl::Status status = CniFailure("DEL", "x", "signal 11", "", "first\nlast\n");
  EXPECT_EQ(status.message(), "CNI plugin \"x\" failed on DEL with signal 11: first last");
  const absl::Status flood =
      CniFailure("DEL", "x", "signal 11", "[]", std::string(9999, 'e') + "!");
  EXPECT_LT(flood.message().size(), 700u);
  EXPECT_EQ(flood.message().back(), '!');
}

class RunCniPluginTest : public ::testing::Test {
 protected:
  absl::StatusOr<std::string> Run(const std::string& script) {
    directory_.Write("probe", "#!/bin/sh\n" + script, 0755);
    return RunCniPlugin("ADD", {"pod1", "/run/netns/pod1", "eth0", "A=1;B=2"},
                        {{"type", "probe"}, {"name", "n"}},
                        {.plugin_dirs = {"/nowhere", directory_.path("")}});
  }

  TemporaryDirectory directory_;
};

TEST_F(RunCniPluginTest, PassesTheConfigurationOnInputAndTheRestInAMinimalEnvironment) {
  setenv("REGISTRY_PASSWORD", "hunter2", 1);
  const absl::StatusOr<std::string> output = Run("cat; echo; /usr/bin/env | sort");
  ASSERT_TRUE(output.ok()) << output.status();
  EXPECT_THAT(*output, HasSubstr("{\"name\":\"n\",\"type\":\"probe\"}\nCNI_ARGS=A=1;B=2\n"
                                 "CNI_COMMAND=ADD\nCNI_CONTAINERID=pod1\nCNI_IFNAME=eth0\n"
                                 "CNI_NETNS=/run/netns/pod1\nCNI_PATH=/nowhere:"));
  EXPECT_THAT(*output, HasSubstr("\nPATH=/usr/local/sbin:"));
  EXPECT_THAT(*output, ::testing::Not(HasSubstr("hunter2")));
}

TEST_F(RunCniPluginTest, ReportsAPluginThatFails) {
  const absl::Status status = Run("echo '{\"code\": 100, \"msg\": \"broken\"}'; exit 1").status();
  EXPECT_EQ(status.message(), "CNI plugin \"probe\" failed on ADD with code 100: broken");
  EXPECT_THAT(std::string(Run("echo oops >&2; exit 3").status().message()),
              HasSubstr("exit status 3: oops"));
  EXPECT_THAT(std::string(Run("kill -9 $$").status().message()), HasSubstr("signal 9"));
}

TEST_F(RunCniPluginTest, ReportsAPluginThatIsNotInstalled) {
  std::filesystem::remove(directory_.path("probe"));
  const absl::Status status =
      RunCniPlugin("DEL", {}, {{"type", "probe"}}, {.plugin_dirs = {directory_.path("")}}).status();
  EXPECT_TRUE(absl::IsNotFound(status)) << status;
}

}  // namespace
}  // namespace bulkhead::network
