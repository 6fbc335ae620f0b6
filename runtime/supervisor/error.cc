#include "runtime/supervisor/error.h"

#include "runtime/isolation/launch.h"
#include "runtime/kernel/status.h"

namespace bulkhead::supervisor {

Error ErrorFromStatus(const absl::Status& status) {
  Error error;
  error.set_code(static_cast<int>(status.code()));
  error.set_message(std::string(status.message()));
  error.set_step(isolation::LaunchStepOf(status));
  error.set_error_number(ErrnoOf(status));
  return error;
}

absl::Status StatusFromError(const Error& error) {
  absl::StatusCode code = static_cast<absl::StatusCode>(error.code());
  // An Error is one, whatever its code claims.
  if (code == absl::StatusCode::kOk) code = absl::StatusCode::kUnknown;
  absl::Status status(code, error.message());
  if (error.error_number() != 0) status = WithErrno(std::move(status), error.error_number());
  return isolation::WithLaunchStep(std::move(status), error.step());
}

}  // namespace bulkhead::supervisor
