#include "tests/kernel/supervisor/test_supervisor.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <sstream>
#include <thread>

#include "runtime/kernel/file.h"
#include "runtime/kernel/status.h"
#include "runtime/supervisor/exit_record.h"

namespace bulkhead::supervisor {
namespace {

int EndOf(const UniqueFd& pidfd) {
  siginfo_t info = {};
  if (waitid(P_PIDFD, pidfd.get(), &info, WEXITED) != 0) return -1;
  return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}

}  // namespace

SupervisorTest::SupervisorTest() {
  layer_ = dir_.Make("layer");
  isolation::MakeBusyboxLayer(layer_);
  auto loop = ClientLoop::Start();
  EXPECT_TRUE(loop.ok()) << loop.status();
  loop_ = *std::move(loop);
  auto image = SupervisorImage::Load(BULKHEAD_POD);
  EXPECT_TRUE(image.ok()) << image.status();
  image_ = std::make_unique<SupervisorImage>(*std::move(image));
}

SupervisorTest::~SupervisorTest() {
  client_.reset();
  // A callback can be on its way still.
  loop_.reset();
  for (const UniqueFd& process : processes_) {
    syscall(SYS_pidfd_send_signal, process.get(), SIGKILL, nullptr, 0);
  }
  if (spawned_.pidfd.valid()) {
    SignalSupervisor(SIGKILL);
    EndOf(spawned_.pidfd);
  }
  // Other work on the machine can take mounts away, but what comes is ours.
  std::istringstream mounts(isolation::HostMounts());
  for (std::string line; std::getline(mounts, line);) {
    EXPECT_NE(mounts_before_.find(line), std::string::npos) << "left behind: " << line;
  }
}

void SupervisorTest::AwaitContent(const std::string& path) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  struct stat st = {};
  while (stat(path.c_str(), &st) == 0 && st.st_size == 0) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline) << path << " stays empty";
    std::this_thread::yield();
  }
}

SupervisorClient::Callbacks SupervisorTest::MakeCallbacks() {
  return {.on_event =
              [this](const Event& event) {
                std::lock_guard lock(mutex_);
                events_.push_back(event);
                changed_.notify_all();
              },
          .on_disconnect =
              [this](const absl::Status&) {
                std::lock_guard lock(mutex_);
                disconnected_ = true;
                changed_.notify_all();
              }};
}

void SupervisorTest::Spawn() {
  auto spawned = SpawnSupervisor(*image_, "pod1", PathOf("supervisor.sock"), 2);
  ASSERT_TRUE(spawned.ok()) << spawned.status();
  spawned_ = *std::move(spawned);
  auto client =
      SupervisorClient::Attach(*loop_, std::move(spawned_.connection), MakeCallbacks(), kPatience);
  ASSERT_TRUE(client.ok()) << client.status();
  client_ = *std::move(client);
}

void SupervisorTest::SetUpPod(const plan::PodPlan& plan, std::vector<UniqueFd> fds) {
  ASSERT_NO_FATAL_FAILURE(Spawn());
  Request request;
  request.mutable_setup_pod()->set_pod_id("pod1");
  *request.mutable_setup_pod()->mutable_plan() = plan;
  const auto response = Call(std::move(request), std::move(fds));
  ASSERT_TRUE(response.ok()) << response.status();
}

void SupervisorTest::Reconnect() {
  client_.reset();
  {
    std::lock_guard lock(mutex_);
    disconnected_ = false;
  }
  auto client =
      SupervisorClient::Connect(*loop_, PathOf("supervisor.sock"), MakeCallbacks(), kPatience);
  ASSERT_TRUE(client.ok()) << client.status();
  client_ = *std::move(client);
}

absl::StatusOr<Response> SupervisorTest::Call(Request request, std::vector<UniqueFd> fds,
                                              std::chrono::milliseconds timeout) {
  return client_->Call(std::move(request), std::move(fds), timeout);
}

UniqueFd SupervisorTest::OpenLog(const std::string& path) {
  UniqueFd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640));
  EXPECT_TRUE(fd.valid()) << path;
  return fd;
}

TestContainer SupervisorTest::Container(const std::string& id,
                                        const std::vector<std::string>& args) {
  TestContainer container = isolation::MakeContainer(id, layer_, dir_.Make(id), args);
  *container.launch.mutable_streams()->mutable_log() = container.AddLaunchFd(OpenLog(LogPath(id)));
  UniqueFd record(open(PathOf(id + ".exit").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640));
  EXPECT_EQ(posix_fallocate(record.get(), 0, kExitRecordSize), 0);
  *container.launch.mutable_exit_record() = container.AddLaunchFd(std::move(record));
  return container;
}

absl::Status SupervisorTest::Prepare(TestContainer& container) {
  Request request;
  *request.mutable_prepare_root()->mutable_plan() = container.root;
  const auto prepared = Call(std::move(request), std::move(container.root_fds));
  if (!prepared.ok()) return prepared.status();
  if (prepared->fds.size() != 1) return absl::InternalError("no root came back");
  return absl::OkStatus();
}

absl::StatusOr<pid_t> SupervisorTest::Create(TestContainer container) {
  if (absl::Status s = Prepare(container); !s.ok()) return s;
  Request request;
  *request.mutable_create_container()->mutable_plan() = container.launch;
  const auto created = Call(std::move(request), std::move(container.launch_fds));
  if (!created.ok()) return created.status();
  const pid_t pid = created->reply.create_container().pid();
  processes_.emplace_back(syscall(SYS_pidfd_open, pid, 0));
  return pid;
}

absl::Status SupervisorTest::Start(const std::string& id) {
  Request request;
  request.mutable_start_container()->set_id(id);
  return Call(std::move(request)).status();
}

absl::StatusOr<pid_t> SupervisorTest::Run(TestContainer container) {
  const std::string id = container.launch.container_id();
  const absl::StatusOr<pid_t> pid = Create(std::move(container));
  if (!pid.ok()) return pid;
  if (absl::Status s = Start(id); !s.ok()) return s;
  return pid;
}

absl::Status SupervisorTest::Signal(const std::string& id, int signal) {
  Request request;
  request.mutable_signal_container()->set_id(id);
  request.mutable_signal_container()->set_signal(signal);
  return Call(std::move(request)).status();
}

absl::Status SupervisorTest::Remove(const std::string& id) {
  Request request;
  request.mutable_remove_container()->set_id(id);
  return Call(std::move(request)).status();
}

absl::Status SupervisorTest::ReopenLog(const std::string& id, UniqueFd file) {
  Request request;
  request.mutable_reopen_log()->set_id(id);
  std::vector<UniqueFd> fds;
  fds.push_back(std::move(file));
  return Call(std::move(request), std::move(fds)).status();
}

absl::StatusOr<ExecReply> SupervisorTest::Exec(const std::string& id,
                                               const std::vector<std::string>& args,
                                               const UniqueFd& output) {
  Request request;
  plan::ExecPlan& plan = *request.mutable_exec()->mutable_plan();
  plan.set_container_id(id);
  for (const std::string& arg : args) plan.mutable_process()->add_args(arg);
  plan.mutable_process()->add_env("PATH=/bin");
  plan.mutable_stdout()->set_index(0);
  plan.mutable_stderr()->set_index(0);
  std::vector<UniqueFd> fds;
  fds.emplace_back(dup(output.get()));
  const auto response = Call(std::move(request), std::move(fds));
  if (!response.ok()) return response.status();
  return response->reply.exec();
}

absl::Status SupervisorTest::Reexec(const std::string& program) {
  Request request;
  request.mutable_reexec();
  std::vector<UniqueFd> fds;
  fds.emplace_back(open(program.c_str(), O_RDONLY | O_CLOEXEC));
  return Call(std::move(request), std::move(fds)).status();
}

template <typename Done>
bool SupervisorTest::Await(Done done, std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, patience, done);
}

absl::StatusOr<ExitRecord> SupervisorTest::AwaitExit(const std::string& id,
                                                     std::chrono::milliseconds patience) {
  ExitRecord exit;
  const bool ended = Await(
      [&] {
        for (const Event& event : events_) {
          if (event.container_exited().id() != id) continue;
          exit = event.container_exited().exit();
          return true;
        }
        return false;
      },
      patience);
  if (!ended) return absl::DeadlineExceededError("no exit event");
  return exit;
}

absl::StatusOr<ExitRecord> SupervisorTest::AwaitExecExit(uint64_t exec_id) {
  ExitRecord exit;
  const bool ended = Await(
      [&] {
        for (const Event& event : events_) {
          if (!event.has_exec_exited() || event.exec_exited().exec_id() != exec_id) continue;
          exit = event.exec_exited().exit();
          return true;
        }
        return false;
      },
      kPatience);
  if (!ended) return absl::DeadlineExceededError("no exit event");
  return exit;
}

absl::StatusOr<LogLoss> SupervisorTest::AwaitLoss(const std::string& id) {
  LogLoss loss;
  const bool lost = Await(
      [&] {
        for (const Event& event : events_) {
          if (event.log_loss().id() == id) loss = event.log_loss();
        }
        return loss.lines() > 0;
      },
      kPatience);
  if (!lost) return absl::DeadlineExceededError("no loss event");
  return loss;
}

bool SupervisorTest::AwaitDisconnect() {
  return Await([&] { return disconnected_; }, kPatience);
}

int SupervisorTest::AwaitSupervisorEnd() {
  const int status = EndOf(spawned_.pidfd);
  spawned_.pidfd.reset();
  return status;
}

void SupervisorTest::SignalSupervisor(int signal) {
  syscall(SYS_pidfd_send_signal, spawned_.pidfd.get(), signal, nullptr, 0);
}

std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string PayloadOf(const std::string& log, const std::string& stream) {
  std::string payload;
  for (size_t at = 0; at < log.size();) {
    const size_t end = log.find('\n', at);
    if (end == std::string::npos || end < at + 40) return "not a log: " + log.substr(at, 80);
    if (log.compare(at + 30, 8, " " + stream + " ") == 0) {
      payload.append(log, at + 40, end - at - 40);
      if (log[at + 38] == 'F') payload += '\n';
    }
    at = end + 1;
  }
  return payload;
}

}  // namespace bulkhead::supervisor
