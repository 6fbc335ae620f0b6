#include "runtime/isolation/descriptors.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/kernel/mount.h"
#include "runtime/kernel/status.h"

namespace bulkhead::isolation {
namespace {

using Kind = DescriptorRequest::Kind;

absl::StatusOr<UniqueFd> OpenPath(const std::string& path, int flags) {
  UniqueFd fd(open(path.c_str(), flags | O_CLOEXEC | O_NOCTTY));
  if (!fd.valid()) return ErrnoStatus(errno, absl::StrCat("open ", path));
  return fd;
}

// Not blocking: an agent whose queue is full is as good as none.
absl::StatusOr<UniqueFd> ConnectAgent(const std::string& path) {
  sockaddr_un address = {.sun_family = AF_UNIX};
  if (path.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(absl::StrCat(path, " is too long for a socket"));
  }
  path.copy(address.sun_path, path.size());
  UniqueFd agent(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!agent.valid()) return ErrnoStatus(errno, "socket");
  if (connect(agent.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) {
    return agent;
  }
  // Not the errno's own code: a client would take NOT_FOUND for that of its container.
  return absl::FailedPreconditionError(
      ErrnoStatus(errno, absl::StrCat("connect to the seccomp agent ", path)).message());
}

absl::StatusOr<UniqueFd> Take(std::vector<UniqueFd>& from, size_t number, const char* what) {
  if (number < from.size() && from[number].valid()) return std::move(from[number]);
  return absl::InvalidArgumentError(
      absl::StrCat("the plan needs ", what, " ", number, ", ", from.size(), " are there"));
}

absl::StatusOr<UniqueFd> Open(const DescriptorRequest& request, std::vector<UniqueFd>& volumes,
                              std::vector<UniqueFd>& given) {
  switch (request.kind) {
    case Kind::kTree:
      return CloneTree(AT_FDCWD, request.path, TreeDepth::kOneMount);
    case Kind::kRecursiveTree:
      return CloneTree(AT_FDCWD, request.path, TreeDepth::kRecursive);
    case Kind::kReadOnly:
      return OpenPath(request.path, O_RDONLY);
    case Kind::kReadWrite:
      return OpenPath(request.path, O_RDWR);
    case Kind::kWriteOnly:
      return OpenPath(request.path, O_WRONLY);
    case Kind::kAppend:
      return OpenForAppending(request.path);
    case Kind::kSeccompAgent:
      return ConnectAgent(request.path);
    case Kind::kVolume:
      return Take(volumes, request.number, "volume");
    case Kind::kGiven:
      return Take(given, request.number, "descriptor");
  }
  return absl::InternalError("a descriptor of unknown kind");
}

}  // namespace

absl::StatusOr<UniqueFd> OpenForAppending(const std::string& path) {
  // O_NONBLOCK is for what is refused: a FIFO would wait for a reader.
  constexpr int kFlags =
      O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
  UniqueFd file(open(path.c_str(), kFlags, 0640));
  if (!file.valid()) return ErrnoStatus(errno, absl::StrCat("open ", path));
  struct stat st;
  if (fstat(file.get(), &st) != 0) return ErrnoStatus(errno, absl::StrCat("stat ", path));
  if (S_ISREG(st.st_mode)) return file;
  return absl::FailedPreconditionError(absl::StrCat(path, " is no regular file"));
}

plan::Fd DescriptorList::Add(Kind kind, std::string path) {
  requests_.push_back({.kind = kind, .path = std::move(path)});
  plan::Fd fd;
  fd.set_index(requests_.size() - 1);
  return fd;
}

plan::Fd DescriptorList::AddVolume(size_t number) {
  plan::Fd fd = Add(Kind::kVolume, "");
  requests_.back().number = number;
  return fd;
}

plan::Fd DescriptorList::AddGiven(size_t number) {
  plan::Fd fd = Add(Kind::kGiven, "");
  requests_.back().number = number;
  return fd;
}

absl::StatusOr<std::vector<UniqueFd>> OpenDescriptors(const DescriptorList& list,
                                                      std::vector<OpenedVolume> volumes,
                                                      std::vector<UniqueFd> given) {
  std::vector<UniqueFd> trees;
  for (OpenedVolume& volume : volumes) trees.push_back(std::move(volume.tree));
  std::vector<UniqueFd> fds;
  for (const DescriptorRequest& request : list.requests()) {
    absl::StatusOr<UniqueFd> fd = Open(request, trees, given);
    if (!fd.ok()) return fd.status();
    fds.push_back(*std::move(fd));
  }
  return fds;
}

}  // namespace bulkhead::isolation
