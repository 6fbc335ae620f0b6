// Disks of the daemon's own that are full.
#include <stdio.h>
#include <sys/mount.h>

#include <memory>
#include <optional>

#include "tests/fault/fault_test.h"

namespace bulkhead::fault {
namespace {

using fixture::Daemon;
using fixture::Must;
using testing::HasSubstr;

namespace fs = std::filesystem;
namespace v1 = ::runtime::v1;

// A tmpfs of 32 MiB that can be filled to the last byte.
class SmallDisk {
 public:
  explicit SmallDisk(const fs::path& path) : path_(path) {
    fs::create_directories(path_);
    if (mount("tmpfs", path_.c_str(), "tmpfs", 0, "size=32m") != 0) {
      throw std::runtime_error("a tmpfs cannot be mounted");
    }
  }
  ~SmallDisk() { umount2(path_.c_str(), MNT_DETACH); }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  const fs::path& path() const { return path_; }
  void Fill() {
    std::unique_ptr<FILE, int (*)(FILE*)> file(fopen(Filling().c_str(), "wb"), fclose);
    const std::string page(4096, 'x');
    while (fwrite(page.data(), 1, page.size(), file.get()) == page.size() &&
           fflush(file.get()) == 0) {
    }
  }
  void Free() { fs::remove(Filling()); }

 private:
  fs::path Filling() const { return path_ / "filling"; }

  fs::path path_;
};

class FullDisk : public FaultTest {
 protected:
  void SetUp() override {
    FaultTest::SetUp();
    disk_.emplace(folder() / "small");
  }
  void TearDown() override {
    client_.reset();
    small_.reset();
    disk_.reset();
    FaultTest::TearDown();
  }

  SmallDisk& disk() { return *disk_; }
  // A daemon of this test alone; `options` say what of it lies on the small disk.
  client::Client& Start(fixture::DaemonOptions options) {
    options.folder = folder();
    small_ = std::make_unique<Daemon>(options);
    client_ = Must(client::Client::Connect(small_->socket(), std::chrono::minutes(1)));
    Must(client_->PullImage(suite().busybox()));
    return *client_;
  }
  HostState TakeState() {
    const auto& options = small_->options();
    return HostState::Take({.folders = {options.state, options.data, options.folder / "netns"},
                            .cgroup_names = small_->cgroup_names()});
  }
  void ExpectStateAs(const HostState& before) {
    ExpectBecomes(before, [this] { return TakeState(); });
  }

  // Runs a container to its end in a new pod and takes both away.
  void ExpectPodsWork(client::Client& client) {
    const auto config = HostNetworkPodConfig();
    const std::string pod = Must(client.RunPodSandbox(config));
    const std::string id = Must(client.CreateContainer(pod, OnHostNetwork("exit 7"), config));
    Must(client.StartContainer(id));
    Await([&] { return Must(client.ContainerStatus(id)).status().exit_code() == 7; }, "exit 7");
    Must(client.StopPodSandbox(pod));
    Must(client.RemovePodSandbox(pod));
  }
  v1::ContainerConfig OnHostNetwork(const std::string& script) {
    auto config = Shell(script);
    config.mutable_linux()->mutable_security_context()->mutable_namespace_options()->set_network(
        v1::NODE);
    return config;
  }

 private:
  std::optional<SmallDisk> disk_;
  std::unique_ptr<Daemon> small_;
  std::unique_ptr<client::Client> client_;
};

TEST_F(FullDisk, OfTheStateRefusesPodsAndLeavesNothing) {
  auto& client = Start({.state = disk().path()});
  ExpectPodsWork(client);
  disk().Fill();
  const HostState before = TakeState();
  auto refused = client.RunPodSandbox(HostNetworkPodConfig()).status();
  EXPECT_FALSE(refused.ok());
  EXPECT_THAT(std::string(refused.message()), HasSubstr("space"));
  ExpectStateAs(before);
  disk().Free();
  ExpectPodsWork(client);
}

TEST_F(FullDisk, OfTheStateDoesNotKeepARunningPodFromItsEnd) {
  auto& client = Start({.state = disk().path()});
  const auto config = HostNetworkPodConfig();
  const std::string pod = Must(client.RunPodSandbox(config));
  const std::string id = Must(client.CreateContainer(
      pod,
      OnHostNetwork("trap 'exit 9' TERM; touch /tmp/ready; while :; do sleep 1000 & wait; done"),
      config));
  Must(client.StartContainer(id));
  Await(
      [&] {
        return Must(client.ExecSync(id, {"test", "-e", "/tmp/ready"})).exit_code == 0;
      },
      "the container's own progress");
  disk().Fill();
  EXPECT_TRUE(client.StopContainer(id, std::chrono::seconds(5)).ok());
  EXPECT_EQ(Must(client.ContainerStatus(id)).status().exit_code(), 9);
  auto stopped = client.StopPodSandbox(pod);
  EXPECT_TRUE(stopped.ok()) << stopped;
  auto removed = client.RemovePodSandbox(pod);
  EXPECT_TRUE(removed.ok()) << removed;
  EXPECT_TRUE(Must(client.ListPodSandbox()).empty());
}

TEST_F(FullDisk, OfTheDataRefusesContainersOrRunsThem) {
  auto& client = Start({.data = disk().path()});
  const auto config = HostNetworkPodConfig();
  const std::string pod = Must(client.RunPodSandbox(config));
  // The pod's own cgroup stays from its first container on.
  Must(client.RemoveContainer(Must(client.CreateContainer(pod, OnHostNetwork("true"), config))));
  disk().Fill();
  const HostState before = TakeState();
  auto created = client.CreateContainer(pod, OnHostNetwork("true"), config);
  if (created.ok()) {
    Must(client.RemoveContainer(*created));
  } else {
    EXPECT_THAT(std::string(created.status().message()), HasSubstr("space"));
  }
  ExpectStateAs(before);
  disk().Free();
  Must(client.StopPodSandbox(pod));
  Must(client.RemovePodSandbox(pod));
  ExpectPodsWork(client);
}

}  // namespace
}  // namespace bulkhead::fault
