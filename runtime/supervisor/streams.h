#ifndef BULKHEAD_RUNTIME_SUPERVISOR_STREAMS_H_
#define BULKHEAD_RUNTIME_SUPERVISOR_STREAMS_H_

#include "absl/status/statusor.h"
#include "proto/plan.pb.h"
#include "runtime/isolation/launch.h"
#include "runtime/kernel/fd.h"

namespace bulkhead::supervisor {

// The pipes between a container and its supervisor; none with a terminal.
struct ContainerStreams {
  // The container's ends, to be closed once it was launched.
  UniqueFd in, out, err;
  // The supervisor's. `stdin_writer` only where standard input is to be kept open for attaching.
  UniqueFd stdin_writer, out_reader, err_reader;

  isolation::StandardStreams Borrow() const { return {in.get(), out.get(), err.get()}; }
};

absl::StatusOr<ContainerStreams> MakeStreams(const plan::StreamsPlan& plan, bool terminal);

}  // namespace bulkhead::supervisor

#endif  // BULKHEAD_RUNTIME_SUPERVISOR_STREAMS_H_
