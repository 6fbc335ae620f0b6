// A pod for tests, in a process of its own: setting up a pod cannot be undone.
#ifndef BULKHEAD_TESTS_KERNEL_ISOLATION_TEST_POD_H_
#define BULKHEAD_TESTS_KERNEL_ISOLATION_TEST_POD_H_

#include <functional>
#include <string>
#include <vector>

#include "proto/plan.pb.h"
#include "runtime/isolation/launch.h"
#include "runtime/isolation/pod_namespaces.h"
#include "runtime/isolation/root.h"
#include "runtime/kernel/fd.h"

namespace bulkhead::isolation {

// Runs `body` in a child process and expects it to end without a failed expectation.
void RunForked(const std::function<void()>& body);

// The host's mount table, to be the same after a test.
std::string HostMounts();

// A temporary directory, removed with its content.
class TestDir {
 public:
  TestDir();
  ~TestDir();
  const std::string& path() const { return path_; }
  // Makes a directory in it and returns its path.
  std::string Make(const std::string& name) const;

 private:
  std::string path_;
};

// A layer with busybox, /etc/passwd and a few directories, at `directory`.
void MakeBusyboxLayer(const std::string& directory);

struct Output {
  int code = -1;  // Exit status, or 128 + signal.
  std::string text;
};

// A container in the making, with descriptors opened in the host's mount namespace before
// SetUpPod.
struct TestContainer {
  plan::RootPlan root;
  plan::LaunchPlan launch;
  std::vector<UniqueFd> root_fds;
  std::vector<UniqueFd> launch_fds;

  plan::Fd AddRootFd(UniqueFd fd);
  plan::Fd AddLaunchFd(UniqueFd fd);
  // A bind mount of a tree that is opened here.
  plan::Mount* AddBind(const std::string& source, const std::string& destination,
                       plan::Mount::Propagation propagation = plan::Mount::PRIVATE);
  void SetArgs(const std::vector<std::string>& args);
};

// A container of one layer with a writable one (a directory with upper and work in it), /dev,
// /proc and `args` to run.
TestContainer MakeContainer(const std::string& id, const std::string& layer,
                            const std::string& writable, const std::vector<std::string>& args);

// A pod with its own IPC and UTS namespaces, in the host's network.
plan::PodPlan MakePodPlan();

// The same with user, network, IPC and UTS namespaces of its own, which go along in `fds`; ids are
// mapped from 100000 on.
plan::PodPlan MakeMappedPodPlan(std::vector<UniqueFd>& fds);

struct Running {
  PreparedRoot root;
  LaunchedProcess process;
  UniqueFd output;
};

// Assembles and launches up to ready; output and errors go to `output`.
absl::StatusOr<Running> Prepare(const TestContainer& container, const PodNamespaces& pod);
// Releases it and waits for the exec.
absl::Status Begin(Running& running);
// Reads what it writes until it ends.
Output Finish(Running& running);
// All three.
absl::StatusOr<Output> RunContainer(const TestContainer& container, const PodNamespaces& pod);
// Polls `control` until there is a report; hands a listener over, as the supervisor does.
absl::StatusOr<LaunchProgress> AwaitReport(LaunchedProcess& process);
// What an exec in a running container writes. `agent` is the connection for a filter's listener.
absl::StatusOr<Output> RunExec(const Running& running, const PodNamespaces& pod,
                               plan::ExecPlan plan, UniqueFd agent = {});

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_TESTS_KERNEL_ISOLATION_TEST_POD_H_
