// What a container's process is given: arguments, environment, user, files of its own.
#include "tests/conformance/fixture/pod_test.h"

namespace bulkhead::fixture {
namespace {

using testing::HasSubstr;

class Process : public PodTest {
 protected:
  std::string OutputOfNew(const v1::ContainerConfig& config) { return OutputOf(RunPod(), config); }

  static v1::LinuxContainerSecurityContext& SecurityOf(v1::ContainerConfig& config) {
    return *config.mutable_linux()->mutable_security_context();
  }
  static void SetEnv(v1::ContainerConfig& config, const std::string& key,
                     const std::string& value) {
    auto* variable = config.add_envs();
    variable->set_key(key);
    variable->set_value(value);
  }
  // The image "echo", whose entry point prints its arguments.
  v1::ContainerConfig EchoImage() {
    auto config = Command({});
    config.mutable_image()->set_image(
        suite().PullWith("echo", {.entrypoint = {"/bin/echo", "entry"}, .cmd = {"cmd"}}));
    return config;
  }
};

TEST_F(Process, RunsTheImagesEntryPointWithItsArguments) {
  EXPECT_EQ(OutputOfNew(EchoImage()), "entry cmd\n");
}

TEST_F(Process, ArgumentsReplaceThoseOfTheImage) {
  auto config = EchoImage();
  config.add_args("one two");
  config.add_args("three");
  EXPECT_EQ(OutputOfNew(config), "entry one two three\n");
}

TEST_F(Process, ACommandReplacesEntryPointAndArgumentsOfTheImage) {
  auto config = EchoImage();
  config.add_command("/bin/echo");
  config.add_args("own");
  EXPECT_EQ(OutputOfNew(config), "own\n");
}

TEST_F(Process, GetsTheImagesEnvironmentAndThenItsOwn) {
  auto config = Shell("echo \"$FROM_IMAGE $BOTH $OWN\"");
  config.mutable_image()->set_image(
      suite().PullWith("env", {.env = {"PATH=/bin", "FROM_IMAGE=image", "BOTH=image"}}));
  SetEnv(config, "BOTH", "own");
  SetEnv(config, "OWN", "a value = with \"quotes\"");
  EXPECT_EQ(OutputOfNew(config), "image own a value = with \"quotes\"\n");
}

TEST_F(Process, GetsAnEnvironmentOfHalfAMebibyte) {
  auto config = Shell("env | wc -c");
  for (int i = 0; i < 8; ++i) {
    SetEnv(config, "LONG" + std::to_string(i), std::string(64 * 1024, 'x'));
  }
  EXPECT_GT(std::stoi(OutputOfNew(config)), 512 * 1024);
}

TEST_F(Process, FindsItsProgramInThePathOfItsEnvironment) {
  auto config = Command({"mine"});
  SetEnv(config, "PATH", "/volume:/bin");
  WriteFile(folder() / "mine", "#!/bin/sh\necho found\n");
  std::filesystem::permissions(folder() / "mine", std::filesystem::perms(0755));
  auto* mount = config.add_mounts();
  mount->set_host_path(folder());
  mount->set_container_path("/volume");
  EXPECT_EQ(OutputOfNew(config), "found\n");
}

TEST_F(Process, StartsInTheImagesWorkingDirectory) {
  auto config = Shell("pwd");
  config.mutable_image()->set_image(suite().PullWith("workdir", {.working_dir = "/srv"}));
  EXPECT_EQ(OutputOfNew(config), "/srv\n");
}

TEST_F(Process, StartsInAWorkingDirectoryThatIsMadeWhenAbsent) {
  auto config = Shell("pwd");
  config.set_working_dir("/srv/not/yet/there");
  EXPECT_EQ(OutputOfNew(config), "/srv/not/yet/there\n");
}

TEST_F(Process, RunsAsRootByDefault) { EXPECT_EQ(OutputOfNew(Shell("id -u; id -g")), "0\n0\n"); }

TEST_F(Process, RunsAsTheUserOfTheImage) {
  auto config = Shell("id -u; id -g");
  config.mutable_image()->set_image(suite().PullWith("user", {.user = "app"}));
  EXPECT_EQ(OutputOfNew(config), "1000\n1000\n");
}

TEST_F(Process, RunsAsAUserByNumberWithTheGroupsOfTheImage) {
  auto config = Shell("id -u; id -g; id -G");
  SecurityOf(config).mutable_run_as_user()->set_value(1000);
  EXPECT_EQ(OutputOfNew(config), "1000\n1000\n1000 6 2000\n");
}

TEST_F(Process, RunsAsAUserByName) {
  auto config = Shell("id -u; id -g");
  SecurityOf(config).set_run_as_username("other");
  EXPECT_EQ(OutputOfNew(config), "1001\n1001\n");
}

TEST_F(Process, RunsAsAUserThatTheImageDoesNotKnow) {
  auto config = Shell("id -u; id -g");
  SecurityOf(config).mutable_run_as_user()->set_value(54321);
  EXPECT_EQ(OutputOfNew(config), "54321\n0\n");
}

TEST_F(Process, RunsAsAGroup) {
  auto config = Shell("id -u; id -g");
  SecurityOf(config).mutable_run_as_user()->set_value(1001);
  SecurityOf(config).mutable_run_as_group()->set_value(2000);
  EXPECT_EQ(OutputOfNew(config), "1001\n2000\n");
}

TEST_F(Process, AGroupWithoutAUserIsRefused) {
  Pod pod = RunPod();
  auto config = Shell("true");
  SecurityOf(config).mutable_run_as_group()->set_value(2000);
  EXPECT_FALSE(cri().CreateContainer(pod.id, config, pod.config).ok());
}

TEST_F(Process, AnUnknownUserNameIsRefusedWithTheName) {
  Pod pod = RunPod();
  auto config = Shell("true");
  SecurityOf(config).set_run_as_username("nobody-here");
  auto created = cri().CreateContainer(pod.id, config, pod.config);
  const auto refused = created.ok() ? cri().StartContainer(*created) : created.status();
  ASSERT_FALSE(refused.ok());
  if (!suite().is_bulkhead()) GTEST_SKIP() << "another runtime may leave the name out";
  EXPECT_THAT(std::string(refused.message()), HasSubstr("nobody-here"));
}

TEST_F(Process, GetsSupplementalGroupsBesideThoseOfTheImage) {
  auto config = Shell("id -G | tr ' ' '\\n' | sort -n | xargs");
  SecurityOf(config).mutable_run_as_user()->set_value(1000);
  SecurityOf(config).add_supplemental_groups(3000);
  SecurityOf(config).add_supplemental_groups(3001);
  EXPECT_EQ(OutputOfNew(config), "6 1000 2000 3000 3001\n");
}

TEST_F(Process, GetsOnlyTheGroupsAskedForUnderTheStrictPolicy) {
  if (!suite().is_bulkhead() && !Must(cri().Status()).features().supplemental_groups_policy()) {
    GTEST_SKIP() << "another runtime may not have the policy";
  }
  auto config = Shell("id -G | tr ' ' '\\n' | sort -n | xargs");
  SecurityOf(config).mutable_run_as_user()->set_value(1000);
  SecurityOf(config).add_supplemental_groups(3000);
  SecurityOf(config).set_supplemental_groups_policy(v1::Strict);
  EXPECT_EQ(OutputOfNew(config), "1000 3000\n");
}

TEST_F(Process, ItsUserIsTold) {
  auto config = Idle();
  SecurityOf(config).mutable_run_as_user()->set_value(1000);
  const auto user = Status(Start(RunPod(), config)).user().linux();
  EXPECT_EQ(user.uid(), 1000);
  EXPECT_EQ(user.gid(), 1000);
  EXPECT_THAT(user.supplemental_groups(), testing::Contains(2000));
}

TEST_F(Process, FindsItsHome) {
  auto config = Shell("echo $HOME");
  SecurityOf(config).mutable_run_as_user()->set_value(1000);
  EXPECT_EQ(OutputOfNew(config), "/home/app\n");
}

TEST_F(Process, HasTheUsualUmask) { EXPECT_EQ(OutputOfNew(Shell("umask")), "0022\n"); }

TEST_F(Process, GetsItsOomScoreAdjustment) {
  auto config = Shell("cat /proc/self/oom_score_adj");
  config.mutable_linux()->mutable_resources()->set_oom_score_adj(512);
  EXPECT_EQ(OutputOfNew(config), "512\n");
}

TEST_F(Process, IsThePidOneOfItsNamespace) { EXPECT_EQ(OutputOfNew(Shell("echo $$")), "1\n"); }

TEST_F(Process, ReadsTheEndOfFileFromAnInputThatWasNotAskedFor) {
  EXPECT_EQ(OutputOfNew(Shell("cat; echo end")), "end\n");
}

TEST_F(Process, HasATerminalWhenAskedFor) {
  auto config = Shell("test -t 0 && test -t 1 && test -t 2 && echo terminal");
  config.set_tty(true);
  const std::string id = Start(RunPod(), config);
  EXPECT_EQ(AwaitExit(id).exit_code(), 0);
  EXPECT_THAT(client::StreamOf(Log(id), "stdout"), HasSubstr("terminal"));
}

TEST_F(Process, HasNoTerminalOtherwise) {
  EXPECT_EQ(OutputOfNew(Shell("test -t 1 || echo none")), "none\n");
}

TEST_F(Process, SeesTheDefaultDevices) {
  const std::string script =
      "for d in null zero full random urandom tty ptmx; do test -c /dev/$d || echo no $d; done; "
      "for l in fd stdin stdout stderr; do test -L /dev/$l || echo no $l; done; "
      "test -d /dev/pts || echo no pts; test -d /dev/mqueue || echo no mqueue; "
      "head -c 4 /dev/zero | wc -c; echo x > /dev/null";
  EXPECT_EQ(OutputOfNew(Shell(script)), "4\n");
}

TEST_F(Process, GetsADeviceOfTheHost) {
  auto config = Shell("test -c /dev/given && head -c 3 /dev/given | wc -c");
  auto* device = config.add_devices();
  device->set_host_path("/dev/zero");
  device->set_container_path("/dev/given");
  device->set_permissions("rwm");
  EXPECT_EQ(OutputOfNew(config), "3\n");
}

TEST_F(Process, LeavesNoDescriptorOfTheRuntimeOpen) {
  // 0, 1, 2 and the one that ls reads the folder with.
  EXPECT_EQ(OutputOfNew(Command({"ls", "/proc/self/fd"})), "0\n1\n2\n3\n");
}

}  // namespace
}  // namespace bulkhead::fixture
