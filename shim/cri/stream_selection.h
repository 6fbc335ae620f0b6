#ifndef BULKHEAD_SHIM_CRI_STREAM_SELECTION_H_
#define BULKHEAD_SHIM_CRI_STREAM_SELECTION_H_

#include "shim/cri/faults.h"
#include "shim/pods/attached_process.h"

namespace bulkhead::cri {

// The fields that ExecRequest and AttachRequest have in common.
template <typename Message>
pods::StreamSelection ToStreamSelection(const Message& request, Faults& faults) {
  const pods::StreamSelection streams = {.standard_input = request.stdin(),
                                         .standard_output = request.stdout(),
                                         .standard_error = request.stderr(),
                                         .terminal = request.tty()};
  if (!streams.standard_input && !streams.standard_output && !streams.standard_error) {
    faults.Invalid(Field("stdin"), "false, as stdout and stderr are; one has to be true");
  }
  if (streams.terminal && streams.standard_error) {
    faults.Invalid(Field("stderr"), "true together with tty; a terminal carries both as one");
  }
  return streams;
}

}  // namespace bulkhead::cri

#endif  // BULKHEAD_SHIM_CRI_STREAM_SELECTION_H_
