#ifndef BULKHEAD_RUNTIME_SUPERVISOR_SPAWN_H_
#define BULKHEAD_RUNTIME_SUPERVISOR_SPAWN_H_

#include <sys/types.h>

#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/kernel/fd.h"

namespace bulkhead::supervisor {

// The supervisor's program as all supervisors of one build run it: a sealed memfd, so that
// nothing can write to it (CVE-2019-5736) and its pages are shared. Thread safe once made.
class SupervisorImage {
 public:
  // Reads the installed program. Where one of the processes `running` executes a sealed image
  // with the same bytes, that one is taken instead, so that a restarted daemon shares it too.
  static absl::StatusOr<SupervisorImage> Load(const std::string& path,
                                              std::span<const pid_t> running = {});

  int fd() const { return image_.get(); }
  // A duplicate to send along with a Reexec.
  absl::StatusOr<UniqueFd> Duplicate() const;
  // The linker's build id in hex, as HelloReply.build says it.
  const std::string& build() const { return build_; }

 private:
  SupervisorImage(UniqueFd image, std::string build)
      : image_(std::move(image)), build_(std::move(build)) {}

  UniqueFd image_;
  std::string build_;
};

// A descriptor of the caller's, and its number in a child.
struct GivenFd {
  int own = -1;
  int childs = -1;
};

// Starts the program, a descriptor of it, with one argument: a session of its own, no environment,
// /dev/null as standard streams, default signals, and none of the caller's descriptors but those
// `given`, whose own numbers must not be a child's. Safe in a program with threads.
absl::StatusOr<pid_t> SpawnProgram(int program, const std::string& argument,
                                   const std::vector<GivenFd>& given);

struct SpawnedSupervisor {
  pid_t pid = 0;
  // Signals and waits for exactly this process. A child of the caller, who reaps it with
  // waitid(P_PIDFD).
  UniqueFd pidfd;
  // The first connection, for SupervisorClient::Attach.
  UniqueFd connection;
};

// Starts a supervisor that listens at `socket_path`, which must not exist. Its standard error is
// `error_output`, -1 for /dev/null. When its first connection closes before SetupPod, it ends by
// itself.
absl::StatusOr<SpawnedSupervisor> SpawnSupervisor(const SupervisorImage& image,
                                                  const std::string& pod_id,
                                                  const std::string& socket_path,
                                                  int error_output = -1);

}  // namespace bulkhead::supervisor

#endif  // BULKHEAD_RUNTIME_SUPERVISOR_SPAWN_H_
