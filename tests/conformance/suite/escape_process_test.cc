// Ways out by the runtime's own process, which every container's process is at first, and by what
// it leaves to it: program, descriptors, directory, ids, capabilities.
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <set>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "tests/conformance/fixture/escape_test.h"
#include "tests/conformance/fixture/user_namespace.h"

namespace bulkhead::fixture {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr char kSecret[] = "a-secret-of-another-container";

// Few are missed, and each is looked into for long.
constexpr int kTracedRounds = 100;

// What a process has that its tracer has not.
constexpr const char* kGains[] = {
    "overwritten",
    "privileged",
    "kept",
// A supervisor's memory is the sanitizer's too, and comes along.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    "secrets",
#endif
};

bool KernelIsAtLeast(int major, int minor) {
  utsname name = {};
  int running_major = 0, running_minor = 0;
  uname(&name);
  std::istringstream release(name.release);
  char dot = 0;
  release >> running_major >> dot >> running_minor;
  return running_major > major || (running_major == major && running_minor >= minor);
}

// A number that `attack hunt` tells behind `name`.
long Counted(const std::string& output, const std::string& name) {
  const size_t at = output.find(name + " ");
  if (at == std::string::npos) throw std::runtime_error("no " + name + " in: " + output);
  return std::stol(output.substr(at + name.size() + 1));
}

class EscapeByProcess : public EscapeTest {
 protected:
  void SetUp() override {
    if (!suite().is_bulkhead()) GTEST_SKIP() << "asks for the runtime's own program";
  }

  // The programs of the supervisors that run, by digest.
  std::set<std::string> Programs() {
    std::set<std::string> digests;
    for (const auto& entry : fs::directory_iterator("/proc")) {
      std::error_code error;
      const fs::path program = fs::read_symlink(entry.path() / "exe", error);
      if (program.string().find("bulkhead-pod") == std::string::npos) continue;
      digests.insert(Digest(ReadFile(entry.path() / "exe")));
    }
    return digests;
  }

  // What an attacker found in the container `config`, into which `command` is executed again and
  // again; each must be answered, whatever with.
  std::string Hunt(const Pod& pod, v1::ContainerConfig config,
                   const std::vector<std::string>& command, int rounds = 500) {
    config.clear_command();
    for (const char* word : {"attack", "hunt", kSecret}) config.add_command(word);
    const std::string id = Start(pod, config);
    for (int i = 0; i < rounds; ++i) {
      const absl::Status answer = cri().ExecSync(id, command).status();
      EXPECT_NE(answer.code(), absl::StatusCode::kDeadlineExceeded) << answer;
    }
    return StopAndRead(id);
  }

  // As hostile as it gets without a user namespace; its commands take long to be found.
  v1::ContainerConfig Tracer() {
    auto config = Shell("");
    Security(config).mutable_capabilities()->add_add_capabilities("SYS_PTRACE");
    Security(config).mutable_apparmor()->set_profile_type(v1::SecurityProfile::Unconfined);
    v1::KeyValue& path = *config.add_envs();
    path.set_key("PATH");
    for (int i = 0; i < 200; ++i) absl::StrAppend(path.mutable_value(), "/none:");
    absl::StrAppend(path.mutable_value(), "/bin");
    return config;
  }

  v1::PodSandboxConfig SharedPodConfig() {
    auto config = PodConfig();
    config.mutable_linux()->mutable_security_context()->mutable_namespace_options()->set_pid(
        v1::POD);
    return config;
  }

  // A process was traced before it was the container's program, and was like any other of it.
  void ExpectNothingGained(const std::string& output) {
    EXPECT_GT(Counted(output, "traced"), 0) << "the tracer never had one: nothing was tried";
    for (const char* what : kGains) EXPECT_EQ(Counted(output, what), 0) << output;
  }

  void ExpectNothingReached(const std::string& output) {
    EXPECT_GT(Counted(output, "seen"), 0) << "the attacker never saw one: nothing was tried";
    for (const char* what : {"overwritten", "descriptors", "roots", "traced"}) {
      EXPECT_EQ(Counted(output, what), 0) << output;
    }
  }
};

// CVE-2019-5736: the interpreter of the executed file is the runtime's program.
TEST_F(EscapeByProcess, TheRuntimesProgramIsNotOverwrittenThroughAnExec) {
  const std::string image =
      PullWithLayer({{.path = "evil", .content = "#!/proc/self/exe\n", .mode = 0755}});
  const Pod pod = RunPod();
  const std::set<std::string> before = Programs();
  EXPECT_EQ(before.size(), 1u);
  const std::string output = Hunt(pod, OfImage(Shell(""), image), {"/evil"});
  EXPECT_GT(Counted(output, "programs"), 0) << "never opened: nothing was tried";
  EXPECT_EQ(Counted(output, "overwritten"), 0) << output;
  EXPECT_EQ(Programs(), before);
  EXPECT_EQ(OutputOf(RunPod(), Shell("echo runs")), "runs\n");
}

// CVE-2016-9962, CVE-2019-5736.
TEST_F(EscapeByProcess, AProcessThatJoinsTheContainerIsOutOfItsReach) {
  const std::string output = Hunt(RunPod(), Shell(""), {"true"});
  ExpectNothingReached(output);
  EXPECT_EQ(Counted(output, "programs"), 0) << output;
}

TEST_F(EscapeByProcess, AProcessThatJoinsIsOutOfReachOfAPodsTracer) {
  if (!HasUserNamespaces(cri())) GTEST_SKIP() << "the runtime has no user namespaces here";
  auto pod_config = PodConfig();
  *pod_config.mutable_linux()
       ->mutable_security_context()
       ->mutable_namespace_options()
       ->mutable_userns_options() = MappedUserNamespace();
  auto config = Shell("");
  Security(config).mutable_capabilities()->add_add_capabilities("ALL");
  ExpectNothingReached(Hunt(RunPod(pod_config), config, {"true"}));
}

// Who may trace whatever is in the host's user namespace reaches it, and gains nothing by that.
TEST_F(EscapeByProcess, AProcessThatJoinsHasNothingThatATracerHasNot) {
  const Pod pod = RunPod();
  auto other = Idle();
  v1::KeyValue& secret = *other.add_envs();
  secret.set_key("SECRET");
  secret.set_value(kSecret);
  Start(pod, other);
  const std::string output = Hunt(pod, Tracer(), {"true"}, kTracedRounds);
  ExpectNothingGained(output);
  EXPECT_EQ(Counted(output, "elsewhere"), 0) << output;
}

TEST_F(EscapeByProcess, AProcessThatJoinsIsConfinedLikeATracer) {
  auto config = Tracer();
  Security(config).set_no_new_privs(true);
  Security(config).mutable_seccomp()->set_profile_type(v1::SecurityProfile::RuntimeDefault);
  ExpectNothingGained(Hunt(RunPod(), config, {"true"}, kTracedRounds));
}

// The same of a container's first process where the pod shares its PID namespace.
TEST_F(EscapeByProcess, AContainerThatJoinsHasNothingThatATracerHasNot) {
  if (!KernelIsAtLeast(6, 17)) GTEST_SKIP() << "only a process in a PID namespace makes its procfs";
  const Pod pod = RunPod(SharedPodConfig());
  auto tracer = Tracer();
  Security(tracer).mutable_namespace_options()->set_pid(v1::POD);
  auto joining = tracer;
  joining.clear_command();
  joining.add_command("true");
  tracer.clear_command();
  for (const char* word : {"attack", "hunt", kSecret}) tracer.add_command(word);
  const std::string id = Start(pod, tracer);
  for (int i = 1; i <= kTracedRounds; ++i) {
    joining.mutable_metadata()->set_attempt(i);
    joining.set_log_path(absl::StrCat("joining-", i, ".log"));
    const std::string joined = Start(pod, joining);
    AwaitExit(joined);
    Must(cri().RemoveContainer(joined));
  }
  const std::string output = StopAndRead(id);
  ExpectNothingGained(output);
}

// What a hunter would see.
TEST_F(EscapeByProcess, AHunterSeesWhatAProcessHasMoreThanItself) {
  const Pod pod = RunPod(SharedPodConfig());
  auto decoy = OfImage(
      Shell(""),
      PullWithLayer({{.path = "bin/bulkhead-pod", .content = AttackProgram(), .mode = 0755}}));
  decoy.clear_command();
  for (const char* word : {"bulkhead-pod", "decoy", kSecret}) decoy.add_command(word);
  auto hunter = Tracer();
  for (auto* config : {&decoy, &hunter}) {
    Security(*config).mutable_namespace_options()->set_pid(v1::POD);
  }
  Security(decoy).mutable_capabilities()->add_add_capabilities("NET_ADMIN");
  Start(pod, decoy);
  const std::string output = Hunt(pod, hunter, {"true"}, kTracedRounds);
  for (const char* what : {"traced", "privileged", "elsewhere", "kept", "secrets"}) {
    EXPECT_GT(Counted(output, what), 0) << output;
  }
}

// CVE-2024-21626: a descriptor that was left open leads to the host's files.
TEST_F(EscapeByProcess, NoDescriptorOfTheRuntimeIsAWorkingDirectory) {
  const Pod pod = RunPod();
  for (int fd = 0; fd < 24; ++fd) {
    auto config = Shell("cat ../../../../../../.." + (outside() / "secret").string());
    config.set_working_dir(absl::StrCat("/proc/self/fd/", fd));
    EXPECT_FALSE(Try(pod, config).ok()) << fd;
    auto by_image = OfImage(config, suite().PullWith("escape-directory-" + std::to_string(fd),
                                                     {.working_dir = config.working_dir()}));
    by_image.clear_working_dir();
    by_image.mutable_metadata()->set_attempt(1);
    EXPECT_FALSE(Try(pod, by_image).ok()) << fd;
  }
}

TEST_F(EscapeByProcess, NoDescriptorOfTheRuntimeIsTheDirectoryOfAnExec) {
  const fs::path link = folder() / "volume/directory";
  fs::create_directories(link);
  auto config = Idle();
  Mount(config, folder() / "volume", "/volume");
  config.set_working_dir("/volume/directory");
  const std::string id = Start(RunPod(), config);
  EXPECT_EQ(Exec(id, "pwd"), "/volume/directory\n");
  fs::remove(link);
  for (int fd = 0; fd < 24; ++fd) {
    for (const std::string& target :
         {absl::StrCat("/proc/self/fd/", fd), absl::StrCat("/proc/thread-self/fd/", fd),
          absl::StrCat("/proc/self/fd/", fd, "/../../../.."), std::string("/proc/self/cwd"),
          std::string("/proc/1/root/proc/self/cwd")}) {
      fs::create_symlink(target, link);
      EXPECT_FALSE(cri().ExecSync(id, {"pwd"}).ok()) << target;
      fs::remove(link);
    }
  }
}

// CVE-2024-21626's third way: the program's path leads through a descriptor.
TEST_F(EscapeByProcess, NoDescriptorOfTheRuntimeLeadsToAProgramOfTheHost) {
  const std::string id = Start(RunPod(), Idle());
  for (int fd = 3; fd < 24; ++fd) {
    for (const char* rest : {"", "/../../../bin/busybox", "/bin/busybox", "/../bin/busybox"}) {
      EXPECT_FALSE(cri().ExecSync(id, {absl::StrCat("/proc/self/fd/", fd, rest), "id"}).ok())
          << fd << rest;
    }
  }
}

// CVE-2022-24769, CVE-2022-27650, CVE-2022-27652, CVE-2022-29162, CVE-2018-1000400.
TEST_F(EscapeByProcess, NoCapabilityIsInheritableOrAmbient) {
  const char kFields[] = "grep -E '^Cap(Inh|Amb)' /proc/self/status | cut -f2 | tr '\\n' ' '";
  const std::string none = "0000000000000000 0000000000000000 ";
  const Pod pod = RunPod();
  for (const int64_t user : {0, 1000}) {
    auto config = Idle();
    Security(config).mutable_run_as_user()->set_value(user);
    Security(config).mutable_capabilities()->add_add_capabilities("NET_ADMIN");
    const std::string id = Start(pod, config);
    EXPECT_EQ(Exec(id, kFields), none) << user;
    EXPECT_EQ(Exec(id, "grep -E '^Cap(Inh|Amb)' /proc/1/status | cut -f2 | tr '\\n' ' '"), none);
  }
}

// CVE-2024-40635: an id beyond 32 bits wrapped around, to the superuser's.
TEST_F(EscapeByProcess, AUserIdBeyondTheRangeIsNotTheSuperuser) {
  const Pod pod = RunPod();
  for (const int64_t id : {int64_t{1} << 32, (int64_t{1} << 32) - 1, int64_t{1} << 33, int64_t{-1},
                           int64_t{-4294967296}, INT64_MIN, INT64_MAX}) {
    auto config = Shell("id -u");
    Security(config).mutable_run_as_user()->set_value(id);
    EXPECT_FALSE(Try(pod, config).ok()) << id;
  }
  int number = 0;
  for (const char* user : {"4294967296", "4294967295", "18446744073709551616", "1000:4294967296",
                           "-1", "+0", "1000:-4294967296"}) {
    const std::string name = absl::StrCat("escape-user-", ++number);
    EXPECT_FALSE(Try(pod, OfImage(Shell("id -u"), suite().PullWith(name, {.user = user}))).ok())
        << user;
  }
  auto largest = Shell("id -u");
  Security(largest).mutable_run_as_user()->set_value(int64_t{4294967294});
  EXPECT_EQ(OutputOf(pod, largest), "4294967294\n");
}

// CVE-2023-25173, CVE-2022-2995: a set-group-ID program sheds the primary group, and with it what a
// file denies to that group.
TEST_F(EscapeByProcess, APrimaryGroupIsNotShedByASetGroupIdProgram) {
  const fs::path denied = folder() / "volume/denied";
  WriteFile(denied, "not for this group\n");
  ASSERT_EQ(chown(denied.c_str(), 0, 1000), 0);
  ASSERT_EQ(chmod(denied.c_str(), 0604), 0);
  const std::string image =
      PullWithLayer({{.path = "bin/shed", .content = AttackProgram(), .mode = 02755, .gid = 2001}});
  for (const bool strict : {false, true}) {
    auto config = OfImage(Shell("shed read /volume/denied; attack read /volume/denied"), image);
    Mount(config, folder() / "volume", "/volume");
    Security(config).mutable_run_as_user()->set_value(1000);
    if (strict) Security(config).set_supplemental_groups_policy(v1::Strict);
    EXPECT_EQ(OutputOf(RunPod(), config), "EACCES\nEACCES\n");
  }
}

// CVE-2022-4318: a line end in HOME became a line of /etc/passwd.
TEST_F(EscapeByProcess, AnEnvironmentValueAddsNoUser) {
  auto config = Shell("cat /etc/passwd; id -u evil || true");
  v1::KeyValue& home = *config.add_envs();
  home.set_key("HOME");
  home.set_value("/\nevil:x:0:0::/:/bin/sh");
  EXPECT_THAT(OutputOf(RunPod(), config), testing::Not(HasSubstr("evil")));
}

}  // namespace
}  // namespace bulkhead::fixture
