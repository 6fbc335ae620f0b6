#ifndef BULKHEAD_SHIM_CRI_LISTENER_H_
#define BULKHEAD_SHIM_CRI_LISTENER_H_

#include <sys/types.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/kernel/fd.h"

namespace bulkhead::cri {

// A listening unix(7) stream socket, 0660, at a path that is this process's alone for as long as
// the object lives: the lock on PATH.lock says so, and is freed by the kernel however the process
// ends. The lock file stays, because removing it would race. Not thread safe.
class Listener {
 public:
  // Makes the folder (0711) when it is missing. A socket that nobody listens on is replaced. The
  // new one belongs to this process's user and to `group`. Errors: ALREADY_EXISTS when a process
  // listens on it, FAILED_PRECONDITION when something else than a socket is there or others than
  // its owner may write to the folder, INVALID_ARGUMENT for a path that is relative or longer than
  // a socket's may be (107 bytes).
  static absl::StatusOr<Listener> Open(const std::string& path, gid_t group);

  Listener(Listener&&) = default;
  Listener& operator=(Listener&&) = delete;
  ~Listener() { Close(); }

  // Removes the socket, so that clients are refused at once; the path stays locked. May be
  // repeated.
  void Close();

  // Non-blocking; -1 once closed.
  int fd() const { return socket_.get(); }
  const std::string& path() const { return path_; }

 private:
  Listener(std::string path, UniqueFd lock, UniqueFd socket)
      : path_(std::move(path)), lock_(std::move(lock)), socket_(std::move(socket)) {}

  std::string path_;
  UniqueFd lock_;
  UniqueFd socket_;
};

}  // namespace bulkhead::cri

#endif  // BULKHEAD_SHIM_CRI_LISTENER_H_
