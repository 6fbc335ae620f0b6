#include "runtime/supervisor/streams.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "runtime/kernel/status.h"

namespace bulkhead::supervisor {
namespace {

absl::Status MakePipe(UniqueFd& reader, UniqueFd& writer) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return ErrnoStatus(errno, "pipe for a container's stream");
  reader.reset(ends[0]);
  writer.reset(ends[1]);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ContainerStreams> MakeStreams(const plan::StreamsPlan& plan, bool terminal) {
  ContainerStreams streams;
  if (terminal) return streams;
  absl::Status status = MakePipe(streams.out_reader, streams.out);
  if (status.ok()) status = MakePipe(streams.err_reader, streams.err);
  if (status.ok() && plan.open_stdin()) status = MakePipe(streams.in, streams.stdin_writer);
  if (!status.ok()) return status;
  return streams;
}

}  // namespace bulkhead::supervisor
