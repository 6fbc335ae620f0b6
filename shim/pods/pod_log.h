#ifndef BULKHEAD_SHIM_PODS_POD_LOG_H_
#define BULKHEAD_SHIM_PODS_POD_LOG_H_

#include <string>

#include "shim/log/event.h"
#include "shim/pods/pod.h"

namespace bulkhead::pods {

// Events for the log, with the names that people know a pod and a container by, and their ids.
// They need no lock.
Event LogEvent(std::string what, const Pod& pod);
Event LogEvent(std::string what, const Pod& pod, const Container& container);

}  // namespace bulkhead::pods

#endif  // BULKHEAD_SHIM_PODS_POD_LOG_H_
