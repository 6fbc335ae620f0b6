// Runs a classic BPF program on a system call without the kernel.
#ifndef BULKHEAD_RUNTIME_ISOLATION_SECCOMP_EVALUATE_H_
#define BULKHEAD_RUNTIME_ISOLATION_SECCOMP_EVALUATE_H_

#include <linux/seccomp.h>

#include <cstdint>
#include <optional>
#include <string>

namespace bulkhead::isolation {

// The SECCOMP_RET_* value of the filter for this call; none when the program is not one that the
// kernel would take or uses an instruction that filters do not need.
std::optional<uint32_t> EvaluateFilter(const std::string& program, const seccomp_data& data);

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_SECCOMP_EVALUATE_H_
