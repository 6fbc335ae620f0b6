#include "shim/ctl/ctl.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/kernel/fd.h"
#include "shim/config/print.h"

namespace bulkhead::ctl {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class CtlTest : public ::testing::Test {
 protected:
  CtlTest() {
    std::string name = ::testing::TempDir() + "bulkhead-ctl-XXXXXX";
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    root_ = name;
  }
  ~CtlTest() override { std::filesystem::remove_all(root_); }

  int Run(std::vector<std::string> arguments) {
    std::vector<const char*> argv = {"bulkheadctl"};
    for (const std::string& argument : arguments) argv.push_back(argument.c_str());
    std::ostringstream out;
    std::ostringstream error;
    const int status = ctl::Run(static_cast<int>(argv.size()), argv.data(), out, error);
    out_ = out.str();
    error_ = error.str();
    return status;
  }
  std::string Write(const std::string& name, const std::string& text) {
    std::ofstream(root_ / name) << text;
    return root_ / name;
  }

  std::filesystem::path root_;
  std::string out_;
  std::string error_;
};

TEST_F(CtlTest, PrintsTheDefaultConfiguration) {
  EXPECT_EQ(Run({"config", "default"}), 0);
  EXPECT_EQ(out_, config::DefaultToml());
}

TEST_F(CtlTest, ShowsTheConfigurationOfAllFilesUnderTheFlags) {
  const std::string file = Write("c.toml", "[daemon]\nsocket_gid = 5\nstate_dir = \"/f\"\n");
  EXPECT_EQ(Run({"--config", file, "--state-dir", "/s", "--log-verbosity", "3", "config", "show"}),
            0);
  config::Config expected;
  expected.daemon.socket_gid = 5;
  expected.daemon.state_dir = "/s";
  expected.daemon.log_verbosity = 3;
  EXPECT_EQ(out_, config::ToToml(expected));
}

TEST_F(CtlTest, TakesFlagsAfterTheCommandToo) {
  EXPECT_EQ(Run({"config", "show", "--config", Write("c.toml", ""), "--socket", "/a"}), 0);
  EXPECT_THAT(out_, HasSubstr("socket = \"/a\""));
}

TEST_F(CtlTest, ValidatesAFile) {
  const std::string good = Write("good.toml", config::DefaultToml());
  EXPECT_EQ(Run({"config", "validate", good}), 0);
  EXPECT_EQ(out_, good + " is valid\n");
  const std::string bad = Write("bad.toml", "[cni]\nconfig_dri = \"/a\"\n");
  EXPECT_EQ(Run({"config", "validate", bad}), kFailed);
  EXPECT_EQ(error_, "bulkheadctl: " + bad +
                        ":2: unknown key cni.config_dri; did you mean cni.config_dir?\n");
}

TEST_F(CtlTest, ValidatesTheConfigurationInForce) {
  std::filesystem::create_directories(root_ / "d");
  const std::string first = Write("c.toml", "[daemon]\nsocket_gid = 5\n");
  const std::string second = Write("d/1.toml", "[daemon]\nsocket_gid = 6\n");
  EXPECT_EQ(Run({"--config", first, "--config-dir", root_ / "d", "config", "validate"}), 0);
  EXPECT_EQ(out_, first + ", " + second + ": valid\n");
  EXPECT_EQ(Run({"--config", root_ / "none.toml", "config", "validate"}), kFailed);
  EXPECT_THAT(error_, HasSubstr("none.toml: No such file"));
}

TEST_F(CtlTest, NamesTheKeyOfABadFlag) {
  EXPECT_EQ(Run({"--config", Write("c.toml", ""), "--socket", "here", "config", "show"}), kFailed);
  EXPECT_EQ(error_, "bulkheadctl: daemon.socket: expected an absolute path, found \"here\"\n");
}

TEST_F(CtlTest, HasItsOwnExitStatusForAWrongCommandLine) {
  EXPECT_EQ(Run({}), kUsage);
  EXPECT_THAT(error_, HasSubstr("Usage: bulkheadctl"));
  EXPECT_EQ(Run({"image"}), kUsage);
  EXPECT_THAT(error_, HasSubstr("import"));
  EXPECT_EQ(Run({"frobnicate"}), kUsage);
  EXPECT_THAT(error_, HasSubstr("frobnicate"));
  EXPECT_EQ(Run({"image", "import"}), kUsage);
  EXPECT_EQ(Run({"log-verbosity", "11"}), kUsage);
  EXPECT_EQ(Run({"--help"}), 0);
  EXPECT_THAT(out_, HasSubstr("Usage: bulkheadctl"));
}

TEST_F(CtlTest, PrintsItsVersion) {
  EXPECT_EQ(Run({"version"}), 0);
  EXPECT_THAT(out_, StartsWith("bulkheadctl 0."));
}

TEST_F(CtlTest, SaysThatThereIsNothingToImport) {
  EXPECT_EQ(Run({"image", "import", root_ / "none.tar"}), kFailed);
  EXPECT_EQ(error_, "bulkheadctl: " + (root_ / "none.tar").string() + ": no such file or folder\n");
}

TEST_F(CtlTest, SaysThatNoDaemonAnswers) {
  const std::string socket = root_ / "none.sock";
  EXPECT_EQ(Run({"--config", Write("c.toml", ""), "--socket", socket, "log-verbosity", "2"}),
            kFailed);
  EXPECT_THAT(error_, HasSubstr("no daemon answers on " + socket));
}

TEST_F(CtlTest, SignalsNoProcessThatIsNotTheDaemon) {
  const std::string path = root_ / "s";
  const UniqueFd listener(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(listen(listener.get(), 1), 0);
  EXPECT_EQ(Run({"--config", Write("c.toml", ""), "--socket", path, "log-verbosity", "2"}),
            kFailed);
  EXPECT_THAT(error_, HasSubstr("not bulkheadd"));
}

}  // namespace
}  // namespace bulkhead::ctl
