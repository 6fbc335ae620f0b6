#ifndef BULKHEAD_SHIM_DAEMON_CALL_LOG_H_
#define BULKHEAD_SHIM_DAEMON_CALL_LOG_H_

#include <string>

#include "absl/status/status.h"
#include "shim/cri/call_record.h"

namespace bulkhead::daemon {

// How a finished RPC is logged. kDetail is shown from verbosity 2 on.
enum class CallSeverity { kDetail, kInfo, kWarning, kError };

// Calls that only read are details, for the kubelet makes some of them every second; so are their
// answers that there is no such thing. What was the caller's doing is a warning, what was ours an
// error.
CallSeverity SeverityOf(const std::string& method, const absl::Status& status);

// Writes the line of a finished RPC to the log.
void LogCall(const cri::CallRecord& record);

}  // namespace bulkhead::daemon

#endif  // BULKHEAD_SHIM_DAEMON_CALL_LOG_H_
