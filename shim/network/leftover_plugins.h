#ifndef BULKHEAD_SHIM_NETWORK_LEFTOVER_PLUGINS_H_
#define BULKHEAD_SHIM_NETWORK_LEFTOVER_PLUGINS_H_

#include <string>
#include <vector>

namespace bulkhead::network {

// Ends the CNI plugins, with the programs that they started, which work for one of these pods. A
// daemon that was killed leaves them running, and an ADD that goes on behind the DEL of the next
// one would leave what nobody takes away. They are known by CNI_CONTAINERID in their
// environment, which what they start inherits. Waits for their end, a bounded time. For a daemon
// that runs no plugin yet.
void EndLeftoverPlugins(const std::vector<std::string>& pod_ids);

}  // namespace bulkhead::network

#endif  // BULKHEAD_SHIM_NETWORK_LEFTOVER_PLUGINS_H_
