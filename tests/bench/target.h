#ifndef BULKHEAD_TESTS_BENCH_TARGET_H_
#define BULKHEAD_TESTS_BENCH_TARGET_H_

#include <sys/types.h>

#include <filesystem>
#include <memory>
#include <regex>
#include <string>
#include <vector>

#include "tests/conformance/client/client.h"

namespace bulkhead::bench {

namespace v1 = ::runtime::v1;

enum class PodNetwork { kHost, kCni };

// A runtime that is measured, and the pods that are made on it.
class Target {
 public:
  // `pod_processes` matches the command lines of what the runtime keeps for a pod, such as shims.
  Target(const std::string& endpoint, const std::string& pod_processes,
         const std::filesystem::path& log_folder);

  // "name version" as the runtime tells.
  const std::string& name() const { return name_; }
  client::Client& cri() { return *client_; }
  // The image that the containers run; it has to be pulled before.
  void set_image(const std::string& image) { image_ = image; }

  v1::PodSandboxConfig NewPod(PodNetwork network);
  // In the namespaces of `pod`.
  v1::ContainerConfig NewContainer(const v1::PodSandboxConfig& pod,
                                   const std::vector<std::string>& command);
  // A pod with one container that sleeps; the pod's id.
  std::string RunIdlePod(PodNetwork network);
  void RemovePod(const std::string& id);

  // Kibibytes of the daemon, and of all pod processes that came after this object.
  long DaemonPss() const;
  long PodProcessesPss() const;
  // Kibibytes that the daemon has resident, from when on its peak is counted; and that peak.
  long DaemonRssAndForgetPeak() const;
  long DaemonPeakRss() const;

 private:
  std::vector<pid_t> PodProcesses() const;

  std::unique_ptr<client::Client> client_;
  std::string name_;
  std::string image_;
  std::filesystem::path log_folder_;
  std::regex pod_processes_;
  pid_t daemon_;
  std::vector<pid_t> before_;
  int made_ = 0;
};

}  // namespace bulkhead::bench

#endif  // BULKHEAD_TESTS_BENCH_TARGET_H_
