// The pod service on the real kernel, with real supervisors; only the image is a plain folder.
#ifndef BULKHEAD_TESTS_KERNEL_PODS_REAL_PODS_H_
#define BULKHEAD_TESTS_KERNEL_PODS_REAL_PODS_H_

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include "shim/config/config.h"
#include "shim/network/network.h"
#include "shim/pods/pod_service.h"
#include "shim/pods/service.h"

namespace bulkhead::pods {

// How many files there are, of any kind or of one. Some may come or go meanwhile.
template <typename Iterator>
size_t CountFiles(const std::string& directory,
                  std::filesystem::file_type type = std::filesystem::file_type::none) {
  size_t count = 0;
  std::error_code error;
  for (Iterator entry(directory, error), end; !error && entry != end; entry.increment(error)) {
    std::error_code gone;
    if (type == std::filesystem::file_type::none || entry->symlink_status(gone).type() == type) {
      ++count;
    }
  }
  return count;
}

// BULKHEAD_TEST_CGROUP_DRIVER=systemd runs all of it with the other driver.
class RealPods : public ::testing::Test {
 protected:
  RealPods();
  ~RealPods() override;

  // Opens the service, or opens it anew as a restarted daemon does.
  void Open();
  // As a daemon that ends: its pods run on.
  void Close();

  spec::PodSpec PodOf(const std::string& name);
  // A container of busybox's shell.
  spec::ContainerSpec ContainerOf(const std::string& name, const std::string& script);
  std::string Run(const spec::PodSpec& pod);
  std::string Create(const std::string& pod_id, const spec::ContainerSpec& container);
  // Created and started.
  std::string Start(const std::string& pod_id, const spec::ContainerSpec& container);
  ContainerStatus StatusOf(const std::string& id);
  // Until the container has exited.
  ContainerStatus AwaitExit(const std::string& id);
  std::string LogOf(const spec::ContainerSpec& container);
  // Until the container's log has `text`; returns all of it.
  std::string AwaitLog(const spec::ContainerSpec& container, const std::string& text);
  // The supervisors' process ids.
  std::vector<int> Supervisors();

  // How many descriptors the daemon (this process) and each supervisor's threads have.
  using HeldDescriptors = std::vector<size_t>;
  HeldDescriptors Held();
  // Until they are so many, but for the first `skipped`.
  void AwaitHeld(const HeldDescriptors& expected, size_t skipped = 0);
  // Where the commands' cgroups of the only container are, and their names.
  std::string LeafParent();
  std::vector<std::string> Leaves();
  void AwaitNoLeaf();

  // The part of root_ that no other test's has.
  std::string Mark() const;
  // Mounts and cgroups of the host that bear this test's mark. Other tests may run beside it.
  std::vector<std::string> LeftOnHost() const;

  std::string root_;
  config::Config config_;
  Service::Options options_;
  std::unique_ptr<network::Network> network_;
  std::unique_ptr<PodService> pods_;
};

}  // namespace bulkhead::pods

#endif  // BULKHEAD_TESTS_KERNEL_PODS_REAL_PODS_H_
