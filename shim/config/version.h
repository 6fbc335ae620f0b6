#ifndef BULKHEAD_SHIM_CONFIG_VERSION_H_
#define BULKHEAD_SHIM_CONFIG_VERSION_H_

namespace bulkhead {

// "0.1.0": the version of this build, as CMake's project has it.
const char* Version();

}  // namespace bulkhead

#endif  // BULKHEAD_SHIM_CONFIG_VERSION_H_
