#include "runtime/supervisor/attached_clients.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace bulkhead::supervisor {
namespace {

// Whether the pipe took all of it.
bool WriteAll(int fd, std::string_view chunk) {
  while (!chunk.empty()) {
    const ssize_t n = write(fd, chunk.data(), chunk.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    chunk.remove_prefix(n);
  }
  return true;
}

bool ReaderIsGone(int fd) {
  pollfd polled = {.fd = fd, .events = 0};
  return poll(&polled, 1, 0) == 1 && (polled.revents & (POLLERR | POLLHUP)) != 0;
}

}  // namespace

void AttachedClients::Add(UniqueFd out, UniqueFd err) {
  Client client{std::move(out), std::move(err)};
  for (UniqueFd& end : client) {
    if (!end.valid()) continue;
    const int flags = fcntl(end.get(), F_GETFL);
    // One that would block is none.
    if (flags < 0 || fcntl(end.get(), F_SETFL, flags | O_NONBLOCK) != 0) end.reset();
  }
  clients_.push_back(std::move(client));
  EraseEmpty();
}

void AttachedClients::Write(size_t stream, std::string_view chunk) {
  bool detached = false;
  for (Client& client : clients_) {
    if (!client[stream].valid() || WriteAll(client[stream].get(), chunk)) continue;
    // With one stream cut, the other would tell half a story; a reader that closed one alone goes
    // on with the other.
    if (ReaderIsGone(client[stream].get())) {
      client[stream].reset();
    } else {
      client = {};
    }
    detached = true;
  }
  if (detached) EraseEmpty();
}

void AttachedClients::End(size_t stream) {
  for (Client& client : clients_) client[stream].reset();
  EraseEmpty();
}

void AttachedClients::DropClosed() {
  for (Client& client : clients_) {
    for (UniqueFd& end : client) {
      if (end.valid() && ReaderIsGone(end.get())) end.reset();
    }
  }
  EraseEmpty();
}

void AttachedClients::EraseEmpty() {
  std::erase_if(clients_,
                [](const Client& client) { return !client[0].valid() && !client[1].valid(); });
}

}  // namespace bulkhead::supervisor
