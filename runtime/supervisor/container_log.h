#ifndef BULKHEAD_RUNTIME_SUPERVISOR_CONTAINER_LOG_H_
#define BULKHEAD_RUNTIME_SUPERVISOR_CONTAINER_LOG_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "proto/state.pb.h"
#include "runtime/kernel/fd.h"
#include "runtime/supervisor/attached_clients.h"
#include "runtime/supervisor/log_format.h"
#include "runtime/supervisor/page_memory.h"

namespace bulkhead::supervisor {

// What a log has lost since its container started.
struct LogLossCount {
  uint64_t lines = 0;
  uint64_t bytes = 0;  // of payload
  int error_number = 0;

  bool operator==(const LogLossCount&) const = default;
};

// Memory that all logs use in turn.
class LogScratch {
 public:
  static constexpr size_t kChunk = 64 * 1024;

  char* chunk() { return chunk_.data(); }
  LogBuffer& out() { return out_; }

  // Remembers that so much of it was used.
  void Used(size_t bytes) { large_ = large_ || bytes > kSmall; }
  // Whether it holds more memory than an idle pod should.
  bool large() const { return large_; }
  void Release() {
    chunk_.Release();
    out_.Release();
    large_ = false;
  }

 private:
  static constexpr size_t kSmall = 4096;

  PageMemory chunk_{kChunk};
  LogBuffer out_;
  bool large_ = false;
};

// One container's output on its way into its log file. Reading never blocks; writing may, as
// long as the disk does. Not thread safe.
//
// When the file does not take a write (a full disk), whole records are dropped and counted, so
// that a later record begins on a line: the rest of a record that was begun is kept and goes
// first once the file takes bytes again.
class ContainerLog {
 public:
  enum Stream { kOut = 0, kErr = 1 };

  // Takes the descriptors in `state` over.
  explicit ContainerLog(const state::Log& state);

  // -1 once the stream has ended, or is none.
  int fd(Stream stream) const { return streams_[stream].fd.get(); }

  // Reads what there is, one chunk at most, and writes it. To be called when fd() is readable.
  void Pump(Stream stream, LogScratch& scratch);
  // From here on copies what is read to these pipes too; either may be none.
  void Attach(UniqueFd out, UniqueFd err);
  AttachedClients& clients() { return clients_; }
  // From here on writes to `file`.
  void Reopen(UniqueFd file);

  // The container has ended: what is in its pipes now is still to be written. A process that
  // outlived it can hold them open, so their end is not waited for.
  void Drain(LogScratch& scratch);
  // Once, when what Drain asked for is done.
  bool TakeDrained();

  const LogLossCount& loss() const { return loss_; }
  // The state with the descriptors' numbers; this object still owns them.
  state::Log Save() const;

 private:
  struct Source {
    UniqueFd fd;
    LogFormatter formatter;
    // Bytes that Drain still waits for.
    size_t due = 0;
  };

  void Format(Source& source, std::string_view chunk, LogScratch& scratch);
  void End(Stream stream, LogScratch& scratch);
  void FlushPartial(Source& source, LogScratch& scratch);
  void Write(LogBuffer& out);
  bool WriteTorn();
  void CountLost(std::string_view records);

  std::array<Source, 2> streams_;
  AttachedClients clients_;
  UniqueFd file_;
  bool terminal_;
  bool draining_ = false;
  std::string torn_;
  LogLossCount loss_;
};

}  // namespace bulkhead::supervisor

#endif  // BULKHEAD_RUNTIME_SUPERVISOR_CONTAINER_LOG_H_
