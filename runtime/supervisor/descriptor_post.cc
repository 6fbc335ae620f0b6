#include "runtime/supervisor/descriptor_post.h"

#include <utility>

namespace bulkhead::supervisor {

uint64_t DescriptorPost::Send(std::vector<UniqueFd> fds) {
  Message message{.fds = std::move(fds)};
  message.packet.set_id(++last_sent_);
  static_cast<void>(channel_.Send(std::move(message)));
  return last_sent_;
}

std::vector<UniqueFd> DescriptorPost::Receive(uint64_t number) {
  while (true) {
    absl::StatusOr<std::optional<Message>> message = channel_.Receive();
    if (!message.ok() || !message->has_value()) return {};
    if ((*message)->packet.id() == number) return std::move((*message)->fds);
  }
}

}  // namespace bulkhead::supervisor
