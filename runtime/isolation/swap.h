#ifndef BULKHEAD_RUNTIME_ISOLATION_SWAP_H_
#define BULKHEAD_RUNTIME_ISOLATION_SWAP_H_

namespace bulkhead::isolation {

// Whether the host has swap space; true when that cannot be read.
bool IsSwapInUse();

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_SWAP_H_
