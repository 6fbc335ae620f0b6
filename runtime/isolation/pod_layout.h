// The directories of the pod's mount namespace; there is nothing else in it.
#ifndef BULKHEAD_RUNTIME_ISOLATION_POD_LAYOUT_H_
#define BULKHEAD_RUNTIME_ISOLATION_POD_LAYOUT_H_

namespace bulkhead::isolation {

inline constexpr char kPodShm[] = "/shm";        // The pod's shared memory.
inline constexpr char kPodLayers[] = "/layers";  // Used in a container's copy of the namespace.
inline constexpr char kPodRoot[] = "/root";      // The same.
inline constexpr const char* kPodDirectories[] = {kPodShm, kPodLayers, kPodRoot};

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_POD_LAYOUT_H_
