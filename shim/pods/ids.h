#ifndef BULKHEAD_SHIM_PODS_IDS_H_
#define BULKHEAD_SHIM_PODS_IDS_H_

#include <string>

namespace bulkhead::pods {

// A new id of a sandbox or container: 64 lower-case hex digits of getrandom(2).
std::string NewId();

// Whether `id` could have been made by NewId.
bool IsId(const std::string& id);

}  // namespace bulkhead::pods

#endif  // BULKHEAD_SHIM_PODS_IDS_H_
