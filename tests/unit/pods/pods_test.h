// The pod service over stand-ins.
#ifndef BULKHEAD_TESTS_UNIT_PODS_PODS_TEST_H_
#define BULKHEAD_TESTS_UNIT_PODS_PODS_TEST_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <string>
#include <utility>

#include "shim/pods/service.h"
#include "tests/unit/pods/fakes.h"

namespace bulkhead::pods {

class PodsTest : public ::testing::Test {
 protected:
  PodsTest();
  ~PodsTest() override;

  // The service of a restarted daemon; the one before, if any, goes on until the test ends.
  Service& Restart();

  static spec::PodSpec PodOf(const std::string& name);
  static spec::PodSpec HostNetworkPodOf(const std::string& name);
  static spec::ContainerSpec ContainerOf(const std::string& name);

  std::string Run(const spec::PodSpec& pod);
  std::string Create(const std::string& pod_id, const spec::ContainerSpec& container);
  std::string Start(const std::string& pod_id, const spec::ContainerSpec& container);
  ContainerStatus StatusOf(const std::string& id);
  ContainerStatus AwaitExit(const std::string& id);
  void AwaitNotReady(const std::string& pod_id);

  // The call on a thread of its own.
  template <typename Call>
  static auto Aside(Call call) {
    return std::async(std::launch::async, std::move(call));
  }

  // The files below the state and data directories.
  std::set<std::string> Files() const;
  // What the background is to take away.
  void AwaitNothingLeft();
  void ExpectNothingLeft();

  std::string root_;
  // Of the next Restart.
  bool kill_on_disconnect_ = false;
  uint32_t selinux_categories_ = policy::SelinuxLevels::kCategories;
  config::Config config_;
  Steps steps_;
  std::shared_ptr<FakeHost> host_ = std::make_shared<FakeHost>(steps_);
  std::shared_ptr<FakeImages> images_ = std::make_shared<FakeImages>(steps_);
  FakeNetwork network_{steps_};
  std::vector<std::unique_ptr<Service>> services_;
  Service* pods_ = nullptr;  // The newest.
};

}  // namespace bulkhead::pods

#endif  // BULKHEAD_TESTS_UNIT_PODS_PODS_TEST_H_
