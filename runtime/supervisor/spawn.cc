#include "runtime/supervisor/spawn.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "runtime/kernel/status.h"
#include "runtime/supervisor/bootstrap.h"
#include "runtime/supervisor/build_id.h"
#include "runtime/supervisor/socket_address.h"

namespace bulkhead::supervisor {
namespace {

// MFD_EXEC of Linux 6.3, absent from the headers of Debian 12.
constexpr unsigned kMfdExec = 0x10;
constexpr int kImageSeals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

// A file's bytes, mapped for reading.
class MappedFile {
 public:
  static absl::StatusOr<MappedFile> Of(int fd) {
    struct stat st;
    if (fstat(fd, &st) != 0) return ErrnoStatus(errno, "fstat");
    void* address = mmap(nullptr, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (address == MAP_FAILED) return ErrnoStatus(errno, "mmap");
    return MappedFile({static_cast<const char*>(address), static_cast<size_t>(st.st_size)});
  }
  MappedFile(MappedFile&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  MappedFile& operator=(MappedFile&&) = delete;
  ~MappedFile() {
    if (!bytes_.empty()) munmap(const_cast<char*>(bytes_.data()), bytes_.size());
  }

  std::string_view bytes() const { return bytes_; }

 private:
  explicit MappedFile(std::string_view bytes) : bytes_(bytes) {}
  std::string_view bytes_;
};

absl::StatusOr<UniqueFd> ExecutableMemfd() {
  constexpr unsigned kFlags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  // Without MFD_EXEC a host with vm.memfd_noexec=1 refuses to execute it; kernels before 6.3
  // refuse the flag.
  UniqueFd fd(memfd_create("bulkhead-pod", kFlags | kMfdExec));
  if (!fd.valid() && errno == EINVAL) fd.reset(memfd_create("bulkhead-pod", kFlags));
  if (!fd.valid()) return ErrnoStatus(errno, "memfd_create for the supervisor's image");
  return fd;
}

absl::StatusOr<UniqueFd> SealedImage(int program, size_t size) {
  absl::StatusOr<UniqueFd> image = ExecutableMemfd();
  if (!image.ok()) return image;
  off_t at = 0;
  while (static_cast<size_t>(at) < size) {
    const ssize_t n = sendfile(image->get(), program, &at, size - at);
    if (n <= 0) return ErrnoStatus(n == 0 ? EIO : errno, "copy the supervisor's image");
  }
  if (fcntl(image->get(), F_ADD_SEALS, kImageSeals) != 0) {
    return ErrnoStatus(errno, "seal the supervisor's image");
  }
  return image;
}

// The program of a running process, where it is a sealed memfd with these bytes; else none.
UniqueFd SameImageOf(pid_t pid, std::string_view bytes) {
  UniqueFd fd(open(absl::StrCat("/proc/", pid, "/exe").c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return UniqueFd();
  const int seals = fcntl(fd.get(), F_GET_SEALS);
  if (seals < 0 || (seals & kImageSeals) != kImageSeals) return UniqueFd();
  const absl::StatusOr<MappedFile> running = MappedFile::Of(fd.get());
  return running.ok() && running->bytes() == bytes ? std::move(fd) : UniqueFd();
}

absl::StatusOr<UniqueFd> BoundSocket(const std::string& path) {
  absl::StatusOr<SocketAddress> address = SocketAddress::Of(path);
  if (!address.ok()) return address.status();
  UniqueFd fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return ErrnoStatus(errno, "socket");
  // The supervisor itself calls listen(2): a client's SO_PEERCRED then tells its pid.
  if (bind(fd.get(), address->get(), address->size()) != 0) {
    return ErrnoStatus(errno, absl::StrCat("bind ", path));
  }
  return fd;
}

// Out of the way of the numbers that the supervisor expects its descriptors at.
absl::StatusOr<UniqueFd> MoveUp(UniqueFd fd) {
  UniqueFd moved(fcntl(fd.get(), F_DUPFD_CLOEXEC, kConnectionFd + 1));
  if (!moved.valid()) return ErrnoStatus(errno, "duplicate a descriptor");
  return moved;
}

// posix_spawn(3)'s description of the child.
class SpawnRecipe {
 public:
  explicit SpawnRecipe(const std::vector<GivenFd>& given) {
    posix_spawn_file_actions_init(&actions_);
    posix_spawnattr_init(&attributes_);
    int highest = 2;
    for (const GivenFd& fd : given) {
      posix_spawn_file_actions_adddup2(&actions_, fd.own, fd.childs);
      highest = std::max(highest, fd.childs);
    }
    for (const int fd : {0, 1, 2}) {
      const auto takes = [fd](const GivenFd& one) { return one.childs == fd; };
      if (std::any_of(given.begin(), given.end(), takes)) continue;
      posix_spawn_file_actions_addopen(&actions_, fd, "/dev/null", O_RDWR, 0);
    }
    posix_spawn_file_actions_addclosefrom_np(&actions_, highest + 1);
    posix_spawnattr_setflags(&attributes_,
                             POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    sigset_t signals;
    sigfillset(&signals);
    posix_spawnattr_setsigdefault(&attributes_, &signals);
    sigemptyset(&signals);
    posix_spawnattr_setsigmask(&attributes_, &signals);
  }
  SpawnRecipe(const SpawnRecipe&) = delete;
  SpawnRecipe& operator=(const SpawnRecipe&) = delete;
  ~SpawnRecipe() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }

  // Returns an errno.
  int Run(int program, std::string argument, pid_t& pid) const {
    // The caller's descriptor, as the child's own are closed by then.
    const std::string path = absl::StrCat("/proc/", getpid(), "/fd/", program);
    std::string name = "bulkhead-pod";
    char* argv[] = {name.data(), argument.data(), nullptr};
    char* envp[] = {nullptr};
    return posix_spawn(&pid, path.c_str(), &actions_, &attributes_, argv, envp);
  }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

}  // namespace

absl::StatusOr<SupervisorImage> SupervisorImage::Load(const std::string& path,
                                                      std::span<const pid_t> running) {
  UniqueFd program(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!program.valid()) return ErrnoStatus(errno, absl::StrCat("open ", path));
  absl::StatusOr<MappedFile> file = MappedFile::Of(program.get());
  if (!file.ok()) return Annotate(file.status(), path);
  std::string build = BuildIdOf(file->bytes());
  if (build.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(path, " is not a program with a build id"));
  }
  for (const pid_t pid : running) {
    UniqueFd image = SameImageOf(pid, file->bytes());
    if (image.valid()) return SupervisorImage(std::move(image), std::move(build));
  }
  absl::StatusOr<UniqueFd> image = SealedImage(program.get(), file->bytes().size());
  if (!image.ok()) return Annotate(image.status(), path);
  return SupervisorImage(*std::move(image), std::move(build));
}

absl::StatusOr<UniqueFd> SupervisorImage::Duplicate() const {
  UniqueFd fd(fcntl(image_.get(), F_DUPFD_CLOEXEC, 3));
  if (!fd.valid()) return ErrnoStatus(errno, "duplicate the supervisor's image");
  return fd;
}

absl::StatusOr<pid_t> SpawnProgram(int program, const std::string& argument,
                                   const std::vector<GivenFd>& given) {
  pid_t pid = 0;
  const int error = SpawnRecipe(given).Run(program, argument, pid);
  if (error != 0) return ErrnoStatus(error, "posix_spawn");
  return pid;
}

absl::StatusOr<SpawnedSupervisor> SpawnSupervisor(const SupervisorImage& image,
                                                  const std::string& pod_id,
                                                  const std::string& socket_path,
                                                  int error_output) {
  absl::StatusOr<UniqueFd> bound = BoundSocket(socket_path);
  if (!bound.ok()) return bound.status();
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0) {
    return ErrnoStatus(errno, "socketpair");
  }
  SpawnedSupervisor spawned{.connection = UniqueFd(pair[0])};
  absl::StatusOr<UniqueFd> connection = MoveUp(UniqueFd(pair[1]));
  absl::StatusOr<UniqueFd> listener = MoveUp(*std::move(bound));
  if (!connection.ok()) return connection.status();
  if (!listener.ok()) return listener.status();
  std::vector<GivenFd> given = {{listener->get(), kListenerFd}, {connection->get(), kConnectionFd}};
  if (error_output >= 0) given.insert(given.begin(), {error_output, 2});
  const absl::StatusOr<pid_t> pid = SpawnProgram(image.fd(), pod_id, given);
  if (!pid.ok()) {
    unlink(socket_path.c_str());
    return Annotate(pid.status(), "start the pod's supervisor");
  }
  spawned.pid = *pid;
  // Without a race: an unreaped child keeps its pid.
  spawned.pidfd.reset(syscall(SYS_pidfd_open, spawned.pid, 0));
  // On an error its connection closes, which ends it before it did anything.
  if (!spawned.pidfd.valid()) return ErrnoStatus(errno, "pidfd_open of the pod's supervisor");
  return spawned;
}

}  // namespace bulkhead::supervisor
