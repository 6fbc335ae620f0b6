#include "shim/cri/peers.h"

#include "absl/strings/numbers.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace bulkhead::cri {

void Peers::Add(int fd, const Peer& peer) {
  const std::lock_guard lock(mutex_);
  by_fd_.insert_or_assign(fd, peer);
}

Peer Peers::Find(const std::string& grpc_peer) const {
  absl::string_view number = grpc_peer;
  int fd = -1;
  if (!absl::ConsumePrefix(&number, "fd:") || !absl::SimpleAtoi(number, &fd)) return {};
  const std::lock_guard lock(mutex_);
  const auto found = by_fd_.find(fd);
  return found == by_fd_.end() ? Peer() : found->second;
}

}  // namespace bulkhead::cri
