#ifndef BULKHEAD_SHIM_NETWORK_CNI_WATCHER_H_
#define BULKHEAD_SHIM_NETWORK_CNI_WATCHER_H_

#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/kernel/fd.h"
#include "shim/network/cni_config.h"
#include "shim/network/directory_watch.h"

namespace bulkhead::network {

// Keeps the selected CNI configuration up to date with the configuration directory and the plugin
// folders. Network add-ons install both after the daemon has started, so none of the directories
// needs to exist. Thread safe; owns one thread, which its destructor ends.
class CniWatcher {
 public:
  // Reads the directories once before it returns.
  static absl::StatusOr<std::unique_ptr<CniWatcher>> Start(std::string config_dir,
                                                           std::vector<std::string> plugin_dirs);
  ~CniWatcher();

  std::shared_ptr<const CniSelection> Current() const;

 private:
  CniWatcher(std::string config_dir, std::vector<std::string> plugin_dirs, DirectoryWatch watch,
             UniqueFd stop);
  absl::Status Refresh();
  void Run();

  const std::string config_dir_;
  const std::vector<std::string> plugin_dirs_;
  DirectoryWatch watch_;  // Used by the thread alone once it runs.
  const UniqueFd stop_;   // eventfd; readable ends the thread.
  mutable std::mutex mutex_;
  std::shared_ptr<const CniSelection> current_;
  std::thread thread_;
};

}  // namespace bulkhead::network

#endif  // BULKHEAD_SHIM_NETWORK_CNI_WATCHER_H_
