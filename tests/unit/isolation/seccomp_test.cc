#include "runtime/isolation/seccomp.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cerrno>
#include <filesystem>
#include <fstream>

#include "runtime/isolation/capabilities.h"
#include "runtime/isolation/seccomp_evaluate.h"

namespace bulkhead::isolation {
namespace {

constexpr uint32_t kRefused = SECCOMP_RET_ERRNO | EPERM;
constexpr uint32_t kUnknown = SECCOMP_RET_ERRNO | ENOSYS;

class BuiltInProfile : public testing::Test {
 protected:
  explicit BuiltInProfile(spec::SecurityProfile::Type type) : type_(type) {}

  // The verdict on a call for a container with these capabilities.
  uint32_t Verdict(long call, std::initializer_list<uint64_t> args = {},
                   uint64_t capabilities = DefaultCapabilities(),
                   uint32_t architecture = AUDIT_ARCH_X86_64) {
    spec::SecurityContext security;
    security.seccomp.type = type_;
    absl::StatusOr<CompiledSeccomp> compiled = compiler_.Plan(security, capabilities);
    EXPECT_TRUE(compiled.ok()) << compiled.status();
    seccomp_data data = {};
    data.nr = static_cast<int>(call);
    data.arch = architecture;
    size_t i = 0;
    for (const uint64_t arg : args) data.args[i++] = arg;
    const std::optional<uint32_t> verdict = EvaluateFilter(compiled->plan.program(), data);
    EXPECT_TRUE(verdict.has_value());
    return verdict.value_or(0);
  }

  const spec::SecurityProfile::Type type_;
  SeccompCompiler compiler_;
};

class DefaultProfile : public BuiltInProfile {
 protected:
  DefaultProfile() : BuiltInProfile(spec::SecurityProfile::Type::kRuntimeDefault) {}
};

TEST_F(DefaultProfile, AllowsEverydayCalls) {
  for (const long call : {SYS_read, SYS_write, SYS_execve, SYS_openat, SYS_futex, SYS_epoll_wait,
                          SYS_accept4, SYS_capset, SYS_setresuid, SYS_prctl, SYS_exit_group}) {
    EXPECT_EQ(Verdict(call), SECCOMP_RET_ALLOW) << call;
  }
}

TEST_F(DefaultProfile, RefusesWhatReachesTheHost) {
  for (const long call : {SYS_mount,
                          SYS_umount2,
                          SYS_pivot_root,
                          SYS_bpf,
                          SYS_init_module,
                          SYS_finit_module,
                          SYS_kexec_load,
                          SYS_reboot,
                          SYS_keyctl,
                          SYS_add_key,
                          SYS_open_by_handle_at,
                          SYS_perf_event_open,
                          SYS_userfaultfd,
                          SYS_swapon,
                          SYS_settimeofday,
                          SYS_unshare,
                          SYS_setns,
                          SYS_io_uring_setup,
                          SYS_iopl,
                          SYS_move_mount,
                          SYS_fsopen,
                          SYS_syslog,
                          SYS_sethostname}) {
    EXPECT_EQ(Verdict(call), kRefused) << call;
  }
}

TEST_F(DefaultProfile, ACallNewerThanItsListsIsUnknown) { EXPECT_EQ(Verdict(4000), kUnknown); }

TEST_F(DefaultProfile, CloneMakesThreadsAndProcessesButNoNamespaces) {
  EXPECT_EQ(Verdict(SYS_clone, {CLONE_VM | CLONE_THREAD | CLONE_SIGHAND}), SECCOMP_RET_ALLOW);
  EXPECT_EQ(Verdict(SYS_fork), SECCOMP_RET_ALLOW);
  for (const uint64_t flag : {CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWIPC,
                              CLONE_NEWUTS, CLONE_NEWCGROUP}) {
    EXPECT_NE(Verdict(SYS_clone, {flag | CLONE_VM}), SECCOMP_RET_ALLOW) << flag;
  }
}

TEST_F(DefaultProfile, Clone3IsUnknownSoThatLibcFallsBack) {
  EXPECT_EQ(Verdict(SYS_clone3), kUnknown);
}

TEST_F(DefaultProfile, ACapabilityBringsItsCalls) {
  const uint64_t admin = DefaultCapabilities() | uint64_t{1} << CAP_SYS_ADMIN;
  for (const long call : {SYS_mount, SYS_unshare, SYS_setns, SYS_clone3, SYS_bpf}) {
    EXPECT_EQ(Verdict(call, {}, admin), SECCOMP_RET_ALLOW) << call;
  }
  EXPECT_EQ(Verdict(SYS_clone, {CLONE_NEWNS}, admin), SECCOMP_RET_ALLOW);
  EXPECT_EQ(Verdict(SYS_settimeofday, {}, admin), kRefused);
  EXPECT_EQ(Verdict(SYS_chroot, {}, 0), kRefused);
  EXPECT_EQ(Verdict(SYS_chroot), SECCOMP_RET_ALLOW);
  EXPECT_EQ(Verdict(SYS_settimeofday, {}, uint64_t{1} << CAP_SYS_TIME), SECCOMP_RET_ALLOW);
}

TEST_F(DefaultProfile, SocketsOfTheMachineBelowAreNotMade) {
  EXPECT_EQ(Verdict(SYS_socket, {AF_INET}), SECCOMP_RET_ALLOW);
  EXPECT_EQ(Verdict(SYS_socket, {AF_UNIX}), SECCOMP_RET_ALLOW);
  EXPECT_NE(Verdict(SYS_socket, {AF_VSOCK}), SECCOMP_RET_ALLOW);
}

TEST_F(DefaultProfile, PersonalitiesThatWeakenAreRefused) {
  EXPECT_EQ(Verdict(SYS_personality, {0}), SECCOMP_RET_ALLOW);
  EXPECT_NE(Verdict(SYS_personality, {0x0040000}), SECCOMP_RET_ALLOW);  // ADDR_NO_RANDOMIZE.
}

TEST_F(DefaultProfile, ThirtyTwoBitProgramsAreUnderTheSameRules) {
  EXPECT_EQ(Verdict(3, {}, DefaultCapabilities(), AUDIT_ARCH_I386), SECCOMP_RET_ALLOW);  // read
  EXPECT_EQ(Verdict(21, {}, DefaultCapabilities(), AUDIT_ARCH_I386), kRefused);          // mount
  EXPECT_NE(Verdict(3, {}, DefaultCapabilities(), AUDIT_ARCH_ARM), SECCOMP_RET_ALLOW);
}

class StrictProfile : public BuiltInProfile {
 protected:
  StrictProfile() : BuiltInProfile(spec::SecurityProfile::Type::kRuntimeStrict) {}
};

TEST_F(StrictProfile, AllowsEverydayCalls) {
  for (const long call : {SYS_read, SYS_write, SYS_execve, SYS_openat, SYS_futex, SYS_epoll_wait,
                          SYS_accept4, SYS_capset, SYS_setresuid, SYS_prctl, SYS_exit_group}) {
    EXPECT_EQ(Verdict(call), SECCOMP_RET_ALLOW) << call;
  }
  EXPECT_EQ(Verdict(SYS_clone, {CLONE_VM | CLONE_THREAD | CLONE_SIGHAND}), SECCOMP_RET_ALLOW);
}

TEST_F(StrictProfile, RefusesWhatWidensTheSurfaceWhateverTheCapabilities) {
  for (const uint64_t capabilities : {DefaultCapabilities(), ~uint64_t{0}}) {
    for (const long call : {SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register, SYS_bpf,
                            SYS_perf_event_open, SYS_keyctl, SYS_add_key, SYS_request_key,
                            SYS_userfaultfd, SYS_unshare, SYS_setns, SYS_mount}) {
      EXPECT_EQ(Verdict(call, {}, capabilities), kRefused) << call;
    }
    EXPECT_EQ(Verdict(SYS_clone3, {}, capabilities), kUnknown);
    EXPECT_NE(Verdict(SYS_clone, {CLONE_NEWUSER}, capabilities), SECCOMP_RET_ALLOW);
    EXPECT_NE(Verdict(SYS_clone, {CLONE_NEWNS}, capabilities), SECCOMP_RET_ALLOW);
  }
}

TEST_F(StrictProfile, SocketsAreOfTheEverydayFamilies) {
  for (const uint64_t family : {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK}) {
    EXPECT_EQ(Verdict(SYS_socket, {family}), SECCOMP_RET_ALLOW) << family;
  }
  for (const uint64_t family : {AF_VSOCK, AF_ALG, AF_PACKET, AF_BLUETOOTH, AF_RDS}) {
    EXPECT_NE(Verdict(SYS_socket, {family}), SECCOMP_RET_ALLOW) << family;
  }
}

TEST_F(StrictProfile, OtherArchitecturesAreKilled) {
  EXPECT_EQ(Verdict(3, {}, DefaultCapabilities(), AUDIT_ARCH_I386), SECCOMP_RET_KILL_PROCESS);
}

class LoggedProfile : public BuiltInProfile {
 protected:
  LoggedProfile() : BuiltInProfile(spec::SecurityProfile::Type::kRuntimeLogged) {}
};

TEST_F(LoggedProfile, LogsWhatTheDefaultOneRefuses) {
  EXPECT_EQ(Verdict(SYS_read), SECCOMP_RET_ALLOW);
  for (const long call : {SYS_mount, SYS_bpf, SYS_io_uring_setup, SYS_clone3}) {
    EXPECT_EQ(Verdict(call), SECCOMP_RET_LOG) << call;
  }
  EXPECT_EQ(Verdict(SYS_socket, {AF_VSOCK}), SECCOMP_RET_LOG);
  EXPECT_EQ(Verdict(4000), SECCOMP_RET_LOG);
}

TEST(SeccompCompiler, UnsetUnconfinedAndPrivilegedAreNoFilter) {
  spec::SecurityContext security;
  EXPECT_TRUE(SeccompCompiler().Plan(security, 0)->plan.program().empty());
  security.seccomp.type = spec::SecurityProfile::Type::kUnconfined;
  EXPECT_TRUE(SeccompCompiler().Plan(security, 0)->plan.program().empty());
  security.seccomp.type = spec::SecurityProfile::Type::kRuntimeDefault;
  security.privileged = true;
  EXPECT_TRUE(SeccompCompiler().Plan(security, 0)->plan.program().empty());
}

class LocalhostProfile : public testing::Test {
 protected:
  LocalhostProfile() { security_.seccomp = {spec::SecurityProfile::Type::kLocalhost, path_}; }
  ~LocalhostProfile() override { std::filesystem::remove_all(directory_); }

  void Write(const std::string& text) { std::ofstream(path_) << text; }
  std::string ReadFault() {
    const auto text = ReadLocalhostProfile(security_);
    EXPECT_TRUE(absl::IsInvalidArgument(text.status())) << text.status();
    EXPECT_THAT(std::string(text.status().message()), testing::HasSubstr(path_));
    return std::string(text.status().message());
  }

  const std::string directory_ = [] {
    std::string name = testing::TempDir() + "/seccomp-XXXXXX";
    return std::string(mkdtemp(name.data()));
  }();
  const std::string path_ = directory_ + "/a.json";
  spec::SecurityContext security_;
  SeccompCompiler compiler_;
};

constexpr char kRefuseMount[] = R"({"defaultAction": "SCMP_ACT_ALLOW", "syscalls":
    [{"names": ["mount", "not_a_call"], "action": "SCMP_ACT_ERRNO"}]})";

TEST_F(LocalhostProfile, IsReadFromItsFile) {
  Write(kRefuseMount);
  EXPECT_EQ(*ReadLocalhostProfile(security_), kRefuseMount);
}

TEST_F(LocalhostProfile, NoFileIsReadForOtherProfilesAndPrivilegedContainers) {
  security_.privileged = true;
  EXPECT_EQ(*ReadLocalhostProfile(security_), "");
  EXPECT_TRUE(compiler_.Plan(security_, 0)->plan.program().empty());
  security_.privileged = false;
  security_.seccomp.type = spec::SecurityProfile::Type::kRuntimeDefault;
  EXPECT_EQ(*ReadLocalhostProfile(security_), "");
}

TEST_F(LocalhostProfile, AFileThatCannotBeReadIsNamedWithTheReason) {
  EXPECT_THAT(ReadFault(), testing::HasSubstr("No such file"));
  std::filesystem::create_directory(path_);
  EXPECT_THAT(ReadFault(), testing::HasSubstr("not a regular file"));
  std::filesystem::remove(path_);
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  EXPECT_THAT(ReadFault(), testing::HasSubstr("not a regular file"));
  std::filesystem::remove(path_);
  Write(std::string((1 << 20) + 1, ' '));
  EXPECT_THAT(ReadFault(), testing::HasSubstr("larger than 1048576 bytes"));
}

TEST_F(LocalhostProfile, AFaultInItNamesFileAndKey) {
  const absl::Status status =
      compiler_.Plan(security_, 0, R"({"defaultAction": "SCMP_ACT_X"})").status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_EQ(status.message(), "seccomp: the Localhost profile \"" + path_ +
                                  "\": defaultAction: \"SCMP_ACT_X\" is not an action");
  EXPECT_TRUE(absl::IsInvalidArgument(compiler_.Plan(security_, 0, "").status()));
}

TEST_F(LocalhostProfile, IsCompiledOnceForItsContentAndCapabilities) {
  const auto first = compiler_.Plan(security_, 0, kRefuseMount);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_FALSE(first->plan.program().empty());
  // The unknown names are told by the compilation, and by the first one only.
  EXPECT_THAT(first->unknown_calls, testing::ElementsAre("not_a_call"));
  security_.seccomp.localhost_ref = directory_ + "/copy.json";
  const auto again = compiler_.Plan(security_, 0, kRefuseMount);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_THAT(again->unknown_calls, testing::IsEmpty());
  EXPECT_EQ(again->plan.program(), first->plan.program());
  EXPECT_THAT(compiler_.Plan(security_, 1, kRefuseMount)->unknown_calls, testing::IsEmpty());
}

}  // namespace
}  // namespace bulkhead::isolation
