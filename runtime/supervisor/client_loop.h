#ifndef BULKHEAD_RUNTIME_SUPERVISOR_CLIENT_LOOP_H_
#define BULKHEAD_RUNTIME_SUPERVISOR_CLIENT_LOOP_H_

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/kernel/fd.h"

namespace bulkhead::supervisor {

class SupervisorClient;

// The one thread of the daemon that reads from the supervisors of all pods. Thread safe.
class ClientLoop {
 public:
  static absl::StatusOr<std::unique_ptr<ClientLoop>> Start();
  // All clients must be gone.
  ~ClientLoop();
  ClientLoop(const ClientLoop&) = delete;
  ClientLoop& operator=(const ClientLoop&) = delete;

 private:
  friend class SupervisorClient;
  ClientLoop(UniqueFd epoll, UniqueFd wake);

  // The loop keeps no client alive: one that is gone gets no more events.
  absl::Status Add(int fd, const std::shared_ptr<SupervisorClient>& client);
  absl::Status SetInterest(int fd, bool write);
  void Remove(int fd);
  bool OnLoopThread() const { return std::this_thread::get_id() == thread_.get_id(); }

  void Run();
  void OnReady(int fd, uint32_t events);

  UniqueFd epoll_;
  UniqueFd wake_;
  std::mutex mutex_;
  std::map<int, std::weak_ptr<SupervisorClient>> clients_;  // by descriptor
  std::thread thread_;
};

}  // namespace bulkhead::supervisor

#endif  // BULKHEAD_RUNTIME_SUPERVISOR_CLIENT_LOOP_H_
