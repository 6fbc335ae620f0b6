#include "tests/kernel/pods/real_pods.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "shim/pods/linux_host.h"
#include "shim/pods/service.h"

namespace bulkhead::pods {
namespace {

namespace fs = std::filesystem;

std::string Slurp(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

void MakeLayer(const std::string& layer) {
  for (const char* folder : {"bin", "etc", "tmp", "proc", "sys", "dev"}) {
    fs::create_directories(layer + "/" + folder);
  }
  fs::copy_file("/usr/bin/busybox", layer + "/bin/busybox");
  for (const char* applet :
       {"sh", "cat", "sleep", "echo",  "id",   "true", "kill",  "head", "ps", "hostname",
        "ls", "yes", "ln",    "mkdir", "grep", "stty", "touch", "test", "nc", "seq"}) {
    fs::create_symlink("busybox", layer + "/bin/" + applet);
  }
  std::ofstream(layer + "/etc/passwd") << "root:x:0:0:root:/root:/bin/sh\nweb:x:33:44::/:/bin/sh\n";
  std::ofstream(layer + "/etc/group") << "root:x:0:\nweb:x:44:\n";
}

// A network that gives pods an address and nothing else: they have their loopback.
void MakeNetwork(const std::string& configs, const std::string& plugins) {
  fs::create_directories(configs);
  fs::create_directories(plugins);
  std::ofstream(configs + "/10-test.conflist")
      << R"({"cniVersion": "1.0.0", "name": "test", "plugins": [{"type": "address"}]})";
  std::ofstream(plugins + "/address") << "#!/bin/sh\n"
                                         "[ \"$CNI_COMMAND\" = ADD ] || exit 0\n"
                                         "echo '{\"cniVersion\": \"1.0.0\", \"ips\": "
                                         "[{\"address\": \"10.99.0.2/24\"}]}'\n";
  fs::permissions(plugins + "/address", fs::perms(0755));
}

// Every image is one folder.
class FolderImages : public Images {
 public:
  explicit FolderImages(std::string folder) : folder_(std::move(folder)) {}
  absl::StatusOr<std::optional<ContainerImage>> Find(const std::string& image) override {
    if (image != "busybox") return std::optional<ContainerImage>();
    return ContainerImage{
        .id = "sha256:1", .ref = "sha256:1", .config = {.env = {"PATH=/bin"}, .cmd = {"/bin/sh"}}};
  }
  absl::StatusOr<std::vector<std::string>> Acquire(const std::string&,
                                                   const std::string&) override {
    return std::vector<std::string>{folder_};
  }
  void Release(const std::string&) override {}
  absl::Status FinishRecovery() override { return absl::OkStatus(); }

 private:
  const std::string folder_;
};

}  // namespace

RealPods::RealPods() {
  EXPECT_EQ(geteuid(), 0u) << "these tests need root";
  std::string name = "/tmp/bulkhead-pods-XXXXXX";
  EXPECT_NE(mkdtemp(name.data()), nullptr);
  root_ = name;
  fs::permissions(root_, fs::perms(0755));
  MakeLayer(root_ + "/layer");
  config_.daemon.state_dir = root_ + "/state";
  config_.daemon.data_dir = root_ + "/data";
  config_.daemon.supervisor = BULKHEAD_POD_PROGRAM;
  // Without dashes it is one slice too, for a systemd driver.
  config_.cgroup.default_parent = "/bulkhead_test_" + Mark();
  if (const char* driver = getenv("BULKHEAD_TEST_CGROUP_DRIVER")) config_.cgroup.driver = driver;
  config_.cgroup.supervisors = "bulkhead-test-supervisors-" + fs::path(root_).filename().string();
  config_.cni.config_dir = root_ + "/cni";
  config_.cni.netns_dir = root_ + "/netns";
  fs::create_directories(config_.daemon.state_dir);
  fs::create_directories(config_.daemon.data_dir);
  MakeNetwork(config_.cni.config_dir, root_ + "/plugins");
  auto network = network::Network::Create({.config_dir = config_.cni.config_dir,
                                           .plugin_dirs = {root_ + "/plugins"},
                                           .record_dir = root_ + "/data/network"});
  EXPECT_TRUE(network.ok()) << network.status();
  network_ = *std::move(network);
  Open();
}

RealPods::~RealPods() {
  if (pods_ != nullptr) {
    for (const PodStatus& pod : pods_->ListPodSandbox({})) {
      const absl::Status removed = pods_->RemovePodSandbox(pod.id);
      EXPECT_TRUE(removed.ok()) << removed;
    }
  }
  Close();
  EXPECT_TRUE(fs::is_empty(root_ + "/state/pods"));
  EXPECT_TRUE(fs::is_empty(root_ + "/data/containers"));
  EXPECT_THAT(LeftOnHost(), ::testing::IsEmpty());
  fs::remove_all(root_);
}

void RealPods::Open() {
  auto host = LinuxHost::Open(config_);
  ASSERT_TRUE(host.ok()) << host.status();
  options_.state_directory = config_.daemon.state_dir;
  options_.data_directory = config_.daemon.data_dir;
  options_.cgroup_parents = {.unnamed = config_.cgroup.default_parent,
                             .are_slices = config_.cgroup.driver == "systemd"};
  auto service = std::make_unique<Service>(
      options_, *std::move(host), std::make_unique<FolderImages>(root_ + "/layer"), network_.get());
  const absl::Status recovered = service->Recover();
  ASSERT_TRUE(recovered.ok()) << recovered;
  pods_ = std::move(service);
}

void RealPods::Close() { pods_.reset(); }

spec::PodSpec RealPods::PodOf(const std::string& name) {
  spec::PodSpec pod;
  pod.metadata = {.name = name, .uid = name + "-uid", .name_space = "test"};
  pod.hostname = name;
  pod.log_directory = root_ + "/logs";
  pod.security.namespaces = {.network = spec::NamespaceMode::kNode,
                             .pid = spec::NamespaceMode::kContainer};
  return pod;
}

spec::ContainerSpec RealPods::ContainerOf(const std::string& name, const std::string& script) {
  spec::ContainerSpec container;
  container.metadata = {.name = name};
  container.image = "busybox";
  container.command = {"/bin/sh", "-c", script};
  container.log_path = name + ".log";
  container.security.namespaces = {.network = spec::NamespaceMode::kNode,
                                   .pid = spec::NamespaceMode::kContainer};
  return container;
}

std::string RealPods::Run(const spec::PodSpec& pod) {
  const auto id = pods_->RunPodSandbox(pod);
  EXPECT_TRUE(id.ok()) << id.status();
  return id.value_or("");
}

std::string RealPods::Create(const std::string& pod_id, const spec::ContainerSpec& container) {
  const auto id = pods_->CreateContainer(pod_id, container);
  EXPECT_TRUE(id.ok()) << id.status();
  return id.value_or("");
}

std::string RealPods::Start(const std::string& pod_id, const spec::ContainerSpec& container) {
  const std::string id = Create(pod_id, container);
  const absl::Status started = pods_->StartContainer(id);
  EXPECT_TRUE(started.ok()) << started;
  return id;
}

ContainerStatus RealPods::StatusOf(const std::string& id) {
  const auto status = pods_->GetContainerStatus(id);
  EXPECT_TRUE(status.ok()) << status.status();
  return status.value_or(ContainerStatus());
}

ContainerStatus RealPods::AwaitExit(const std::string& id) {
  const auto events = pods_->SubscribeEvents();
  ContainerStatus status = StatusOf(id);
  while (!status.id.empty() && status.state != ContainerState::kExited) {
    const auto event = events->Next();
    if (!event.ok()) break;
    status = StatusOf(id);
  }
  return status;
}

std::string RealPods::LogOf(const spec::ContainerSpec& container) {
  return Slurp(root_ + "/logs/" + container.log_path);
}

std::string RealPods::AwaitLog(const spec::ContainerSpec& container, const std::string& text) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  std::string log = LogOf(container);
  // The writer is another process, whose file system may have no inotify.
  while (log.find(text) == std::string::npos && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    log = LogOf(container);
  }
  EXPECT_NE(log.find(text), std::string::npos) << log;
  return log;
}

std::vector<int> RealPods::Supervisors() {
  std::vector<int> pids;
  for (const PodStatus& pod : pods_->ListPodSandbox({})) {
    for (const auto& entry : fs::directory_iterator("/proc")) {
      const std::string line = Slurp(entry.path().string() + "/cmdline");
      const std::vector<std::string> parts = absl::StrSplit(line, '\0');
      if (std::count(parts.begin(), parts.end(), pod.id) > 0)
        pids.push_back(std::stoi(entry.path().filename()));
    }
  }
  return pids;
}

RealPods::HeldDescriptors RealPods::Held() {
  HeldDescriptors held;
  std::vector<int> pids = Supervisors();
  std::sort(pids.begin(), pids.end());
  pids.insert(pids.begin(), getpid());
  for (const int pid : pids) {
    // A supervisor's second thread has a table of its own.
    for (const auto& task : fs::directory_iterator(absl::StrCat("/proc/", pid, "/task"))) {
      if (pid == getpid() && task.path().filename() != std::to_string(pid)) continue;
      held.push_back(CountFiles<fs::directory_iterator>(task.path() / "fd"));
    }
  }
  return held;
}

void RealPods::AwaitHeld(const HeldDescriptors& expected, size_t skipped) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  const auto held = [&] {
    HeldDescriptors all = Held();
    all.erase(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(skipped));
    return all;
  };
  while (held() != expected && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::yield();
  }
  EXPECT_EQ(held(), expected);
}

std::string RealPods::LeafParent() {
  // One of the container's own processes; the commands' are in leaves below.
  const std::string id = pods_->ListContainers({}).at(0).id;
  const fs::path hybrid = "/sys/fs/cgroup/unified";
  for (const auto& tree : fs::directory_iterator(fs::exists(hybrid) ? hybrid : "/sys/fs/cgroup")) {
    if (!absl::StrContains(tree.path().string(), Mark())) continue;
    std::error_code error;
    for (fs::recursive_directory_iterator entry(tree, error), end; !error && entry != end;
         entry.increment(error)) {
      // A scope, with systemd's driver.
      if (absl::StrContains(entry->path().filename().string(), id)) return entry->path();
    }
  }
  ADD_FAILURE() << "the container's cgroup is not found";
  return "";
}

std::vector<std::string> RealPods::Leaves() {
  std::vector<std::string> leaves;
  std::error_code error;
  for (fs::directory_iterator entry(LeafParent(), error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename();
    if (absl::StartsWith(name, "exec-")) leaves.push_back(name);
  }
  return leaves;
}

void RealPods::AwaitNoLeaf() {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!Leaves().empty()) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "a leaf stays";
    std::this_thread::yield();
  }
}

std::string RealPods::Mark() const { return root_.substr(root_.rfind('-') + 1); }

std::vector<std::string> RealPods::LeftOnHost() const {
  const std::string name = Mark();
  std::vector<std::string> left;
  const std::string mounts = Slurp("/proc/self/mountinfo");
  for (const absl::string_view mount : absl::StrSplit(mounts, '\n')) {
    if (absl::StrContains(mount, name)) left.emplace_back(mount);
  }
  for (const auto& hierarchy : fs::directory_iterator("/sys/fs/cgroup")) {
    if (!hierarchy.is_directory()) continue;
    if (absl::StrContains(hierarchy.path().string(), name)) left.push_back(hierarchy.path());
    for (const auto& entry : fs::directory_iterator(hierarchy.path())) {
      if (absl::StrContains(entry.path().string(), name)) left.push_back(entry.path());
    }
  }
  return left;
}

}  // namespace bulkhead::pods
