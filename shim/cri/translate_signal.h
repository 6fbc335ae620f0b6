#ifndef BULKHEAD_SHIM_CRI_TRANSLATE_SIGNAL_H_
#define BULKHEAD_SHIM_CRI_TRANSLATE_SIGNAL_H_

#include <string>

#include "absl/strings/string_view.h"
#include "proto/cri/api.pb.h"
#include "shim/cri/faults.h"

namespace bulkhead::cri {

// The name of a signal as images write it, "SIGTERM" or "SIGRTMIN+3"; empty for
// SIGNAL_RUNTIME_DEFAULT.
std::string ToSignalName(::runtime::v1::Signal signal, const Field& field, Faults& faults);

// The inverse; SIGNAL_RUNTIME_DEFAULT for what the CRI has no value for.
::runtime::v1::Signal FromSignalName(absl::string_view name);

}  // namespace bulkhead::cri

#endif  // BULKHEAD_SHIM_CRI_TRANSLATE_SIGNAL_H_
