#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <thread>

#include "tests/unit/pods/pods_test.h"

namespace bulkhead::pods {

namespace fs = std::filesystem;

PodsTest::PodsTest() {
  std::string name = ::testing::TempDir() + "/bulkhead-pods-XXXXXX";
  EXPECT_NE(mkdtemp(name.data()), nullptr);
  root_ = name;
  fs::create_directories(root_ + "/state");
  fs::create_directories(root_ + "/data");
  Restart();
}

PodsTest::~PodsTest() {
  services_.clear();
  fs::remove_all(root_);
}

Service& PodsTest::Restart() {
  Service::Options options;
  options.state_directory = root_ + "/state";
  options.data_directory = root_ + "/data";
  options.profiles = policy::Profiles(config_);
  options.first_host_id = config_.isolation.first_host_id;
  options.host_id_ranges = config_.isolation.host_id_ranges;
  options.kill_on_disconnect = kill_on_disconnect_;
  options.selinux_categories = selinux_categories_;
  options.answer_bound = std::chrono::milliseconds(50);
  options.kill_bound = std::chrono::milliseconds(1000);
  options.retry_pauses = {.first = std::chrono::milliseconds(1),
                          .longest = std::chrono::milliseconds(10)};
  services_.push_back(std::make_unique<Service>(options, host_, images_, &network_));
  pods_ = services_.back().get();
  const absl::Status recovered = pods_->Recover();
  EXPECT_TRUE(recovered.ok()) << recovered;
  return *pods_;
}

spec::PodSpec PodsTest::PodOf(const std::string& name) {
  spec::PodSpec pod;
  pod.metadata = {.name = name, .uid = name + "-uid", .name_space = "test"};
  pod.hostname = name;
  pod.dns.servers = {"10.0.0.10"};
  pod.security.namespaces.pid = spec::NamespaceMode::kContainer;
  return pod;
}

spec::PodSpec PodsTest::HostNetworkPodOf(const std::string& name) {
  spec::PodSpec pod = PodOf(name);
  pod.security.namespaces.network = spec::NamespaceMode::kNode;
  return pod;
}

spec::ContainerSpec PodsTest::ContainerOf(const std::string& name) {
  spec::ContainerSpec container;
  container.metadata.name = name;
  container.image = "busybox";
  container.security.namespaces.pid = spec::NamespaceMode::kContainer;
  return container;
}

std::string PodsTest::Run(const spec::PodSpec& pod) {
  const auto id = pods_->RunPodSandbox(pod);
  EXPECT_TRUE(id.ok()) << id.status();
  return id.value_or("");
}

std::string PodsTest::Create(const std::string& pod_id, const spec::ContainerSpec& container) {
  const auto id = pods_->CreateContainer(pod_id, container);
  EXPECT_TRUE(id.ok()) << id.status();
  return id.value_or("");
}

std::string PodsTest::Start(const std::string& pod_id, const spec::ContainerSpec& container) {
  const std::string id = Create(pod_id, container);
  const absl::Status started = pods_->StartContainer(id);
  EXPECT_TRUE(started.ok()) << started;
  return id;
}

ContainerStatus PodsTest::StatusOf(const std::string& id) {
  const auto status = pods_->GetContainerStatus(id);
  EXPECT_TRUE(status.ok()) << status.status();
  return status.value_or(ContainerStatus());
}

ContainerStatus PodsTest::AwaitExit(const std::string& id) {
  const auto events = pods_->SubscribeEvents();
  ContainerStatus status = StatusOf(id);
  while (status.state != ContainerState::kExited && events->Next().ok()) status = StatusOf(id);
  return status;
}

void PodsTest::AwaitNotReady(const std::string& pod_id) {
  const auto events = pods_->SubscribeEvents();
  while (pods_->PodSandboxStatus(pod_id)->state == PodState::kReady && events->Next().ok()) {
  }
}

std::set<std::string> PodsTest::Files() const {
  std::set<std::string> files;
  for (const char* folder : {"/state/pods", "/data/containers"}) {
    // A directory can be removed while it is read.
    std::error_code error;
    for (fs::recursive_directory_iterator entry(root_ + folder, error), end; !error && entry != end;
         entry.increment(error)) {
      files.insert(entry->path());
    }
  }
  return files;
}

void PodsTest::AwaitNothingLeft() {
  while (!Files().empty() || !network_.List()->empty()) std::this_thread::yield();
}

void PodsTest::ExpectNothingLeft() {
  EXPECT_THAT(host_->Left(), ::testing::IsEmpty());
  EXPECT_THAT(network_.attached, ::testing::IsEmpty());
  EXPECT_THAT(images_->leases, ::testing::IsEmpty());
  EXPECT_THAT(Files(), ::testing::IsEmpty());
}

}  // namespace bulkhead::pods
