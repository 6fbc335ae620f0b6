// What the mechanisms' inside steps have in common.
#ifndef BULKHEAD_RUNTIME_ISOLATION_STEPS_H_
#define BULKHEAD_RUNTIME_ISOLATION_STEPS_H_

#include <cerrno>

namespace bulkhead::isolation {

// How a step between clone and exec ended: 0 or the errno, and the path or value at fault, which
// points into the plan (or is null).
struct Outcome {
  int error = 0;
  const char* subject = nullptr;

  bool ok() const { return error == 0; }
};

// The outcome of a system call that returned `result`.
inline Outcome FromResult(long result, const char* subject = nullptr) {
  if (result >= 0) return {};
  return {.error = errno, .subject = subject};
}

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_STEPS_H_
