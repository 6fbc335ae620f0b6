// A container with every mechanism of isolation on, and what can be seen of it.
#ifndef BULKHEAD_TESTS_FAULT_CONFINED_CONTAINER_H_
#define BULKHEAD_TESTS_FAULT_CONFINED_CONTAINER_H_

#include <filesystem>
#include <string>

#include "tests/conformance/client/client.h"

namespace bulkhead::fault {

namespace v1 = ::runtime::v1;

// A folder of the host that is a shared mount with another below; unmounted with the object.
class SharedFolder {
 public:
  explicit SharedFolder(std::filesystem::path path);
  ~SharedFolder();
  SharedFolder(const SharedFolder&) = delete;
  SharedFolder& operator=(const SharedFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// A shell script that tells what its process is and may do, without ids that differ from one run
// to the next.
const std::string& SelfReport();

// A container of `pod` that writes its SelfReport with `kReportEnd`, then sleeps. Its volumes are
// `folder` and below; mapped in a pod with a user namespace.
v1::ContainerConfig ConfinedContainer(const v1::PodSandboxConfig& pod, const std::string& image,
                                      const std::filesystem::path& folder);
inline constexpr char kReportEnd[] = "that is all";

// What the kernel says of a running container: `bulkheadctl isolation`, without what differs from
// one container or pod to the next. `status` is a verbose one.
std::string KernelReport(const v1::ContainerStatusResponse& status, const std::string& pod_id);

}  // namespace bulkhead::fault

#endif  // BULKHEAD_TESTS_FAULT_CONFINED_CONTAINER_H_
