#include "tests/fault/fault_test.h"

#include <algorithm>
#include <chrono>
#include <thread>

namespace bulkhead::fault {

namespace fs = std::filesystem;
using fixture::Must;
using fixture::ReadFile;
using fixture::WriteFile;

void FaultTest::SetUp() {
  // The first pod makes what stays for all: the bridge, the chains of the port mapping.
  static bool warm = false;
  if (!warm) {
    auto config = PodConfig();
    config.add_port_mappings()->set_container_port(80);
    config.mutable_port_mappings(0)->set_host_port(18080);
    const std::string id = Must(cri().RunPodSandbox(config));
    Must(cri().StopPodSandbox(id));
    Must(cri().RemovePodSandbox(id));
    warm = true;
  }
  before_ = HostState::Take(Scope());
}

void FaultTest::TearDown() {
  daemon().EnsureRuns();
  PodTest::TearDown();
  ExpectHostAsBefore();
}

HostState::Scope FaultTest::Scope() {
  const auto& options = daemon().options();
  return {.folders = {options.state, options.data, options.folder / "netns"},
          .cgroup_names = daemon().cgroup_names()};
}

void FaultTest::ExpectHostAsBefore() {
  ExpectBecomes(before_, [this] {
    // A call whose client left may have been finished since.
    RemoveAllPods();
    return HostState::Take(Scope());
  });
}

void FaultTest::ExpectBecomes(const HostState& before, const std::function<HostState()>& take) {
  std::vector<std::string> differences;
  const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(2);
  do {
    differences = before.DifferencesTo(take());
    if (differences.empty()) return;
    // Nothing tells when the last trace is gone.
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  } while (std::chrono::steady_clock::now() < end);
  EXPECT_THAT(differences, testing::IsEmpty());
}

void FaultTest::Crash() {
  daemon().Kill();
  daemon().Start();
}

pid_t FaultTest::SupervisorOf(const std::string& pod_id) {
  const pid_t pid = fixture::HostPid({"bulkhead-pod", pod_id});
  if (pid == 0) throw std::runtime_error("the pod has no supervisor");
  return pid;
}

void FaultTest::RemoveAllPods() {
  for (const auto& pod : Must(cri().ListPodSandbox())) {
    EXPECT_TRUE(cri().StopPodSandbox(pod.id()).ok());
    EXPECT_TRUE(cri().RemovePodSandbox(pod.id()).ok());
  }
}

void FaultTest::SetNetwork(const std::string& conflist) {
  const fs::path file = daemon().options().cni_config / "10-bridge.conflist";
  const std::string content =
      conflist.empty() ? fixture::BridgeConfig(daemon().options().data / "leases") : conflist;
  // Replaced in one step, so that no half of it is read.
  WriteFile(file.string() + ".new", content);
  fs::rename(file.string() + ".new", file);
}

void FaultTest::InstallPlugin(const std::string& name, const std::string& script) {
  const fs::path file = daemon().options().cni_plugins / name;
  WriteFile(file, "#!/bin/sh\n" + script);
  fs::permissions(file, fs::perms(0755));
}

std::string FaultTest::NetworkOf(const std::string& plugin) {
  return R"({"cniVersion": "1.0.0", "name": "faulty", "plugins": [{"type": ")" + plugin + R"("}]})";
}

}  // namespace bulkhead::fault
