#include "shim/cri/listener.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "runtime/kernel/process_lock.h"
#include "runtime/kernel/status.h"

namespace bulkhead::cri {
namespace {

constexpr mode_t kFolderMode = 0711;
constexpr mode_t kSocketMode = 0660;
constexpr int kBacklog = 1024;

absl::StatusOr<sockaddr_un> ToAddress(const std::string& path) {
  sockaddr_un address{};
  if (path.empty() || path.front() != '/') {
    return absl::InvalidArgumentError(absl::StrCat("socket ", path, " is not an absolute path"));
  }
  if (path.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(absl::StrCat("socket ", path, " is longer than the ",
                                                   sizeof(address.sun_path) - 1,
                                                   " bytes that a socket's path may have"));
  }
  address.sun_family = AF_UNIX;
  memcpy(address.sun_path, path.data(), path.size());
  return address;
}

absl::Status MakeFolder(const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(std::filesystem::path(folder).parent_path(), error);
  if (error) return ErrnoStatus(error.value(), absl::StrCat("make the parents of ", folder));
  if (mkdir(folder.c_str(), kFolderMode) != 0 && errno != EEXIST) {
    return ErrnoStatus(errno, absl::StrCat("mkdir ", folder));
  }
  return absl::OkStatus();
}

// Who can write to the folder can put a socket of his own in place of ours. A sticky folder such as
// /tmp lets nobody do that.
absl::Status CheckFolder(const std::string& folder) {
  struct stat info;
  if (stat(folder.c_str(), &info) != 0) return ErrnoStatus(errno, absl::StrCat("stat ", folder));
  if ((info.st_mode & (S_IWGRP | S_IWOTH)) != 0 && (info.st_mode & S_ISVTX) == 0) {
    return absl::FailedPreconditionError(absl::StrCat(
        "folder ", folder, " of the socket can be written to by others than its owner"));
  }
  return absl::OkStatus();
}

absl::Status InUse(const std::string& path) {
  return absl::AlreadyExistsError(absl::StrCat("another process listens on ", path));
}

absl::StatusOr<UniqueFd> Lock(const std::string& path) {
  absl::StatusOr<ProcessLock> lock = LockForProcess(path + ".lock");
  if (!lock.ok()) return lock.status();
  if (!lock->fd.valid()) return InUse(path);
  return std::move(lock->fd);
}

UniqueFd NewSocket() {
  return UniqueFd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

// Whether a process listens. A child of a daemon that was killed holds the socket until its exec;
// the connection made meanwhile is then reset, and the question asked again.
absl::StatusOr<bool> IsListenedOn(const std::string& path, const sockaddr_un& address) {
  constexpr int kPatience = 1000;  // Milliseconds.
  constexpr int kTries = 20;       // Of one that closes each connection at once.
  for (int i = 0; i < kTries; ++i) {
    const UniqueFd probe = NewSocket();
    if (!probe.valid()) return ErrnoStatus(errno, "socket");
    if (connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
      if (errno == EAGAIN) return true;  // Its backlog is full.
      if (errno == ECONNREFUSED) return false;
      return ErrnoStatus(errno, absl::StrCat("connect to ", path));
    }
    pollfd ended = {probe.get(), 0, 0};
    if (poll(&ended, 1, kPatience) == 0) return true;
  }
  return true;
}

// A daemon that died leaves its socket behind; connect(2) tells that from one of another program
// that lives and knows nothing of the lock.
absl::Status RemoveStale(const std::string& path, const sockaddr_un& address) {
  struct stat info;
  if (lstat(path.c_str(), &info) != 0) {
    return errno == ENOENT ? absl::OkStatus() : ErrnoStatus(errno, absl::StrCat("stat ", path));
  }
  if (!S_ISSOCK(info.st_mode)) {
    return absl::FailedPreconditionError(absl::StrCat(path, " is there and is not a socket"));
  }
  const absl::StatusOr<bool> live = IsListenedOn(path, address);
  if (!live.ok()) return live.status();
  if (*live) return InUse(path);
  if (unlink(path.c_str()) != 0) return ErrnoStatus(errno, absl::StrCat("remove ", path));
  return absl::OkStatus();
}

// Nobody can connect before listen(2), so mode and group are right for all.
absl::StatusOr<UniqueFd> Listen(const std::string& path, const sockaddr_un& address, gid_t group) {
  UniqueFd socket = NewSocket();
  if (!socket.valid()) return ErrnoStatus(errno, "socket");
  if (bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return ErrnoStatus(errno, absl::StrCat("bind ", path));
  }
  if (chown(path.c_str(), -1, group) != 0 || chmod(path.c_str(), kSocketMode) != 0 ||
      listen(socket.get(), kBacklog) != 0) {
    const int error = errno;
    unlink(path.c_str());
    return ErrnoStatus(error, absl::StrCat("listen on ", path));
  }
  return socket;
}

}  // namespace

absl::StatusOr<Listener> Listener::Open(const std::string& path, gid_t group) {
  const absl::StatusOr<sockaddr_un> address = ToAddress(path);
  if (!address.ok()) return address.status();
  const std::string folder = std::filesystem::path(path).parent_path();
  if (absl::Status made = MakeFolder(folder); !made.ok()) return made;
  if (absl::Status safe = CheckFolder(folder); !safe.ok()) return safe;
  absl::StatusOr<UniqueFd> lock = Lock(path);
  if (!lock.ok()) return lock.status();
  if (absl::Status removed = RemoveStale(path, *address); !removed.ok()) return removed;
  absl::StatusOr<UniqueFd> socket = Listen(path, *address, group);
  if (!socket.ok()) return socket.status();
  return Listener(path, *std::move(lock), *std::move(socket));
}

void Listener::Close() {
  if (!socket_.valid()) return;
  // The lock is held, so what is there is ours.
  unlink(path_.c_str());
  socket_.reset();
}

}  // namespace bulkhead::cri
