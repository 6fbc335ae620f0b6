#ifndef BULKHEAD_TESTS_FAULT_HOST_STATE_H_
#define BULKHEAD_TESTS_FAULT_HOST_STATE_H_

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace bulkhead::fault {

// What a runtime may leave behind on a host, as seen from the calling process' namespaces.
class HostState {
 public:
  // What to look at besides the namespaces themselves.
  struct Scope {
    // Folders whose files count, such as state and data.
    std::vector<std::filesystem::path> folders;
    // Cgroups whose path has one of these in it count; other programs of the machine have
    // theirs in the same trees.
    std::vector<std::string> cgroup_names;
    // Programs whose descriptors, mounts and namespaces count, such as a pod's supervisor.
    std::vector<pid_t> programs = {};
    // Links, packet filters and sockets. Not looked at, it is much faster.
    bool network = true;
  };

  HostState() = default;
  static HostState Take(const Scope& scope);

  // "+ mount: …" for what `later` has more than this one, "- …" for what it has less.
  std::vector<std::string> DifferencesTo(const HostState& later) const;

 private:
  void Add(const std::string& kind, const std::string& what) { ++entries_[kind + ": " + what]; }
  void AddMounts();
  void AddProcesses();
  void AddCgroups(const std::vector<std::string>& names);
  void AddNetwork();
  void AddSockets();
  void AddProgram(pid_t pid);
  void AddFiles(const std::vector<std::filesystem::path>& folders);

  // How often each is there.
  std::map<std::string, int> entries_;
};

}  // namespace bulkhead::fault

#endif  // BULKHEAD_TESTS_FAULT_HOST_STATE_H_
