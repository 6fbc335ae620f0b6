// A real supervisor, started from the built program, and the daemon's side of it.
#ifndef BULKHEAD_TESTS_KERNEL_SUPERVISOR_TEST_SUPERVISOR_H_
#define BULKHEAD_TESTS_KERNEL_SUPERVISOR_TEST_SUPERVISOR_H_

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "runtime/supervisor/client.h"
#include "runtime/supervisor/spawn.h"
#include "tests/kernel/isolation/test_pod.h"

namespace bulkhead::supervisor {

using isolation::TestContainer;

inline constexpr std::chrono::milliseconds kPatience{20'000};

class SupervisorTest : public testing::Test {
 protected:
  SupervisorTest();
  // Ends what is left and expects the host's mounts to be those from before.
  ~SupervisorTest() override;

  // Starts a supervisor and says Hello.
  void Spawn();
  // Spawn and SetupPod.
  void SetUpPod(const plan::PodPlan& plan = isolation::MakePodPlan(),
                std::vector<UniqueFd> fds = {});
  // Connects anew, as a restarted daemon does.
  void Reconnect();
  void Disconnect() { client_.reset(); }

  absl::StatusOr<Response> Call(Request request, std::vector<UniqueFd> fds = {},
                                std::chrono::milliseconds timeout = kPatience);

  // A container that writes to the log file `id`.log and has an exit record `id`.exit.
  TestContainer Container(const std::string& id, const std::vector<std::string>& args);
  // The same with a shell.
  TestContainer Shell(const std::string& id, const std::string& script) {
    return Container(id, {"sh", "-c", script});
  }
  absl::Status Prepare(TestContainer& container);
  // PrepareRoot and CreateContainer; the process's pid.
  absl::StatusOr<pid_t> Create(TestContainer container);
  absl::Status Start(const std::string& id);
  // Create and Start.
  absl::StatusOr<pid_t> Run(TestContainer container);
  absl::Status Signal(const std::string& id, int signal);
  absl::Status Remove(const std::string& id);
  absl::Status ReopenLog(const std::string& id, UniqueFd file);
  // What it wrote, until its end.
  absl::StatusOr<ExecReply> Exec(const std::string& id, const std::vector<std::string>& args,
                                 const UniqueFd& output);
  absl::Status Reexec(const std::string& program);

  absl::StatusOr<ExitRecord> AwaitExit(const std::string& id,
                                       std::chrono::milliseconds patience = kPatience);
  absl::StatusOr<ExitRecord> AwaitExecExit(uint64_t exec_id);
  absl::StatusOr<LogLoss> AwaitLoss(const std::string& id);
  // Whether the connection ended.
  bool AwaitDisconnect();

  std::string PathOf(const std::string& name) const { return dir_.path() + "/" + name; }
  std::string LogPath(const std::string& id) const { return PathOf(id + ".log"); }
  // Waits until the file holds something.
  static void AwaitContent(const std::string& path);
  // Opened for appending, made when absent.
  static UniqueFd OpenLog(const std::string& path);
  // The supervisor's exit status, or 128 + signal, once it ends.
  int AwaitSupervisorEnd();
  void SignalSupervisor(int signal);

  std::string mounts_before_ = isolation::HostMounts();
  isolation::TestDir dir_;
  std::string layer_;
  std::unique_ptr<ClientLoop> loop_;
  std::unique_ptr<SupervisorImage> image_;
  SpawnedSupervisor spawned_;
  std::shared_ptr<SupervisorClient> client_;

 private:
  SupervisorClient::Callbacks MakeCallbacks();
  template <typename Done>
  bool Await(Done done, std::chrono::milliseconds patience);

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Event> events_;
  bool disconnected_ = false;
  std::vector<UniqueFd> processes_;
};

std::string ReadAll(const std::string& path);

// The payloads of a CRI log's records of one stream joined as their writer wrote them.
std::string PayloadOf(const std::string& log, const std::string& stream = "stdout");

}  // namespace bulkhead::supervisor

#endif  // BULKHEAD_TESTS_KERNEL_SUPERVISOR_TEST_SUPERVISOR_H_
