#include "shim/config/load.h"

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "shim/config/nearest.h"
#include "shim/config/print.h"

namespace bulkhead::config {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

std::string ErrorOf(const std::string& text) {
  Config config;
  return std::string(Apply(text, "/etc/c.toml", config).message());
}

TEST(Apply, ReadsEveryKindOfValue) {
  Config config;
  const absl::Status status = Apply(R"(
      [daemon]
      socket = "/run/a.sock"
      socket_gid = 27
      drain_timeout = "1m30s"
      [cni]
      plugin_dirs = ["/a", "/b/"]
      timeout = "250ms"
      [image]
      pinned = []
      max_layer_size = "2GiB"
      [streaming]
      kill_on_disconnect = true
      address = "::1"
      tls_key = ""
      [exec]
      sync_output_limit = 4096)",
                                    "c.toml", config);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(config.daemon.socket, "/run/a.sock");
  EXPECT_EQ(config.daemon.socket_gid, 27u);
  EXPECT_EQ(config.daemon.drain_timeout, milliseconds(90'000));
  EXPECT_EQ(config.daemon.state_dir, "/run/bulkhead");
  EXPECT_THAT(config.cni.plugin_dirs, ElementsAre("/a", "/b"));
  EXPECT_EQ(config.cni.timeout, milliseconds(250));
  EXPECT_THAT(config.image.pinned, IsEmpty());
  EXPECT_EQ(config.image.max_layer_size, uint64_t{2} << 30);
  EXPECT_EQ(config.exec.sync_output_limit, 4096u);
  EXPECT_TRUE(config.streaming.kill_on_disconnect);
  EXPECT_EQ(config.streaming.address, "::1");
  EXPECT_EQ(config.streaming.tls_key, "");
}

TEST(Apply, NamesFileLineAndTheNearestKeyForAnUnknownKey) {
  EXPECT_EQ(ErrorOf("[daemon]\n\nsokcet = \"/a\"\n"),
            "/etc/c.toml:3: unknown key daemon.sokcet; did you mean daemon.socket?");
  EXPECT_EQ(ErrorOf("[deamon]\n"), "/etc/c.toml:1: unknown section deamon; did you mean daemon?");
  EXPECT_EQ(ErrorOf("[quantum_flux]\n"), "/etc/c.toml:1: unknown section quantum_flux");
  EXPECT_THAT(ErrorOf("socket = 1\n"), StartsWith("/etc/c.toml:1: unknown key socket"));
}

TEST(Apply, NamesFileLineAndKeyForASyntaxError) {
  EXPECT_THAT(ErrorOf("[daemon]\nsocket = /run/a\n"), StartsWith("/etc/c.toml:2: "));
  EXPECT_THAT(ErrorOf("[daemon]\nsocket_gid = 1\nsocket_gid = 2\n"), StartsWith("/etc/c.toml:3: "));
}

TEST(Apply, RefusesAKeyWhereASectionBelongs) {
  EXPECT_EQ(ErrorOf("daemon = 3\n"), "/etc/c.toml:1: daemon is a section, not a key");
}

TEST(Apply, RefusesAPathThatIsNotAbsoluteAndPlain) {
  EXPECT_EQ(ErrorOf("[daemon]\nstate_dir = \"run\"\n"),
            "/etc/c.toml:2: daemon.state_dir: expected an absolute path, found \"run\"");
  EXPECT_THAT(ErrorOf("[daemon]\nstate_dir = \"/a/../b\"\n"), HasSubstr("expected a path without"));
  EXPECT_THAT(ErrorOf("[daemon]\nstate_dir = \"\"\n"), HasSubstr("daemon.state_dir"));
  EXPECT_THAT(ErrorOf("[daemon]\nstate_dir = 3\n"), HasSubstr("found 3"));
  EXPECT_THAT(ErrorOf("[daemon]\nsocket = \"/" + std::string(107, 'a') + "\"\n"),
              HasSubstr("at most 107 bytes, this one has 108"));
}

TEST(Apply, RefusesWhatIsNoAddressPathOrFlag) {
  EXPECT_THAT(ErrorOf("[streaming]\naddress = \"localhost\"\n"),
              HasSubstr("streaming.address: expected an IP address, found \"localhost\""));
  EXPECT_THAT(ErrorOf("[streaming]\ntls_key = \"key.pem\"\n"),
              HasSubstr("streaming.tls_key: expected an absolute path"));
  EXPECT_THAT(ErrorOf("[streaming]\nkill_on_disconnect = 1\n"),
              HasSubstr("streaming.kill_on_disconnect: expected true or false, found 1"));
}

TEST(Apply, RefusesANumberOutOfRange) {
  EXPECT_EQ(ErrorOf("[daemon]\nlog_verbosity = 11\n"),
            "/etc/c.toml:2: daemon.log_verbosity: expected a whole number from 0 to 10, found 11");
  EXPECT_THAT(ErrorOf("[daemon]\nsocket_gid = -1\n"), HasSubstr("found -1"));
  EXPECT_THAT(ErrorOf("[daemon]\nsocket_gid = \"wheel\"\n"), HasSubstr("found \"wheel\""));
  EXPECT_THAT(ErrorOf("[daemon]\nsocket_gid = 1.5\n"), HasSubstr("daemon.socket_gid: expected"));
}

TEST(Apply, RefusesWhatIsNoDuration) {
  for (const char* value : {"\"\"", "\"10\"", "\"s\"", "\"-1s\"", "\"1s later\"", "\"0s\"",
                            "\"25h\"", "10", "true", "\"99999999999999999999h\"", "\"1x\""}) {
    EXPECT_THAT(ErrorOf(std::string("[cni]\ntimeout = ") + value),
                HasSubstr("/etc/c.toml:2: cni.timeout: expected a duration"))
        << value;
  }
}

TEST(Apply, RefusesWhatIsNoSizeOrOutOfRange) {
  for (const char* value : {"\"\"", "\"16kb\"", "\"KiB\"", "\"16 KiB\"", "-1", "1", "\"16MiB\"",
                            "\"99999999999TiB\"", "\"1KiB1B\"", "[]"}) {
    EXPECT_THAT(
        ErrorOf(std::string("[exec]\nsync_output_limit = ") + value),
        HasSubstr("/etc/c.toml:2: exec.sync_output_limit: expected a size from 1KiB to 15MiB"))
        << value;
  }
}

TEST(Apply, RefusesAListWithSomethingElseInIt) {
  EXPECT_THAT(ErrorOf("[cni]\nplugin_dirs = [\"/a\", 3]\n"),
              HasSubstr("expected a list of strings"));
  EXPECT_THAT(ErrorOf("[cni]\nplugin_dirs = []\n"), HasSubstr("is not empty, found []"));
  EXPECT_THAT(ErrorOf("[cni]\nplugin_dirs = \"/a\"\n"), HasSubstr("expected a list"));
  EXPECT_THAT(ErrorOf("[cni]\nplugin_dirs = [\"a\"]\n"), HasSubstr("absolute path, found \"a\""));
}

TEST(Apply, RefusesTheSystemdCgroupDriverWithASentence) {
  EXPECT_THAT(ErrorOf("[cgroup]\ndriver = \"none\"\n"), HasSubstr("found \"none\""));
  EXPECT_THAT(ErrorOf("[cgroup]\nsupervisors = \"a/b\"\n"), HasSubstr("without slashes"));
  EXPECT_THAT(ErrorOf("[cgroup]\ndefault_parent = \"/\"\n"), HasSubstr("below the root"));
}

TEST(Apply, ReadsHandlersOverThoseThatAreThere) {
  Config config;
  const absl::Status status = Apply(R"(
      [handlers.hardened]
      pids_limit = 512
      [handlers.my-own]
      kind = "debug"
      weaker_than_default = true)",
                                    "c.toml", config);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(config.handlers.at("hardened"), (HandlerConfig{.kind = "hardened", .pids_limit = 512}));
  EXPECT_EQ(config.handlers.at("my-own"),
            (HandlerConfig{.kind = "debug", .weaker_than_default = true}));
}

TEST(Apply, NamesWhatIsWrongWithAHandler) {
  EXPECT_EQ(ErrorOf("[handlers.a]\nkidn = \"hardened\"\n"),
            "/etc/c.toml:2: unknown key handlers.a.kidn; did you mean handlers.a.kind?");
  EXPECT_EQ(
      ErrorOf("[handlers.a]\nkind = \"gvisor\"\n"),
      "/etc/c.toml:2: handlers.a.kind: expected \"default\", \"hardened\" or \"debug\", found "
      "\"gvisor\"");
  EXPECT_THAT(ErrorOf("[handlers.A_b]\n"), HasSubstr("\"A_b\" is no name of a handler"));
  EXPECT_THAT(ErrorOf("[handlers.-a]\n"), HasSubstr("is no name of a handler"));
  EXPECT_THAT(ErrorOf("[handlers.a]\npids_limit = -1\n"), HasSubstr("handlers.a.pids_limit"));
  EXPECT_EQ(ErrorOf("handlers = 1\n"), "/etc/c.toml:1: handlers is a section, not a key");
  EXPECT_EQ(ErrorOf("[handlers]\na = 1\n"), "/etc/c.toml:2: handlers.a is a section, not a key");
}

TEST(Apply, RefusesIdsOfTheHostThatAreNoWholeRange) {
  EXPECT_THAT(ErrorOf("[isolation]\nfirst_host_id = 65537\n"),
              HasSubstr("isolation.first_host_id: expected a multiple of 65536, found 65537"));
  EXPECT_THAT(ErrorOf("[isolation]\nfirst_host_id = 0\n"), HasSubstr("from 65536 to"));
  EXPECT_THAT(ErrorOf("[isolation]\nhost_id_ranges = 0\n"), HasSubstr("host_id_ranges"));
}

TEST(Check, RefusesIdsThatEndTooHigh) {
  Config config;
  config.isolation = {.first_host_id = 0x7fff0000, .host_id_ranges = 1};
  EXPECT_TRUE(Check(config).ok());
  config.isolation.host_id_ranges = 2;
  EXPECT_THAT(std::string(Check(config).message()), HasSubstr("isolation.host_id_ranges: 2"));
}

TEST(Check, ADebugHandlerNeedsTheKeyThatSaysThatItIsWeaker) {
  Config config;
  config.handlers["dev"].kind = "debug";
  EXPECT_THAT(std::string(Check(config).message()),
              HasSubstr("needs handlers.dev.weaker_than_default = true"));
  config.handlers["dev"].weaker_than_default = true;
  EXPECT_TRUE(Check(config).ok());
  config.handlers["dev"].kind = "hardened";
  EXPECT_THAT(std::string(Check(config).message()), HasSubstr("is for kind \"debug\" only"));
}

TEST(Check, AHandlerHasAKind) {
  Config config;
  config.handlers["own"];
  EXPECT_THAT(std::string(Check(config).message()),
              HasSubstr("handlers.own.kind: expected \"default\""));
}

TEST(Apply, RefusesADate) {
  EXPECT_THAT(ErrorOf("[daemon]\nsocket = 2026-01-01\n"), HasSubstr("than date"));
}

class LoadTest : public ::testing::Test {
 protected:
  LoadTest() {
    std::string name = ::testing::TempDir() + "bulkhead-config-XXXXXX";
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    root_ = name;
    std::filesystem::create_directories(root_ / "config.d");
  }
  ~LoadTest() override { std::filesystem::remove_all(root_); }

  std::string Write(const std::string& name, const std::string& text) {
    std::ofstream(root_ / name) << text;
    return root_ / name;
  }
  absl::StatusOr<std::vector<std::string>> Find() {
    return FindFiles(root_ / "config.toml", root_ / "config.d");
  }

  std::filesystem::path root_;
};

TEST_F(LoadTest, ReadsTheFileAndThenTheDirectoryByName) {
  const std::string second = Write("config.d/20-b.toml", "[daemon]\nsocket_gid = 2\n");
  const std::string first =
      Write("config.d/10-a.toml", "[daemon]\nsocket_gid = 1\nlog_verbosity = 1\n");
  const std::string base = Write("config.toml", "[daemon]\nlog_verbosity = 9\ndata_dir = \"/d\"\n");
  Write("config.d/30-c.toml.bak", "[nonsense]");
  const auto files = Find();
  ASSERT_TRUE(files.ok()) << files.status();
  EXPECT_THAT(*files, ElementsAre(base, first, second));
  const absl::StatusOr<Config> config = Load(*files);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->daemon.socket_gid, 2u);
  EXPECT_EQ(config->daemon.log_verbosity, 1);
  EXPECT_EQ(config->daemon.data_dir, "/d");
}

TEST_F(LoadTest, IsTheDefaultWithoutAnyFile) {
  std::filesystem::remove_all(root_ / "config.d");
  EXPECT_THAT(*Find(), IsEmpty());
  EXPECT_EQ(*Load({}), Config());
}

TEST_F(LoadTest, NamesTheFileThatIsMissingOrNoFile) {
  EXPECT_TRUE(absl::IsNotFound(Load({root_ / "none.toml"}).status()));
  EXPECT_THAT(std::string(Load({root_ / "config.d"}).status().message()), HasSubstr("config.d: "));
}

TEST_F(LoadTest, NamesTheFileOfTheDirectoryThatIsWrong) {
  const std::string file = Write("config.d/10-a.toml", "[daemon]\nx = 1\n");
  EXPECT_THAT(std::string(Load(*Find()).status().message()), StartsWith(file + ":2: unknown key"));
}

TEST(ToToml, IsReadBackToTheSameConfiguration) {
  Config config;
  config.daemon.socket = "/run/\"odd\"\\\x01 ü.sock";
  config.daemon.socket_gid = 4000000000;
  config.cni.timeout = milliseconds(3'723'004);
  config.cni.plugin_dirs = {"/x"};
  config.image.pinned = {"registry.k8s.io/pause:3.10", "b"};
  config.image.max_layer_size = (uint64_t{1} << 20) + 1;
  config.isolation.seccomp_agent = "/run/agent.sock";
  config.isolation.host_id_ranges = 5;
  config.handlers["own"] = {.kind = "default", .pids_limit = 9};
  Config read;
  const absl::Status status = Apply(ToToml(config), "c", read);
  ASSERT_TRUE(status.ok()) << status << "\n" << ToToml(config);
  EXPECT_EQ(read, config);
}

TEST(ToJson, SaysTheSameAsOneObject) {
  Config config;
  config.daemon.socket = "/run/\"odd\"";
  const nlohmann::json json = nlohmann::json::parse(ToJson(config));
  EXPECT_EQ(json["daemon"]["socket"], "/run/\"odd\"");
  EXPECT_EQ(json["daemon"]["socket_gid"], 0);
  EXPECT_EQ(json["cni"]["plugin_dirs"], (nlohmann::json{"/opt/cni/bin", "/usr/lib/cni"}));
  EXPECT_EQ(json["isolation"]["seccomp_default"], false);
  EXPECT_EQ(json["handlers"]["hardened"]["kind"], "hardened");
  EXPECT_EQ(json["exec"]["sync_output_limit"], "15MiB");
}

TEST(DefaultToml, IsReadBackToTheDefaults) {
  Config changed;
  changed.daemon.socket_gid = 7;
  changed.exec.sync_output_limit = 2048;
  ASSERT_TRUE(Apply(DefaultToml(), "c", changed).ok());
  EXPECT_EQ(changed, Config());
}

TEST(DefaultToml, IsTheFileThatIsInstalled) {
  std::ifstream stream(BULKHEAD_DEFAULT_CONFIG);
  const std::string installed((std::istreambuf_iterator<char>(stream)),
                              std::istreambuf_iterator<char>());
  EXPECT_EQ(installed, DefaultToml()) << "write it with: bulkheadctl config default";
}

TEST(Nearest, FindsATypoAndNotAnotherWord) {
  EXPECT_EQ(Nearest("netns", {"netns_dir", "netn", "x"}), "netn");
  EXPECT_EQ(Nearest("sokcet", {"socket", "driver"}), "socket");
  EXPECT_EQ(Nearest("abc", {"xyz"}), "");
  EXPECT_EQ(Nearest("", {"a"}), "");
}

}  // namespace
}  // namespace bulkhead::config
