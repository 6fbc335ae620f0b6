// What must survive the daemon: a file a pod on tmpfs, written as intent before each effect.
#ifndef BULKHEAD_SHIM_PODS_RECORD_H_
#define BULKHEAD_SHIM_PODS_RECORD_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"
#include "runtime/isolation/resolve.h"
#include "runtime/isolation/selinux.h"
#include "runtime/spec/container.h"
#include "runtime/spec/image_config.h"
#include "runtime/spec/pod.h"

namespace bulkhead::pods {

// A pod or container that is being made is undone after a crash; what follows is kept.
enum class PodPhase { kMaking, kReady, kNotReady };
enum class ContainerPhase { kMaking, kCreated, kStarting, kRunning, kExited };

struct ContainerRecord {
  std::string id;
  spec::ContainerSpec spec;   // As its handler's profile has it carried out.
  spec::Resources resources;  // As updated since.
  // As asked at creation, where that differs; tells a repeat of the creation.
  std::optional<spec::ContainerSpec> asked;
  ContainerPhase phase = ContainerPhase::kMaking;
  bool removing = false;   // To be finished after a crash.
  int64_t created_at = 0;  // Nanoseconds since the epoch, like the other two.
  int64_t started_at = 0;
  int64_t finished_at = 0;
  int32_t exit_code = 0;
  std::string reason;
  std::string message;
  std::string image_id;
  std::string image_ref;
  // The ids of the image volumes' images, by the names that the spec has. Empty in records of
  // versions without them.
  std::map<std::string, std::string> volume_images;
  // Kept, because the image may be removed while execs still need it.
  spec::ImageConfig image_config;
  std::string log_path;  // Empty: no log.
  isolation::ResolvedUser user;
  std::string stop_signal;
  std::string cgroup;
  // Its filter lies in a file of its own (Service::SeccompFileOf). False for a container of an
  // earlier version, whose filter follows from its spec.
  bool seccomp_kept = false;
  // That it was launched with, for its execs; empty: none.
  std::string apparmor_profile;
  // Of SELinux; the process has the first, for its execs too. Empty: none.
  isolation::SelinuxLabels selinux;
};

struct PodRecord {
  std::string id;
  // As its handler's profile has it carried out, with the ids of its user namespace.
  spec::PodSpec spec;
  std::optional<spec::PodSpec> asked;  // As in ContainerRecord.
  spec::PodResources resources;        // As updated since.
  PodPhase phase = PodPhase::kMaking;
  bool stopping = false;  // Both to be finished after a crash.
  bool removing = false;
  int64_t created_at = 0;
  std::string network_namespace;  // Path of the pin; empty for the host's.
  std::vector<std::string> ips;
  std::string cgroup;
  // Cgroups above the containers' that did not exist before this pod, or that another of our
  // pods made: whoever leaves last removes them. Outermost first.
  std::vector<std::string> made_cgroups;
  std::string reason;             // Of kNotReady.
  isolation::PodSelinux selinux;  // Empty: the pod was made without SELinux.
};

struct PodFile {
  PodRecord pod;
  std::vector<ContainerRecord> containers;
};

nlohmann::json ToJson(const PodFile& file);
// DATA_LOSS for what another version wrote or something damaged.
absl::StatusOr<PodFile> PodFileFromJson(const std::string& text);

// The pods' directories, STATE/pods/<id>. Thread safe for different pods.
class RecordStore {
 public:
  explicit RecordStore(std::string directory) : directory_(std::move(directory)) {}

  // Makes the directory that holds the pods'.
  absl::Status Open() const;
  std::string DirectoryOf(const std::string& pod_id) const { return directory_ + "/" + pod_id; }

  // Where the end of a container is recorded (exit_record.h), and its plan is kept (plan_file.h).
  std::string ExitRecordOf(const std::string& pod_id, const std::string& container_id) const {
    return DirectoryOf(pod_id) + "/exit." + container_id;
  }
  std::string PlanFileOf(const std::string& pod_id, const std::string& container_id) const {
    return DirectoryOf(pod_id) + "/plan." + container_id;
  }

  // Makes the pod's directory when it is missing.
  absl::Status Write(const PodFile& file) const;
  // NOT_FOUND when the pod's directory has no record: nothing was done for it yet.
  absl::StatusOr<PodFile> Read(const std::string& pod_id) const;
  // With all that lies in the pod's directory. OK when it is not there.
  absl::Status Remove(const std::string& pod_id) const;
  // The ids of the pods that have a directory.
  absl::StatusOr<std::vector<std::string>> List() const;

 private:
  std::string directory_;
};

}  // namespace bulkhead::pods

#endif  // BULKHEAD_SHIM_PODS_RECORD_H_
