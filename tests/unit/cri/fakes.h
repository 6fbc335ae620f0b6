#ifndef BULKHEAD_TESTS_UNIT_CRI_FAKES_H_
#define BULKHEAD_TESTS_UNIT_CRI_FAKES_H_

#include <stdlib.h>

#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "shim/network/network.h"
#include "shim/pods/pod_service.h"
#include "shim/streaming/request.h"

namespace bulkhead::cri {

// Opens once and for all.
class Gate {
 public:
  void Open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void Wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return open_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
};

// Knows one pod, "p1", and one container in it, "c1"; keeps what it was last asked.
class FakePods final : public pods::PodService {
 public:
  absl::StatusOr<std::string> RunPodSandbox(const spec::PodSpec& spec) override {
    pod_spec = spec;
    return "p1";
  }
  absl::Status StopPodSandbox(const std::string&) override { return absl::OkStatus(); }
  absl::Status RemovePodSandbox(const std::string&) override { return absl::OkStatus(); }
  absl::StatusOr<pods::PodStatus> PodSandboxStatus(const std::string& id) override {
    if (id != "p1") return absl::NotFoundError("no pod " + id);
    return Pod();
  }
  std::vector<pods::PodStatus> ListPodSandbox(const pods::PodFilter& filter) override {
    pod_filter = filter;
    return {Pod()};
  }
  absl::StatusOr<std::string> CreateContainer(const std::string&,
                                              const spec::ContainerSpec& spec) override {
    container_spec = spec;
    return "c1";
  }
  // Blocks while a test holds the gate shut.
  absl::Status StartContainer(const std::string&) override {
    starting.Open();
    may_start.Wait();
    return absl::OkStatus();
  }
  absl::Status StopContainer(const std::string&, std::chrono::seconds g) override {
    grace = g;
    return absl::OkStatus();
  }
  absl::Status RemoveContainer(const std::string&) override { return absl::OkStatus(); }
  absl::StatusOr<pods::ContainerStatus> GetContainerStatus(const std::string& id) override {
    if (id != "c1") return absl::NotFoundError("no container " + id);
    return Container();
  }
  absl::StatusOr<std::vector<isolation::Comparison>> CompareIsolation(const std::string&) override {
    return comparisons;
  }
  std::vector<pods::ContainerStatus> ListContainers(const pods::ContainerFilter& f) override {
    container_filter = f;
    return {Container()};
  }
  absl::Status UpdatePodSandboxResources(const std::string&, const spec::PodResources& r) override {
    pod_resources = r;
    return absl::OkStatus();
  }
  absl::Status UpdateContainerResources(const std::string&, const spec::Resources& r) override {
    resources = r;
    return absl::OkStatus();
  }
  absl::Status ReopenContainerLog(const std::string&) override { return absl::OkStatus(); }
  absl::StatusOr<pods::ExecResult> ExecSync(const std::string&, const std::vector<std::string>& c,
                                            std::chrono::seconds t) override {
    command = c;
    timeout = t;
    return exec_result;
  }
  absl::StatusOr<std::unique_ptr<pods::AttachedProcess>> Exec(
      const std::string&, const std::vector<std::string>&, const pods::StreamSelection&) override {
    return absl::UnimplementedError("this stand-in has no processes");
  }
  absl::StatusOr<std::unique_ptr<pods::AttachedProcess>> Attach(
      const std::string&, const pods::StreamSelection&) override {
    return absl::UnimplementedError("this stand-in has no processes");
  }
  absl::StatusOr<UniqueFd> Connect(const std::string&, uint16_t) override {
    return absl::UnimplementedError("this stand-in has no network");
  }
  absl::Status CheckExec(const std::string& id) override {
    return id == "c1" ? absl::OkStatus() : absl::NotFoundError("no container " + id);
  }
  absl::Status CheckPortForward(const std::string& id) override {
    return id == "p1" ? absl::OkStatus() : absl::NotFoundError("no pod " + id);
  }
  std::shared_ptr<pods::EventSubscription> SubscribeEvents() override {
    subscription = std::make_shared<pods::EventSubscription>(2);
    return subscription;
  }
  void Shutdown() override {}

  static pods::ContainerStatus Container() {
    return {.id = "c1",
            .pod_id = "p1",
            .spec = {.metadata = {.name = "nginx"}, .env = {{"TOKEN", "hunter2"}}},
            .state = pods::ContainerState::kRunning};
  }
  static pods::PodStatus Pod() {
    return {.id = "p1",
            .spec = {.metadata = {.name = "web", .uid = "u", .name_space = "default"}},
            .state = pods::PodState::kReady,
            .timestamp = 99,
            .containers = {Container()}};
  }

  spec::PodSpec pod_spec;
  spec::ContainerSpec container_spec;
  spec::Resources resources;
  spec::PodResources pod_resources;
  pods::PodFilter pod_filter;
  pods::ContainerFilter container_filter;
  std::chrono::seconds grace{-1};
  std::chrono::seconds timeout{-1};
  std::vector<std::string> command;
  std::vector<isolation::Comparison> comparisons;
  absl::StatusOr<pods::ExecResult> exec_result = pods::ExecResult();
  std::shared_ptr<pods::EventSubscription> subscription;
  Gate starting;
  Gate may_start;
};

class FakeUrls final : public streaming::Urls {
 public:
  absl::StatusOr<std::string> UrlFor(streaming::Request request) override {
    requests.push_back(std::move(request));
    return url;
  }

  absl::StatusOr<std::string> url = "http://127.0.0.1:1/x";
  std::vector<streaming::Request> requests;
};

class FakeNetwork final : public network::Network {
 public:
  absl::StatusOr<network::PodNetworkResult> Add(const network::PodNetworkRequest&) override {
    return network::PodNetworkResult();
  }
  absl::Status Del(const std::string&) override { return absl::OkStatus(); }
  absl::Status Check(const std::string&) override { return absl::OkStatus(); }
  network::NetworkReadiness Ready() const override { return readiness; }
  absl::StatusOr<std::vector<std::string>> List() const override {
    return std::vector<std::string>();
  }

  network::NetworkReadiness readiness{.ready = true};
};

// A folder of the test's own that is removed with all that is in it.
class TemporaryFolder {
 public:
  TemporaryFolder() { path_ = mkdtemp(template_); }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::string& path() const { return path_; }

 private:
  char template_[20] = "/tmp/bh-cri-XXXXXX";
  std::string path_;
};

}  // namespace bulkhead::cri

#endif  // BULKHEAD_TESTS_UNIT_CRI_FAKES_H_
