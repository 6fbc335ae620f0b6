#ifndef BULKHEAD_RUNTIME_SUPERVISOR_ATTACHED_CLIENTS_H_
#define BULKHEAD_RUNTIME_SUPERVISOR_ATTACHED_CLIENTS_H_

#include <array>
#include <cstddef>
#include <string_view>
#include <vector>

#include "runtime/kernel/fd.h"

namespace bulkhead::supervisor {

// The clients attached to one container: pipes that get copies of its output. Nobody waits for a
// client: one whose pipe does not take all that was written at once is detached, as a gap in its
// output would be worse, and a buffer for it would have no bound. Not thread safe.
class AttachedClients {
 public:
  // Takes writing ends and makes them non-blocking; either may be none. Number 0 is standard
  // output, 1 standard error.
  void Add(UniqueFd out, UniqueFd err);
  void Write(size_t stream, std::string_view chunk);
  // No more comes on this stream: the clients read its end.
  void End(size_t stream);
  // Closes the ends whose readers are gone.
  void DropClosed();

  size_t size() const { return clients_.size(); }

 private:
  using Client = std::array<UniqueFd, 2>;
  void EraseEmpty();

  std::vector<Client> clients_;
};

}  // namespace bulkhead::supervisor

#endif  // BULKHEAD_RUNTIME_SUPERVISOR_ATTACHED_CLIENTS_H_
