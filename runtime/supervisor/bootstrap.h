#ifndef BULKHEAD_RUNTIME_SUPERVISOR_BOOTSTRAP_H_
#define BULKHEAD_RUNTIME_SUPERVISOR_BOOTSTRAP_H_

namespace bulkhead::supervisor {

// How a new supervisor finds its descriptors: a bound unix socket that it listens on, and its
// first connection. Its only argument is the pod's id, for those who look at the process list.
inline constexpr int kListenerFd = 3;
inline constexpr int kConnectionFd = 4;

// How a re-executed one finds its state: `bulkhead-pod --resume FD POD`. Before that it is asked
// `bulkhead-pod --validate-state FD`, which exits with 0 when it could take the state over and
// otherwise says on standard error why not.
inline constexpr char kResumeFlag[] = "--resume";
inline constexpr char kValidateFlag[] = "--validate-state";

// `bulkhead-pod --idle` does nothing until its standard input ends.
inline constexpr char kIdleFlag[] = "--idle";

}  // namespace bulkhead::supervisor

#endif  // BULKHEAD_RUNTIME_SUPERVISOR_BOOTSTRAP_H_
