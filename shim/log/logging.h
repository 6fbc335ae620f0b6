#ifndef BULKHEAD_SHIM_LOG_LOGGING_H_
#define BULKHEAD_SHIM_LOG_LOGGING_H_

namespace bulkhead {

// Sends glog's lines to standard error alone, in the form that the kubelet's have: severity, date,
// time, thread, file and line. To be called once, first in main. `program` must live on.
void StartLogging(const char* program);

// How much VLOG prints. Thread safe; takes effect at once.
void SetVerbosity(int level);
int Verbosity();

}  // namespace bulkhead

#endif  // BULKHEAD_SHIM_LOG_LOGGING_H_
