#ifndef BULKHEAD_SHIM_NETWORK_NETWORK_RECORD_H_
#define BULKHEAD_SHIM_NETWORK_NETWORK_RECORD_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"
#include "shim/network/cni_config.h"
#include "shim/network/cni_plugin.h"

namespace bulkhead::network {

// All that a later DEL needs, so that it does not depend on the configuration of its day.
struct NetworkRecord {
  CniAttachment attachment;
  CniNetwork network;
  nlohmann::json capabilities = nlohmann::json::object();
  nlohmann::json result;  // Null until ADD was done.
};

nlohmann::json ToJson(const NetworkRecord& record);
// DATA_LOSS for what is no record, such as the empty file that a power loss leaves.
absl::StatusOr<NetworkRecord> ParseNetworkRecord(const std::string& text);

// One file a pod, `dir`/<pod id>.json, on a file system that outlives a reboot as the addresses
// that plugins reserved do. Replaced atomically but never flushed: after a power loss a file may be
// empty, its name still says which pod's DEL is owed. Thread safe for different pods.
class NetworkRecordStore {
 public:
  // Makes `dir` if it is missing, and clears what a crash left of a replacement. One store a
  // folder.
  static absl::StatusOr<NetworkRecordStore> Open(std::string dir);

  absl::Status Write(const NetworkRecord& record) const;
  // NOT_FOUND when there is none.
  absl::StatusOr<NetworkRecord> Read(const std::string& pod_id) const;
  // OK when there is none.
  absl::Status Remove(const std::string& pod_id) const;
  // The ids of the pods that have a record, sorted.
  absl::StatusOr<std::vector<std::string>> List() const;

 private:
  explicit NetworkRecordStore(std::string dir) : dir_(std::move(dir)) {}
  std::string PathOf(const std::string& pod_id) const;

  std::string dir_;
};

}  // namespace bulkhead::network

#endif  // BULKHEAD_SHIM_NETWORK_NETWORK_RECORD_H_
