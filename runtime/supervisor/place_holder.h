#ifndef BULKHEAD_RUNTIME_SUPERVISOR_PLACE_HOLDER_H_
#define BULKHEAD_RUNTIME_SUPERVISOR_PLACE_HOLDER_H_

#include <sys/types.h>

#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "runtime/isolation/systemd_cgroup.h"
#include "runtime/kernel/fd.h"

namespace bulkhead::supervisor {

// `program`, the supervisor's, waiting for the end of its standard input; ended and reaped by the
// destructor. It ends by itself when the caller does.
class IdleProcess : public isolation::PlaceHolder {
 public:
  static absl::StatusOr<std::unique_ptr<IdleProcess>> Start(int program);
  ~IdleProcess() override;
  IdleProcess(const IdleProcess&) = delete;
  IdleProcess& operator=(const IdleProcess&) = delete;

  pid_t pid() const override { return pid_; }

 private:
  IdleProcess(pid_t pid, UniqueFd input) : pid_(pid), input_(std::move(input)) {}

  const pid_t pid_;
  const UniqueFd input_;
};

}  // namespace bulkhead::supervisor

#endif  // BULKHEAD_RUNTIME_SUPERVISOR_PLACE_HOLDER_H_
