// The device allowlist of cgroup v2: a BPF program of type BPF_PROG_TYPE_CGROUP_DEVICE.
#ifndef BULKHEAD_RUNTIME_ISOLATION_DEVICE_FILTER_H_
#define BULKHEAD_RUNTIME_ISOLATION_DEVICE_FILTER_H_

#include <linux/bpf.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/isolation/cgroup.h"

namespace bulkhead::isolation {

// The program that allows what a rule allows and nothing else; a pure function. INVALID_ARGUMENT:
// a type that is not 'a', 'b' or 'c'; an access that is not of "rwm".
absl::StatusOr<std::vector<bpf_insn>> CompileDeviceFilter(const std::vector<DeviceRule>& rules);

// Attaches it to a cgroup's directory in place of those attached there; at no moment is there
// none. Needs CAP_BPF and CAP_NET_ADMIN, or CAP_SYS_ADMIN.
absl::Status AttachDeviceFilter(const std::string& directory, const std::vector<DeviceRule>& rules);

// Whether a program is attached to it.
absl::StatusOr<bool> HasDeviceFilter(const std::string& directory);

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_DEVICE_FILTER_H_
