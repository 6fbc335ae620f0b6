#include "tests/kernel/isolation/test_pod.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <tuple>

#include "runtime/kernel/file.h"
#include "runtime/kernel/mount.h"
#include "runtime/kernel/status.h"

namespace bulkhead::isolation {
namespace fs = std::filesystem;

namespace {

// The tests' host: a mount namespace of their own, so that nothing else that runs on the machine
// changes its table, and everything in it shared, as systemd has it.
class HostNamespace : public testing::Environment {
 public:
  void SetUp() override {
    ASSERT_EQ(unshare(CLONE_NEWNS), 0) << "needs root";
    ASSERT_EQ(mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    ASSERT_EQ(mount(nullptr, "/", nullptr, MS_REC | MS_SHARED, nullptr), 0);
  }
};

[[maybe_unused]] const testing::Environment* const kHost =
    testing::AddGlobalTestEnvironment(new HostNamespace);

}  // namespace

void RunForked(const std::function<void()>& body) {
  const pid_t pid = fork();
  ASSERT_GE(pid, 0);
  if (pid == 0) {
    try {
      body();
    } catch (const std::exception& error) {
      ADD_FAILURE() << error.what();
    }
    _exit(testing::Test::HasFailure() ? 1 : 0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  ASSERT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status);
  EXPECT_EQ(WEXITSTATUS(status), 0) << "the expectations above failed in the pod's process";
}

std::string HostMounts() { return ReadFile("/proc/self/mountinfo").value_or("unreadable"); }

TestDir::TestDir() {
  std::string name = (fs::temp_directory_path() / "bulkhead-isolation-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) ADD_FAILURE() << "mkdtemp " << name;
  path_ = name;
  fs::permissions(path_, fs::perms::owner_all | fs::perms::others_exec | fs::perms::group_exec);
}

TestDir::~TestDir() {
  std::error_code error;
  fs::remove_all(path_, error);
  EXPECT_FALSE(error) << path_ << ": " << error.message();
}

std::string TestDir::Make(const std::string& name) const {
  fs::create_directories(path_ + "/" + name);
  return path_ + "/" + name;
}

void MakeBusyboxLayer(const std::string& directory) {
  for (const char* name : {"bin", "etc", "tmp", "data", "sys", "proc"}) {
    fs::create_directories(directory + "/" + name);
  }
  fs::copy_file("/bin/busybox", directory + "/bin/busybox", fs::copy_options::overwrite_existing);
  for (const char* applet :
       {"sh",    "cat",   "ls",       "id",  "mount", "umount",   "stat", "sleep",  "echo", "touch",
        "grep",  "mkdir", "wc",       "env", "pwd",   "hostname", "tty",  "kill",   "sed",  "tr",
        "mknod", "chmod", "readlink", "ps",  "true",  "chroot",   "ipcs", "unshare"}) {
    std::error_code ignored;
    fs::create_symlink("busybox", directory + "/bin/" + applet, ignored);
  }
  std::ofstream(directory + "/etc/passwd") << "root:x:0:0:root:/root:/bin/sh\n"
                                              "app:x:1000:1000::/home/app:/bin/sh\n";
}

plan::Fd TestContainer::AddRootFd(UniqueFd fd) {
  root_fds.push_back(std::move(fd));
  plan::Fd planned;
  planned.set_index(root_fds.size() - 1);
  return planned;
}

plan::Fd TestContainer::AddLaunchFd(UniqueFd fd) {
  launch_fds.push_back(std::move(fd));
  plan::Fd planned;
  planned.set_index(launch_fds.size() - 1);
  return planned;
}

plan::Mount* TestContainer::AddBind(const std::string& source, const std::string& destination,
                                    plan::Mount::Propagation propagation) {
  plan::Mount* mount = root.add_mounts();
  mount->set_destination(destination);
  mount->set_propagation(propagation);
  mount->mutable_bind()->set_directory(fs::is_directory(source));
  absl::StatusOr<UniqueFd> tree = CloneTree(AT_FDCWD, source, TreeDepth::kRecursive);
  EXPECT_TRUE(tree.ok()) << tree.status();
  if (tree.ok()) *mount->mutable_bind()->mutable_tree() = AddRootFd(*std::move(tree));
  return mount;
}

void TestContainer::SetArgs(const std::vector<std::string>& args) {
  launch.mutable_process()->clear_args();
  for (const std::string& arg : args) launch.mutable_process()->add_args(arg);
}

namespace {

void AddFilesystem(TestContainer& container, const std::string& type,
                   const std::string& destination,
                   const std::vector<std::pair<std::string, std::string>>& options,
                   uint64_t attributes) {
  plan::Mount* mount = container.root.add_mounts();
  mount->set_destination(destination);
  mount->set_attributes(attributes);
  mount->mutable_filesystem()->set_type(type);
  for (const auto& [key, value] : options) {
    plan::FilesystemOption* option = mount->mutable_filesystem()->add_options();
    option->set_key(key);
    option->set_value(value);
  }
}

void AddDefaultMounts(TestContainer& container) {
  AddFilesystem(container, "tmpfs", "/dev", {{"mode", "755"}, {"size", "64k"}},
                MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
  AddFilesystem(container, "devpts", "/dev/pts",
                {{"newinstance", ""}, {"ptmxmode", "0666"}, {"mode", "0620"}, {"gid", "5"}},
                MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC);
  AddFilesystem(container, "sysfs", "/sys", {},
                MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
  plan::Mount* shm = container.root.add_mounts();
  shm->set_destination("/dev/shm");
  shm->set_pod_shm(true);
  for (const auto& [path, major, minor] :
       {std::tuple("/dev/null", 1, 3), std::tuple("/dev/tty", 5, 0)}) {
    plan::DeviceNode* node = container.root.add_devices();
    node->set_path(path);
    node->set_mode(S_IFCHR | 0666);
    node->set_major(major);
    node->set_minor(minor);
  }
}

void AllCapabilities(plan::CredentialsPlan* credentials) {
  const std::string status = ReadFile("/proc/self/status").value_or("");
  const size_t at = status.find("CapBnd:\t");
  const uint64_t bounding = std::stoull(status.substr(at + 8), nullptr, 16);
  credentials->set_bounding(bounding);
  credentials->set_permitted(bounding);
  credentials->set_effective(bounding);
}

std::string Drain(int fd) {
  std::string text;
  char buffer[4096];
  ssize_t n;
  while ((n = read(fd, buffer, sizeof(buffer))) > 0) text.append(buffer, n);
  return text;
}

int Reap(const UniqueFd& pidfd) {
  siginfo_t info = {};
  if (waitid(P_PIDFD, pidfd.get(), &info, WEXITED) != 0) return -1;
  return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}

// Once it executes.
void FollowSuccessor(LaunchedProcess& process) {
  const pid_t successor = process.successor.Get();
  if (successor == 0) return;
  Reap(process.pidfd);
  process.pid = successor;
  process.pidfd.reset(static_cast<int>(syscall(SYS_pidfd_open, successor, 0)));
}

absl::StatusOr<LaunchProgress> BeginProcess(LaunchedProcess& process) {
  if (absl::Status status = Release(process.control.get()); !status.ok()) return status;
  absl::StatusOr<LaunchProgress> progress = AwaitReport(process);
  FollowSuccessor(process);
  return progress;
}

}  // namespace

TestContainer MakeContainer(const std::string& id, const std::string& layer,
                            const std::string& writable, const std::vector<std::string>& args) {
  TestContainer container;
  container.root.set_container_id(id);
  absl::StatusOr<UniqueFd> tree = CloneTree(AT_FDCWD, layer, TreeDepth::kOneMount);
  EXPECT_TRUE(tree.ok()) << tree.status();
  *container.root.add_layers() = container.AddRootFd(*std::move(tree));
  if (!writable.empty()) {
    fs::create_directories(writable + "/upper");
    fs::create_directories(writable + "/work");
    tree = CloneTree(AT_FDCWD, writable, TreeDepth::kOneMount);
    EXPECT_TRUE(tree.ok()) << tree.status();
    *container.root.mutable_writable() = container.AddRootFd(*std::move(tree));
  }
  AddDefaultMounts(container);
  container.launch.set_container_id(id);
  container.SetArgs(args);
  container.launch.mutable_process()->add_env("PATH=/sbin:/bin");
  container.launch.mutable_process()->set_umask(022);
  container.launch.mutable_namespaces()->set_pid(plan::NamespacesPlan::CONTAINER);
  container.launch.mutable_namespaces()->set_own_cgroup_namespace(true);
  container.launch.mutable_late_mounts()->set_proc(true);
  AllCapabilities(container.launch.mutable_credentials());
  return container;
}

plan::PodPlan MakePodPlan() {
  plan::PodPlan plan;
  plan.set_hostname("test-pod");
  plan.set_own_ipc_namespace(true);
  plan.set_own_uts_namespace(true);
  plan.set_shm_size(1 << 20);
  return plan;
}

plan::PodPlan MakeMappedPodPlan(std::vector<UniqueFd>& fds) {
  const std::vector<IdRange> map = {{0, 100000, 65536}};
  plan::PodPlan plan = MakePodPlan();
  absl::StatusOr<UniqueFd> procfs = OpenOwnProcfs();
  EXPECT_TRUE(procfs.ok()) << procfs.status();
  absl::StatusOr<OwnedNamespaces> owned = MakeOwnedNamespaces(procfs->get(), map, map);
  EXPECT_TRUE(owned.ok()) << owned.status();
  if (!owned.ok()) return plan;
  const auto add = [&fds](UniqueFd& fd, plan::Fd* planned) {
    planned->set_index(fds.size());
    fds.push_back(std::move(fd));
  };
  plan::UserNamespacePlan& user = *plan.mutable_user_namespace();
  add(owned->user, user.mutable_user());
  add(owned->ipc, user.mutable_ipc());
  add(owned->uts, user.mutable_uts());
  add(owned->network, plan.mutable_network_namespace());
  SetIdMap(map, *user.mutable_uids());
  SetIdMap(map, *user.mutable_gids());
  return plan;
}

absl::StatusOr<LaunchProgress> AwaitReport(LaunchedProcess& process) {
  pollfd polled = {.fd = process.control.get(), .events = POLLIN};
  if (poll(&polled, 1, 20000) != 1) return absl::DeadlineExceededError("no report");
  const absl::StatusOr<LaunchProgress> progress = ReceiveReport(process.control.get());
  if (!progress.ok() || *progress != LaunchProgress::kListening) return progress;
  absl::Status given = HandOverListener(process.pidfd.get(), std::move(process.agent));
  if (given.ok()) given = ConfirmListener(process.control.get());
  if (given.ok()) return AwaitReport(process);
  process.control.reset();
  return given;
}

absl::StatusOr<Running> Prepare(const TestContainer& container, const PodNamespaces& pod) {
  Running running;
  absl::StatusOr<PreparedRoot> root = AssembleRoot(container.root, container.root_fds, pod);
  if (!root.ok()) return root.status();
  running.root = *std::move(root);
  int pipes[2];
  if (pipe2(pipes, O_CLOEXEC) != 0) return ErrnoStatus(errno, "pipe2");
  running.output.reset(pipes[0]);
  const UniqueFd writer(pipes[1]);
  absl::StatusOr<LaunchedProcess> process =
      LaunchContainer(container.launch, container.launch_fds, running.root, pod,
                      {.out = writer.get(), .err = writer.get()});
  if (!process.ok()) return process.status();
  running.process = *std::move(process);
  absl::StatusOr<LaunchProgress> progress = AwaitReport(running.process);
  if (!progress.ok()) {
    Reap(running.process.pidfd);
    return progress.status();
  }
  if (*progress != LaunchProgress::kReady) return absl::InternalError("the child was killed");
  return running;
}

absl::Status Begin(Running& running) {
  absl::StatusOr<LaunchProgress> progress = BeginProcess(running.process);
  if (progress.ok()) return absl::OkStatus();
  Reap(running.process.pidfd);
  return progress.status();
}

Output Finish(Running& running) {
  Output output;
  output.text = Drain(running.output.get());
  output.code = Reap(running.process.pidfd);
  return output;
}

absl::StatusOr<Output> RunContainer(const TestContainer& container, const PodNamespaces& pod) {
  absl::StatusOr<Running> running = Prepare(container, pod);
  if (!running.ok()) return running.status();
  if (absl::Status status = Begin(*running); !status.ok()) return status;
  return Finish(*running);
}

absl::StatusOr<Output> RunExec(const Running& running, const PodNamespaces& pod,
                               plan::ExecPlan plan, UniqueFd agent) {
  int pipes[2];
  if (pipe2(pipes, O_CLOEXEC) != 0) return ErrnoStatus(errno, "pipe2");
  const UniqueFd reader(pipes[0]);
  std::vector<UniqueFd> fds;
  fds.emplace_back(pipes[1]);
  plan.mutable_stdout()->set_index(0);
  plan.mutable_stderr()->set_index(0);
  if (agent.valid()) {
    plan.mutable_seccomp()->mutable_listener()->mutable_agent()->set_index(1);
    fds.push_back(std::move(agent));
  }
  absl::StatusOr<LaunchedProcess> process = LaunchExec(
      plan, fds, {running.process.pid, running.process.pidfd.get(), running.root.root.get()}, pod);
  if (!process.ok()) return process.status();
  fds.clear();
  absl::StatusOr<LaunchProgress> progress = AwaitReport(*process);
  if (!progress.ok()) {
    Reap(process->pidfd);
    return progress.status();
  }
  FollowSuccessor(*process);
  Output output;
  output.text = Drain(reader.get());
  output.code = Reap(process->pidfd);
  return output;
}

}  // namespace bulkhead::isolation
