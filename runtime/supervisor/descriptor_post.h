#ifndef BULKHEAD_RUNTIME_SUPERVISOR_DESCRIPTOR_POST_H_
#define BULKHEAD_RUNTIME_SUPERVISOR_DESCRIPTOR_POST_H_

#include <cstdint>
#include <vector>

#include "runtime/kernel/fd.h"
#include "runtime/supervisor/channel.h"

namespace bulkhead::supervisor {

// One end of a socket pair between two threads with descriptor tables of their own. What one
// sends is received in order; neither end waits for the other.
class DescriptorPost {
 public:
  explicit DescriptorPost(UniqueFd socket) : channel_(std::move(socket)) {}

  int fd() const { return channel_.fd(); }
  // Closes them here. The number is for the Receive of exactly these, from 1 upwards.
  uint64_t Send(std::vector<UniqueFd> fds);
  // None when they have not come, because the socket between the two is full. What was sent
  // before and not asked for is closed.
  std::vector<UniqueFd> Receive(uint64_t number);

 private:
  Channel channel_;
  uint64_t last_sent_ = 0;
};

}  // namespace bulkhead::supervisor

#endif  // BULKHEAD_RUNTIME_SUPERVISOR_DESCRIPTOR_POST_H_
