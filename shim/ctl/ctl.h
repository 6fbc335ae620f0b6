#ifndef BULKHEAD_SHIM_CTL_CTL_H_
#define BULKHEAD_SHIM_CTL_CTL_H_

#include <ostream>

namespace bulkhead::ctl {

inline constexpr int kFailed = 1;  // What was asked for could not be done.
inline constexpr int kUsage = 2;   // The command line is wrong.

// bulkheadctl: runs the command line and returns the exit status, 0 for success. Results go to
// `out`, an error as one line to `error`.
int Run(int argc, const char* const* argv, std::ostream& out, std::ostream& error);

}  // namespace bulkhead::ctl

#endif  // BULKHEAD_SHIM_CTL_CTL_H_
