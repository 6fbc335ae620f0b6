// Stand-ins for the host, a pod's supervisor, the network and the images: in memory, with steps
// that can be made to fail or to wait.
#ifndef BULKHEAD_TESTS_UNIT_PODS_FAKES_H_
#define BULKHEAD_TESTS_UNIT_PODS_FAKES_H_

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "shim/network/network.h"
#include "shim/pods/host.h"

namespace bulkhead::pods {

// Named steps: each can be failed, and held until it is let go.
class Steps {
 public:
  // The next `times` calls of the step fail.
  void Fail(const std::string& step, absl::Status status, int times = 1);
  // Calls of the step wait from now on.
  void Hold(const std::string& step);
  // The next call of the step waits, whatever happens meanwhile, as one of a daemon that crashed
  // there; those after it pass. Once let go it fails without an effect.
  void CrashIn(const std::string& step);
  void LetGo(const std::string& step);
  // Until a call waits at the step.
  void AwaitHeld(const std::string& step);
  int Count(const std::string& step);
  // Passes through the step. `give_up` ends the wait too.
  absl::Status Pass(const std::string& step, const std::function<bool()>& give_up = nullptr);
  // Makes waits look at their `give_up` again.
  void Wake();

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, std::pair<absl::Status, int>> failures_;
  std::set<std::string> held_;
  std::set<std::string> crashing_;  // The call is still to come.
  std::set<std::string> crashed_;
  std::map<std::string, int> waiting_;
  std::map<std::string, int> counts_;
};

// What a supervisor knows; outlives the connections to it, as a process does.
struct FakePod {
  std::mutex mutex;
  std::string directory;
  bool alive = true;
  bool frozen = false;
  supervisor::HelloReply hello;
  std::map<std::string, supervisor::ContainerState> containers;
  std::map<std::string, std::string> cgroups;  // By container.
  std::map<std::string, std::vector<int>> signals;
  std::set<std::string> ignores_signals;
  SupervisorCallbacks callbacks;
  // Of the last command, and of the last attached client.
  std::string exec_leaf;
  std::optional<std::chrono::steady_clock::time_point> exec_deadline;
  bool attached_once = false;
  UniqueFd attached_in, attached_out, attached_err;
};

class FakeHost : public Host {
 public:
  explicit FakeHost(Steps& steps) : steps_(steps) {}

  absl::StatusOr<std::shared_ptr<PodSupervisor>> SpawnSupervisor(
      const std::string& pod_id, const std::string& directory,
      SupervisorCallbacks callbacks) override;
  absl::StatusOr<std::shared_ptr<PodSupervisor>> ConnectSupervisor(
      const std::string& directory, SupervisorCallbacks callbacks) override;
  absl::Status KillSupervisor(const std::string& directory, absl::Time deadline) override;
  std::string NetnsPath(const std::string& pod_id) const override { return "/netns/" + pod_id; }
  const isolation::SelinuxFacts* Selinux() const override {
    return selinux.has_value() ? &*selinux : nullptr;
  }
  absl::StatusOr<std::string> CanonicalSelinuxContext(const std::string& label) override;
  absl::StatusOr<isolation::OwnedNamespaces> CreateUserNamespace(
      const spec::UserNamespace& asked) override;
  absl::Status CreateNetns(const std::string& pod_id, int network) override;
  absl::Status RemoveNetns(const std::string& path) override;
  bool CgroupExists(const std::string& path) const override;
  absl::StatusOr<std::unique_ptr<isolation::CgroupHold>> CreateCgroup(
      const std::string& path, const spec::Resources& resources) override;
  absl::Status Confine(const std::string& path, const spec::ContainerSpec& spec) override;
  absl::StatusOr<std::vector<isolation::Comparison>> CompareIsolation(const PodRecord&,
                                                                      const ContainerRecord&,
                                                                      const std::string&,
                                                                      int32_t) override {
    return std::vector<isolation::Comparison>();
  }
  absl::Status SetResources(const std::string& path, const spec::Resources& resources) override;
  absl::Status KillCgroup(const std::string& path, absl::Time deadline) override;
  absl::StatusOr<bool> CgroupIsEmpty(const std::string& path) override;
  absl::Status RemoveCgroup(const std::string& path, absl::Time deadline) override;
  absl::StatusOr<std::string> CreateExecLeaf(const std::string& container,
                                             const std::string& name) override;
  std::vector<std::string> ExecLeavesOf(const std::string& container) override;
  // A failure with FAILED_PRECONDITION: something is in it.
  absl::StatusOr<bool> RemoveExecLeaf(const std::string& leaf) override;
  std::string ExecLeafEvents(const std::string&) const override { return ""; }
  absl::StatusOr<UniqueFd> Connect(const std::string& netns, uint16_t port,
                                   std::chrono::milliseconds bound) override;

  std::shared_ptr<FakePod> OnlyPod();
  // As a process of a container does when it ends by itself.
  void EndContainer(const std::string& id, int code);
  // As a supervisor does that crashes. `containers_too`: with all its containers.
  void CrashSupervisors(bool containers_too);
  void FreezeSupervisors();
  std::vector<int> SignalsTo(const std::string& id);
  void IgnoreSignals();

  // What is there; empty when nothing was leaked.
  std::set<std::string> Left();
  std::set<std::string> cgroups;  // Those there from the start are to be put in by the test.
  std::optional<isolation::SelinuxFacts> selinux;
  std::string unknown_type;  // In no context of the policy.
  spec::Resources updated;
  std::pair<std::string, uint16_t> connected;

 private:
  std::vector<std::shared_ptr<FakePod>> Pods();

  Steps& steps_;
  mutable std::mutex mutex_;
  std::set<std::string> netns_;
  std::map<std::string, std::shared_ptr<FakePod>> pods_;  // By directory.
  bool ignore_signals_ = false;
};

class FakeNetwork : public network::Network {
 public:
  explicit FakeNetwork(Steps& steps) : steps_(steps) {}
  absl::StatusOr<network::PodNetworkResult> Add(const network::PodNetworkRequest& request) override;
  absl::Status Del(const std::string& pod_id) override;
  absl::Status Check(const std::string&) override { return absl::OkStatus(); }
  network::NetworkReadiness Ready() const override { return {.ready = true}; }
  absl::StatusOr<std::vector<std::string>> List() const override;

  network::PodNetworkRequest last_request;
  std::set<std::string> attached;

 private:
  Steps& steps_;
  mutable std::mutex mutex_;
};

class FakeImages : public Images {
 public:
  explicit FakeImages(Steps& steps) : steps_(steps) {}
  absl::StatusOr<std::optional<ContainerImage>> Find(const std::string& image) override;
  absl::StatusOr<std::vector<std::string>> Acquire(const std::string& container_id,
                                                   const std::string& image_id) override;
  void Release(const std::string& container_id) override;
  absl::Status FinishRecovery() override { return steps_.Pass("FinishRecovery"); }

  std::set<std::pair<std::string, std::string>> leases;  // Container, image.

 private:
  Steps& steps_;
  std::mutex mutex_;
};

}  // namespace bulkhead::pods

#endif  // BULKHEAD_TESTS_UNIT_PODS_FAKES_H_
