#include "shim/network/cni_config.h"

#include <fstream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/network/temporary_directory.h"

namespace bulkhead::network {
namespace {

using ::testing::HasSubstr;

constexpr char kList[] = R"({"cniVersion": "1.0.0", "name": "pods", "disableCheck": true,
    "plugins": [{"type": "bridge"}, {"type": "portmap", "capabilities": {"portMappings": true}}]})";

std::string ErrorOf(const std::string& text, const std::string& file = "/n/10-a.conflist") {
  return std::string(ParseCniConfig(text, file).status().message());
}

TEST(ParseCniConfig, ReadsAListInItsOrder) {
  const absl::StatusOr<CniNetwork> network = ParseCniConfig(kList, "10-a.conflist");
  ASSERT_TRUE(network.ok()) << network.status();
  EXPECT_EQ(network->name, "pods");
  EXPECT_EQ(network->cni_version, "1.0.0");
  EXPECT_TRUE(network->disable_check);
  ASSERT_EQ(network->plugins.size(), 2u);
  EXPECT_EQ(network->plugins[0]["type"], "bridge");
  EXPECT_FALSE(HasCapability(network->plugins[0], "portMappings"));
  EXPECT_TRUE(HasCapability(network->plugins[1], "portMappings"));
  EXPECT_FALSE(HasCapability(network->plugins[1], "bandwidth"));
}

TEST(ParseCniConfig, MakesAListOfASinglePlugin) {
  const absl::StatusOr<CniNetwork> network = ParseCniConfig(
      R"({"cniVersion": "0.3.1", "name": "one", "type": "ptp", "mtu": 1400})", "99-one.conf");
  ASSERT_TRUE(network.ok()) << network.status();
  ASSERT_EQ(network->plugins.size(), 1u);
  EXPECT_EQ(network->plugins[0]["mtu"], 1400);
  EXPECT_FALSE(network->disable_check);
}

TEST(ParseCniConfig, TakesTheNewestVersionThatBothSidesKnow) {
  const absl::StatusOr<CniNetwork> network =
      ParseCniConfig(R"({"cniVersion": "0.4.0", "cniVersions": ["0.4.0", "1.1.0", "9.0.0"],
                         "name": "n", "plugins": [{"type": "bridge"}]})",
                     "a.conflist");
  ASSERT_TRUE(network.ok()) << network.status();
  EXPECT_EQ(network->cni_version, "1.1.0");
}

TEST(ParseCniConfig, AcceptsDisableCheckAsAWord) {
  const absl::StatusOr<CniNetwork> network = ParseCniConfig(
      R"({"cniVersion": "1.0.0", "name": "n", "type": "x", "disableCheck": "true"})", "a.conf");
  ASSERT_TRUE(network.ok()) << network.status();
  EXPECT_TRUE(network->disable_check);
}

TEST(ParseCniConfig, NamesTheFileAndTheKeyAtFault) {
  EXPECT_THAT(ErrorOf("{"), HasSubstr("/n/10-a.conflist: "));
  EXPECT_THAT(ErrorOf("[]"), HasSubstr("is not a JSON object"));
  EXPECT_THAT(ErrorOf(R"({"name": "n", "plugins": [{"type": "x"}]})"),
              HasSubstr("/n/10-a.conflist: cniVersion is missing"));
  EXPECT_THAT(ErrorOf(R"({"cniVersion": "0.2.0", "name": "n", "plugins": [{"type": "x"}]})"),
              HasSubstr("cniVersion \"0.2.0\" is not one of"));
  EXPECT_THAT(ErrorOf(R"({"cniVersion": "1.0.0", "name": "a/b", "plugins": [{"type": "x"}]})"),
              HasSubstr("name is missing or has other characters"));
  EXPECT_THAT(ErrorOf(R"({"cniVersion": "1.0.0", "name": "n", "plugins": []})"),
              HasSubstr("plugins is missing or is not a list"));
  EXPECT_THAT(
      ErrorOf(R"({"cniVersion": "1.0.0", "name": "n", "plugins": [{"type": "x"}, {"a": 1}]})"),
      HasSubstr("plugins[1].type is missing"));
  EXPECT_THAT(ErrorOf(R"({"cniVersion": "1.0.0", "name": "n", "plugins": [{"type": "../x"}]})"),
              HasSubstr("plugins[0].type"));
  EXPECT_THAT(
      ErrorOf(R"({"cniVersion": "1.0.0", "name": "n", "type": "x", "disableCheck": 3})", "a.conf"),
      HasSubstr("disableCheck is neither true nor false"));
  EXPECT_THAT(ErrorOf(kList, "/n/10-a.conf"),
              HasSubstr("needs a file whose name ends in .conflist"));
}

class SelectCniConfigTest : public ::testing::Test {
 protected:
  SelectCniConfigTest() {
    directory_.Write("bin/bridge", "", 0755);
    directory_.Write("bin/portmap", "", 0755);
  }
  CniSelection Select() {
    return SelectCniConfig(directory_.path("net.d"),
                           {directory_.path("no-bin"), directory_.path("bin")});
  }

  TemporaryDirectory directory_;
};

TEST_F(SelectCniConfigTest, TakesTheFirstValidFileByName) {
  directory_.Write("net.d/20-b.conflist", kList);
  directory_.Write("net.d/10-a.conf", "{ not json");
  directory_.Write("net.d/30-c.conflist", kList);
  directory_.Write("net.d/00-notes.txt", kList);
  const CniSelection selection = Select();
  EXPECT_EQ(selection.problem, "");
  EXPECT_EQ(selection.file, directory_.path("net.d/20-b.conflist"));
  EXPECT_TRUE(selection.network.has_value());
}

TEST_F(SelectCniConfigTest, SaysThatThereIsNoConfiguration) {
  EXPECT_EQ(Select().problem, "no CNI configuration in " + directory_.path("net.d"));
  EXPECT_FALSE(Select().network.has_value());
}

TEST_F(SelectCniConfigTest, NamesEveryInvalidFile) {
  directory_.Write("net.d/10-a.conf", "{}");
  directory_.Write("net.d/20-b.json", "{ not json");
  const std::string problem = Select().problem;
  EXPECT_THAT(problem, HasSubstr("no valid CNI configuration in "));
  EXPECT_THAT(problem, HasSubstr("10-a.conf: name is missing"));
  EXPECT_THAT(problem, HasSubstr("20-b.json: "));
}

TEST_F(SelectCniConfigTest, NamesThePluginThatIsNotInstalledAndTriesNoOtherFile) {
  directory_.Write("net.d/10-a.conf", R"({"cniVersion": "1.0.0", "name": "n", "type": "calico"})");
  directory_.Write("net.d/20-b.conflist", kList);
  const std::string problem = Select().problem;
  EXPECT_THAT(problem, HasSubstr("CNI plugin \"calico\" is not installed in "));
  EXPECT_THAT(problem, HasSubstr("10-a.conf"));
}

TEST_F(SelectCniConfigTest, DoesNotCountAProgramThatMayNotBeExecuted) {
  directory_.Write("bin/bridge", "", 0644);
  directory_.Write("net.d/20-b.conflist", kList);
  EXPECT_THAT(Select().problem, HasSubstr("CNI plugin \"bridge\" is not installed"));
}

TEST(FindCniPlugin, RefusesATypeThatIsAPath) {
  EXPECT_TRUE(absl::IsInvalidArgument(FindCniPlugin("../bin/sh", {"/usr"}).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(FindCniPlugin("", {"/usr"}).status()));
}

}  // namespace
}  // namespace bulkhead::network
