#include "shim/network/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <filesystem>
#include <system_error>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/kernel/status.h"
#include "shim/network/loopback.h"

namespace bulkhead::network {
namespace {

absl::Status CheckName(const std::string& name) {
  if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat("network namespace name \"", name, "\" is not a file name"));
  }
  return absl::OkStatus();
}

absl::Status MakeDirectory(const std::string& dir) {
  std::error_code error;
  std::filesystem::create_directories(dir, error);
  if (error) return ErrnoStatus(error.value(), absl::StrCat("create directory ", dir));
  return absl::OkStatus();
}

// The mount point of the pin: an empty file that nobody can open for writing by accident.
absl::Status MakeMountPoint(const std::string& path) {
  UniqueFd file(open(path.c_str(), O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0444));
  if (file.valid()) return absl::OkStatus();
  if (errno == EEXIST) return absl::AlreadyExistsError(absl::StrCat(path, " already exists"));
  return ErrnoStatus(errno, absl::StrCat("create ", path));
}

// Runs on a thread of its own that ends right after, since a thread has no way back out of a
// namespace that a privileged caller is sure to be allowed.
absl::Status EnterAndPin(const std::string& path, int existing) {
  if (existing < 0 && unshare(CLONE_NEWNET) != 0) {
    return ErrnoStatus(errno, "create a network namespace");
  }
  if (existing >= 0 && setns(existing, CLONE_NEWNET) != 0) {
    return ErrnoStatus(errno, "enter the network namespace");
  }
  absl::Status status = SetLoopbackUp();
  if (!status.ok()) return status;
  // thread-self, not self: the other threads are in the host's network namespace.
  if (mount("/proc/thread-self/ns/net", path.c_str(), nullptr, MS_BIND, nullptr) != 0) {
    return ErrnoStatus(errno, absl::StrCat("bind the network namespace to ", path));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<PinnedNetns> PinnedNetns::Create(const std::string& dir, const std::string& name,
                                                int existing) {
  absl::Status status = CheckName(name);
  if (status.ok()) status = MakeDirectory(dir);
  const std::string path = absl::StrCat(dir, "/", name);
  if (status.ok()) status = MakeMountPoint(path);
  if (!status.ok()) return status;
  PinnedNetns pin(path);  // From here on an error undoes.
  try {
    std::thread([&] { status = EnterAndPin(path, existing); }).join();
  } catch (const std::system_error& error) {
    status = ErrnoStatus(error.code().value(), "start a thread to make a network namespace");
  }
  if (!status.ok()) return status;
  return pin;
}

PinnedNetns::PinnedNetns(PinnedNetns&& other) noexcept : path_(std::exchange(other.path_, {})) {}

PinnedNetns& PinnedNetns::operator=(PinnedNetns&& other) noexcept {
  std::swap(path_, other.path_);
  return *this;
}

PinnedNetns::~PinnedNetns() {
  // There is nobody to tell; what stays behind is found by its name at the next recovery.
  if (!path_.empty()) RemoveNetns(path_).IgnoreError();
}

std::string PinnedNetns::Keep() { return std::exchange(path_, {}); }

absl::Status RemoveNetns(const std::string& path) {
  // More than one mount can be stacked here when someone mounted the directory on itself meanwhile.
  // MNT_DETACH: a process that sits in the namespace must not be able to keep the pin.
  while (umount2(path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0) {
  }
  if (errno != EINVAL && errno != ENOENT) return ErrnoStatus(errno, absl::StrCat("unmount ", path));
  if (unlink(path.c_str()) != 0 && errno != ENOENT) {
    return ErrnoStatus(errno, absl::StrCat("remove ", path));
  }
  return absl::OkStatus();
}

absl::StatusOr<UniqueFd> OpenNetns(const std::string& path) {
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.valid()) return ErrnoStatus(errno, absl::StrCat("open network namespace ", path));
  struct statfs file_system;
  if (fstatfs(fd.get(), &file_system) != 0) return ErrnoStatus(errno, absl::StrCat("stat ", path));
  if (file_system.f_type != NSFS_MAGIC || ioctl(fd.get(), NS_GET_NSTYPE) != CLONE_NEWNET) {
    return absl::FailedPreconditionError(absl::StrCat(path, " is not a network namespace"));
  }
  return fd;
}

}  // namespace bulkhead::network
