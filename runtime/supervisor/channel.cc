#include "runtime/supervisor/channel.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <memory>

#include "absl/strings/str_cat.h"
#include "runtime/kernel/status.h"

namespace bulkhead::supervisor {
namespace {

// What the peer may leave unread before the connection is given up: a supervisor must not grow
// because the daemon hangs.
constexpr size_t kQueueLimit = 512;
constexpr int kBodySeals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW;

absl::StatusOr<UniqueFd> SealedCopy(const std::string& bytes) {
  UniqueFd fd(memfd_create("bulkhead-message", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd.valid()) return ErrnoStatus(errno, "memfd_create for a message");
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t n = write(fd.get(), bytes.data() + done, bytes.size() - done);
    if (n < 0) return ErrnoStatus(errno, "write a message to its memfd");
    done += n;
  }
  if (fcntl(fd.get(), F_ADD_SEALS, kBodySeals | F_SEAL_SEAL) != 0) {
    return ErrnoStatus(errno, "seal a message");
  }
  return fd;
}

// Without the seals the peer could change the bytes while they are parsed, or cut them off.
absl::StatusOr<Packet> ReadSealed(const UniqueFd& fd) {
  const int seals = fcntl(fd.get(), F_GET_SEALS);
  if (seals < 0 || (seals & kBodySeals) != kBodySeals) {
    return absl::InvalidArgumentError("in_memfd: the descriptor is not a sealed memfd");
  }
  struct stat st;
  if (fstat(fd.get(), &st) != 0) return ErrnoStatus(errno, "fstat of a message's memfd");
  if (static_cast<size_t>(st.st_size) > kMessageLimit) {
    return absl::InvalidArgumentError(
        absl::StrCat("in_memfd: ", st.st_size, " bytes, over the limit of ", kMessageLimit));
  }
  const auto bytes = std::make_unique_for_overwrite<char[]>(st.st_size);
  if (pread(fd.get(), bytes.get(), st.st_size, 0) != st.st_size) {
    return ErrnoStatus(errno, "read a message's memfd");
  }
  Packet packet;
  if (!packet.ParseFromArray(bytes.get(), st.st_size)) {
    return absl::InvalidArgumentError("in_memfd: not a Packet");
  }
  return packet;
}

absl::Status CheckLimits(const Message& message, size_t size) {
  if (message.fds.size() > kFdsPerMessage) {
    return absl::InvalidArgumentError(absl::StrCat(
        "a message with ", message.fds.size(), " descriptors, over the limit of ", kFdsPerMessage));
  }
  if (size > kMessageLimit) {
    return absl::InvalidArgumentError(
        absl::StrCat("a message of ", size, " bytes, over the limit of ", kMessageLimit));
  }
  return absl::OkStatus();
}

// Takes over the descriptors of a received datagram, so that none is lost on an error.
std::vector<UniqueFd> TakeFds(msghdr& header) {
  std::vector<UniqueFd> fds;
  for (cmsghdr* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd;
      memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
      fds.emplace_back(fd);
    }
  }
  return fds;
}

}  // namespace

Channel::Channel(UniqueFd socket) : socket_(std::move(socket)) {
  fcntl(socket_.get(), F_SETFL, fcntl(socket_.get(), F_GETFL) | O_NONBLOCK);
}

absl::Status Channel::Send(Message message) {
  Packet& packet = message.packet;
  std::string bytes = packet.SerializeAsString();
  if (absl::Status status = CheckLimits(message, bytes.size()); !status.ok()) return status;
  const uint64_t id = packet.id();
  if (bytes.size() > kInlineLimit) {
    absl::StatusOr<UniqueFd> body = SealedCopy(bytes);
    if (!body.ok()) return body.status();
    message.fds.insert(message.fds.begin(), *std::move(body));
    Packet shell;
    shell.set_id(id);
    shell.set_in_memfd(true);
    bytes = shell.SerializeAsString();
  }
  Packet ahead;
  ahead.set_id(id);
  ahead.set_more_fds(true);
  auto next = std::make_move_iterator(message.fds.begin());
  const auto end = std::make_move_iterator(message.fds.end());
  while (end - next > static_cast<ptrdiff_t>(kFdsPerPacket)) {
    queue_.push_back({ahead.SerializeAsString(), {next, next + kFdsPerPacket}});
    next += kFdsPerPacket;
  }
  queue_.push_back({std::move(bytes), {next, end}});
  if (absl::Status status = Flush(); !status.ok()) return status;
  if (queue_.size() > kQueueLimit) {
    return absl::ResourceExhaustedError("the peer does not read its messages");
  }
  return absl::OkStatus();
}

absl::Status Channel::Flush() {
  while (!queue_.empty()) {
    const absl::StatusOr<bool> sent = TrySend(queue_.front());
    if (!sent.ok()) return sent.status();
    if (!*sent) break;
    queue_.pop_front();
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> Channel::TrySend(const Datagram& datagram) {
  alignas(cmsghdr) char control[CMSG_SPACE(kFdsPerPacket * sizeof(int))];
  iovec data = {const_cast<char*>(datagram.bytes.data()), datagram.bytes.size()};
  msghdr header = {};
  header.msg_iov = &data;
  header.msg_iovlen = 1;
  if (!datagram.fds.empty()) {
    header.msg_control = control;
    header.msg_controllen = CMSG_SPACE(datagram.fds.size() * sizeof(int));
    memset(control, 0, header.msg_controllen);
    cmsghdr* c = CMSG_FIRSTHDR(&header);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(datagram.fds.size() * sizeof(int));
    for (size_t i = 0; i < datagram.fds.size(); ++i) {
      const int fd = datagram.fds[i].get();
      memcpy(CMSG_DATA(c) + i * sizeof(int), &fd, sizeof(int));
    }
  }
  if (sendmsg(socket_.get(), &header, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) return true;
  if (errno == EAGAIN || errno == EINTR) return false;
  if (errno == EPIPE || errno == ECONNRESET) {
    return absl::UnavailableError("the peer closed the connection");
  }
  return ErrnoStatus(errno, "send a message");
}

absl::StatusOr<std::optional<Message>> Channel::Receive() {
  while (true) {
    absl::StatusOr<Datagram> datagram = ReadDatagram();
    if (absl::IsNotFound(datagram.status())) return std::nullopt;
    if (!datagram.ok()) return datagram.status();
    Message message;
    if (!message.packet.ParseFromString(datagram->bytes)) {
      return absl::InvalidArgumentError("a datagram that is not a Packet");
    }
    if (absl::Status s = Append(message.packet, std::move(datagram->fds)); !s.ok()) return s;
    if (message.packet.more_fds()) continue;
    message.fds = std::exchange(early_fds_, {});
    if (!message.packet.in_memfd()) return message;
    if (message.fds.empty()) return absl::InvalidArgumentError("in_memfd without a descriptor");
    absl::StatusOr<Packet> packet = ReadSealed(message.fds.front());
    if (!packet.ok()) return packet.status();
    if (packet->id() != message.packet.id() || packet->in_memfd() || packet->more_fds()) {
      return absl::InvalidArgumentError("in_memfd: the packet does not belong to its datagram");
    }
    message.packet = *std::move(packet);
    message.fds.erase(message.fds.begin());
    return message;
  }
}

// NOT_FOUND when there is none.
absl::StatusOr<Channel::Datagram> Channel::ReadDatagram() {
  // A buffer of its own each time: an idle connection holds no memory.
  const size_t size = kInlineLimit + 1;
  const auto buffer = std::make_unique_for_overwrite<char[]>(size);
  alignas(cmsghdr) char control[CMSG_SPACE(kFdsPerPacket * sizeof(int))];
  iovec data = {buffer.get(), size};
  msghdr header = {};
  header.msg_iov = &data;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof(control);
  ssize_t n;
  do {
    n = recvmsg(socket_.get(), &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  } while (n < 0 && errno == EINTR);
  if (n < 0 && errno == EAGAIN) return absl::NotFoundError("no datagram");
  if (n < 0 && errno != ECONNRESET) return ErrnoStatus(errno, "receive a message");
  if (n <= 0) return absl::UnavailableError("the peer closed the connection");
  Datagram datagram{std::string(buffer.get(), n), TakeFds(header)};
  if ((header.msg_flags & MSG_TRUNC) != 0) {
    return absl::DataLossError(absl::StrCat("a datagram over ", kInlineLimit, " bytes"));
  }
  // Set when descriptors did not fit, or this process has no room for more of them (EMFILE).
  if ((header.msg_flags & MSG_CTRUNC) != 0) {
    return absl::DataLossError("descriptors of a datagram were lost");
  }
  return datagram;
}

absl::Status Channel::Append(const Packet& packet, std::vector<UniqueFd> fds) {
  if (!early_fds_.empty() && packet.id() != early_id_) {
    return absl::InvalidArgumentError("more_fds: another packet came in between");
  }
  if (packet.more_fds() && (packet.body_case() != Packet::BODY_NOT_SET || fds.empty())) {
    return absl::InvalidArgumentError("more_fds: a packet with a body, or without descriptors");
  }
  // One more than a message may have: the body's memfd.
  if (early_fds_.size() + fds.size() > kFdsPerMessage + 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("more_fds: over the limit of ", kFdsPerMessage, " descriptors"));
  }
  early_id_ = packet.id();
  std::move(fds.begin(), fds.end(), std::back_inserter(early_fds_));
  return absl::OkStatus();
}

absl::StatusOr<bool> PeerIsRoot(int socket) {
  ucred peer = {};
  socklen_t size = sizeof(peer);
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
    return ErrnoStatus(errno, "SO_PEERCRED");
  }
  return peer.uid == 0;
}

}  // namespace bulkhead::supervisor
