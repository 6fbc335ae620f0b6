#ifndef BULKHEAD_TESTS_FAULT_FAULT_TEST_H_
#define BULKHEAD_TESTS_FAULT_FAULT_TEST_H_

#include <filesystem>
#include <string>
#include <vector>

#include "tests/conformance/fixture/pod_test.h"
#include "tests/conformance/fixture/test_cgroup.h"
#include "tests/fault/host_state.h"

namespace bulkhead::fault {

// A test that injects a failure. When it ends, its pods are removed and the host must be as it
// was when it began.
class FaultTest : public fixture::PodTest {
 protected:
  void SetUp() override;
  void TearDown() override;

  fixture::Daemon& daemon() { return *suite().daemon(); }
  // Kills the daemon and starts it again.
  void Crash();
  // The process that holds a pod.
  pid_t SupervisorOf(const std::string& pod_id);
  // Removes every pod of the daemon, also those of calls that failed.
  void RemoveAllPods();

  // The network configuration that the daemon has from now on; the usual one when empty.
  void SetNetwork(const std::string& conflist);
  // A plugin of the given name, as a shell script that has the operation in $CNI_COMMAND.
  void InstallPlugin(const std::string& name, const std::string& script);
  // A configuration with only that plugin.
  static std::string NetworkOf(const std::string& plugin);

  // Fails unless the host becomes as it was at the beginning within some seconds: what goes on
  // after an answer, such as the end of a process, must end soon.
  void ExpectHostAsBefore();
  void ExpectBecomes(const HostState& before, const std::function<HostState()>& take);
  // Where this daemon may leave something.
  HostState::Scope Scope();

 private:
  HostState before_;
};

}  // namespace bulkhead::fault

#endif  // BULKHEAD_TESTS_FAULT_FAULT_TEST_H_
