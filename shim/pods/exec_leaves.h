#ifndef BULKHEAD_SHIM_PODS_EXEC_LEAVES_H_
#define BULKHEAD_SHIM_PODS_EXEC_LEAVES_H_

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>

#include "runtime/kernel/fd.h"
#include "shim/pods/host.h"

namespace bulkhead::pods {

// Takes the commands' cgroups away: at once when its command left nothing, else when the last
// background child ends. The thread that waits for that begins with the first that has to wait;
// what it watches costs no descriptor. Thread safe.
class ExecLeaves {
 public:
  explicit ExecLeaves(std::shared_ptr<Host> host) : host_(std::move(host)) {}
  ~ExecLeaves();
  ExecLeaves(const ExecLeaves&) = delete;
  ExecLeaves& operator=(const ExecLeaves&) = delete;

  // Nobody needs it any more but the processes in it. Never waits for them.
  void Release(const std::string& leaf);

 private:
  // False: it has to be looked at again.
  bool Remove(const std::string& leaf);
  void RemoveSome();
  bool Watch(const std::string& leaf);
  // With mutex_ held.
  bool StartThread();
  void Run();
  void ReadEvents();
  // With mutex_ held.
  void LookAt(std::map<int, std::string>::iterator watched);

  const std::shared_ptr<Host> host_;
  std::mutex mutex_;
  std::map<int, std::string> watched_;  // By inotify's number.
  // Empty, but the kernel did not let them be removed yet. For the thread alone.
  std::set<int> again_;
  // Where there is nothing to watch: tried again with later ones.
  std::deque<std::string> unwatched_;
  UniqueFd inotify_;
  UniqueFd stop_;
  std::thread thread_;
};

}  // namespace bulkhead::pods

#endif  // BULKHEAD_SHIM_PODS_EXEC_LEAVES_H_
