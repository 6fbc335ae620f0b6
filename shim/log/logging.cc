#include "shim/log/logging.h"

#include <glog/logging.h>

#include <atomic>

namespace bulkhead {

void StartLogging(const char* program) {
  FLAGS_logtostderr = true;
  FLAGS_log_year_in_prefix = false;  // As klog: I1123 07:50:00.123456
  google::InitGoogleLogging(program);
}

// glog reads the flag on each VLOG, so that writing it is all that a change takes.
void SetVerbosity(int level) { std::atomic_ref<int>(FLAGS_v).store(level); }

int Verbosity() { return std::atomic_ref<int>(FLAGS_v).load(); }

}  // namespace bulkhead
