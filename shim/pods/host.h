// What the life cycle has done for it: the narrow interfaces to the kernel and to the pods'
// supervisors, so that its order, retries and races are tested without either.
#ifndef BULKHEAD_SHIM_PODS_HOST_H_
#define BULKHEAD_SHIM_PODS_HOST_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "proto/supervisor.pb.h"
#include "runtime/isolation/cgroup.h"
#include "runtime/isolation/comparison.h"
#include "runtime/isolation/id_map.h"
#include "runtime/kernel/fd.h"
#include "shim/pods/record.h"

namespace bulkhead::pods {

// What a supervisor needs to know to set its pod up.
struct PodSetup {
  const PodRecord& pod;
  // Of the PID 1 of a shared PID namespace; empty where there is none.
  std::string pid1_cgroup;
  // Of a pod with a user namespace of its own: it, and the IPC and UTS namespaces that it owns.
  std::vector<UniqueFd> user_namespace;
};

// Everything that the launch of a container takes.
struct ContainerLaunch {
  const PodRecord& pod;
  const ContainerRecord& container;
  std::string pod_directory;        // Holds resolv.conf, hostname and hosts.
  std::vector<std::string> layers;  // Directories, topmost first.
  // The same of the image volumes, by the images' names in the spec.
  std::map<std::string, std::vector<std::string>> volume_layers;
  std::string writable;           // Holds `upper` and `work`.
  std::string exit_record;        // A preallocated file.
  std::string seccomp_file;       // Where the container's filter is kept.
  std::string plan_file;          // And its plan.
  int32_t target_pid = 0;         // With NamespaceMode::kTarget.
  std::function<bool()> stopped;  // Whether the pod takes no containers any more.
  int cancel_fd = -1;             // Of hooks: borrowed, readable then; -1 without any.
};

struct LaunchedContainer {
  int32_t pid = 0;
  isolation::ResolvedUser user;
  std::string apparmor_profile;
};

struct StartedContainer {
  int64_t at = 0;   // Nanoseconds since the epoch.
  int32_t pid = 0;  // 0: that of LaunchedContainer.
};

// A command started in a running container.
class ExecProcess {
 public:
  virtual ~ExecProcess() = default;
  // Readable once the process ended or its supervisor was lost. Borrowed.
  virtual int ended_fd() const = 0;
  // How it ended, once ended_fd is readable. UNAVAILABLE: the supervisor was lost.
  virtual absl::StatusOr<supervisor::ExitRecord> Result() = 0;
  // To its process group. NOT_FOUND when it has ended.
  virtual absl::Status Signal(int signal, std::chrono::milliseconds timeout) = 0;
};

// The command's ends, borrowed; where there is none it has the null device. None with a terminal.
struct ExecStreams {
  int in = -1;
  int out = -1;
  int err = -1;
  bool terminal = false;
};

struct ExecStart {
  const PodRecord& pod;
  const ContainerRecord& container;
  std::vector<std::string> command;
  std::string leaf;          // The exec's own cgroup; empty: the container's.
  std::string seccomp_file;  // The container's filter.
  ExecStreams streams;
  // Until when it must have been executed; none: as long as any call may take.
  std::optional<std::chrono::steady_clock::time_point> deadline;
};

struct StartedExec {
  std::unique_ptr<ExecProcess> process;
  UniqueFd terminal;  // Its master, where one was asked for; non-blocking.
};

struct AttachStart {
  std::string id;
  // The writing ends of pipes; invalid: not asked for.
  UniqueFd out;
  UniqueFd err;
  bool in = false;
  // Whether the standard input ends with this client.
  bool in_once = false;
};

// One pod's supervisor, connected. Thread safe; calls block until the supervisor answers or a
// bound is over (DEADLINE_EXCEEDED). UNAVAILABLE once it is lost.
class PodSupervisor {
 public:
  virtual ~PodSupervisor() = default;

  // What it said when the connection was made.
  virtual const supervisor::HelloReply& hello() const = 0;
  // Returns the PID 1 of a shared PID namespace, 0 without one.
  virtual absl::StatusOr<int32_t> SetUp(PodSetup setup) = 0;
  // Everything up to the exec.
  virtual absl::StatusOr<LaunchedContainer> CreateContainer(const ContainerLaunch& launch) = 0;
  // Returns when it was released.
  virtual absl::StatusOr<StartedContainer> StartContainer(const std::string& id) = 0;
  // NOT_FOUND when the container has ended.
  virtual absl::Status SignalContainer(const std::string& id, int signal,
                                       std::chrono::milliseconds timeout) = 0;
  // NOT_FOUND when it does not know the container.
  virtual absl::Status RemoveContainer(const std::string& id) = 0;
  // Opens the file anew and hands it over.
  virtual absl::Status ReopenLog(const std::string& id, const std::string& log_path) = 0;
  // DEADLINE_EXCEEDED: what was started is killed.
  virtual absl::StatusOr<StartedExec> Exec(ExecStart start) = 0;
  // Returns the terminal's master where the container has one, else the writing end of its
  // standard input if that was asked for. UNIMPLEMENTED by a supervisor that is too old.
  virtual absl::StatusOr<UniqueFd> Attach(AttachStart start) = 0;
  // Whether it still answers.
  virtual absl::Status Ping(std::chrono::milliseconds timeout) = 0;
  // Asks it to end. Wait tells when it has.
  virtual absl::Status Shutdown(std::chrono::milliseconds timeout) = 0;
  // SIGKILL to exactly this process; works on a stopped one too.
  virtual void Kill() = 0;
  // Until the process is gone; reaps it. DEADLINE_EXCEEDED.
  virtual absl::Status Wait(absl::Time deadline) = 0;
};

// Both are called on one thread for all pods: they must not block. `on_lost` comes once, when the
// connection ends before the PodSupervisor is destroyed.
struct SupervisorCallbacks {
  std::function<void(const supervisor::Event&)> on_event;
  std::function<void(const absl::Status&)> on_lost;
};

// cgroups, network namespaces and supervisors of this host. Thread safe; blocks.
class Host {
 public:
  virtual ~Host() = default;

  // `directory` is the pod's own; the socket is made in it.
  virtual absl::StatusOr<std::shared_ptr<PodSupervisor>> SpawnSupervisor(
      const std::string& pod_id, const std::string& directory, SupervisorCallbacks callbacks) = 0;
  // UNAVAILABLE: there is no such supervisor any more. A supervisor that does not answer is
  // killed; that is UNAVAILABLE too.
  virtual absl::StatusOr<std::shared_ptr<PodSupervisor>> ConnectSupervisor(
      const std::string& directory, SupervisorCallbacks callbacks) = 0;

  // Ends a supervisor without a connection to it. OK when there is none.
  virtual absl::Status KillSupervisor(const std::string& directory, absl::Time deadline) = 0;

  // What SELinux's policy says of containers; null where there is none.
  virtual const isolation::SelinuxFacts* Selinux() const = 0;
  // As the policy writes it. INVALID_ARGUMENT when it has no such context.
  virtual absl::StatusOr<std::string> CanonicalSelinuxContext(const std::string& label) = 0;

  // A user namespace for a pod, and what it owns.
  virtual absl::StatusOr<isolation::OwnedNamespaces> CreateUserNamespace(
      const spec::UserNamespace& asked) = 0;
  // Where the pod's network namespace is, or would be, pinned.
  virtual std::string NetnsPath(const std::string& pod_id) const = 0;
  // Makes it, or takes the one that `network` refers to (-1: none), with its loopback up.
  virtual absl::Status CreateNetns(const std::string& pod_id, int network) = 0;
  // OK when it is not there.
  virtual absl::Status RemoveNetns(const std::string& path) = 0;

  virtual bool CgroupExists(const std::string& path) const = 0;
  // Makes it and its parents, with its limits, ready for a process.
  virtual absl::StatusOr<std::unique_ptr<isolation::CgroupHold>> CreateCgroup(
      const std::string& path, const spec::Resources& resources) = 0;
  // The devices of a container that is being made.
  virtual absl::Status Confine(const std::string& path, const spec::ContainerSpec& spec) = 0;
  // As CompareWithPlan does.
  virtual absl::StatusOr<std::vector<isolation::Comparison>> CompareIsolation(
      const PodRecord& pod, const ContainerRecord& container, const std::string& plan_file,
      int32_t pid) = 0;
  // Changes limits; what is 0 or empty is left alone.
  virtual absl::Status SetResources(const std::string& path, const spec::Resources& resources) = 0;
  // SIGKILL to all in it; OK when it does not exist. DEADLINE_EXCEEDED.
  virtual absl::Status KillCgroup(const std::string& path, absl::Time deadline) = 0;
  // Whether no process is in it or below.
  virtual absl::StatusOr<bool> CgroupIsEmpty(const std::string& path) = 0;
  // With those below it. OK when it does not exist.
  virtual absl::Status RemoveCgroup(const std::string& path, absl::Time deadline) = 0;
  // A cgroup below a container's, for one exec; returns its path.
  virtual absl::StatusOr<std::string> CreateExecLeaf(const std::string& container,
                                                     const std::string& name) = 0;
  // Those that are there.
  virtual std::vector<std::string> ExecLeavesOf(const std::string& container) = 0;
  // Never waits. False: something is in it.
  virtual absl::StatusOr<bool> RemoveExecLeaf(const std::string& leaf) = 0;
  // A file that inotify(7) tells changes of when the leaf becomes empty; empty where there is none.
  virtual std::string ExecLeafEvents(const std::string& leaf) const = 0;

  // A connected, non-blocking TCP socket to the localhost of a network namespace, or of the host
  // where the path is empty: IPv4, then IPv6; `bound` for each.
  virtual absl::StatusOr<UniqueFd> Connect(const std::string& netns, uint16_t port,
                                           std::chrono::milliseconds bound) = 0;
};

// What the life cycle asks of the image store.
struct ContainerImage {
  std::string id;
  std::string ref;  // By digest where there is one, else the id.
  spec::ImageConfig config;
  std::string stop_signal;
};

class Images {
 public:
  virtual ~Images() = default;
  // None when the image is not on this node.
  virtual absl::StatusOr<std::optional<ContainerImage>> Find(const std::string& image) = 0;
  // The layers' directories, topmost first, kept until Release, which ends all that the container
  // acquired. Idempotent.
  virtual absl::StatusOr<std::vector<std::string>> Acquire(const std::string& container_id,
                                                           const std::string& image_id) = 0;
  virtual void Release(const std::string& container_id) = 0;
  // Every lease of an earlier daemon was acquired again.
  virtual absl::Status FinishRecovery() = 0;
};

}  // namespace bulkhead::pods

#endif  // BULKHEAD_SHIM_PODS_HOST_H_
