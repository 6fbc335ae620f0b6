// Devices of the Container Device Interface, from the files of its directories.
#ifndef BULKHEAD_SHIM_CDI_DEVICES_H_
#define BULKHEAD_SHIM_CDI_DEVICES_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/spec/container.h"

namespace bulkhead::cdi {

// The container that `spec` asks for with what its CDI devices need. The *.json and *.yaml files
// of the directories are read anew each time, so that a device is there as soon as its vendor's
// tool has written it; a later directory's device takes precedence over an earlier one's.
// NOT_FOUND for a device that is in no file, with the reasons of files that could not be read;
// FAILED_PRECONDITION for one that is in two files of a directory, and for a mount whose source
// is not there; UNIMPLEMENTED for one that needs what is not built. Each names CDI_devices[i].
absl::StatusOr<spec::ContainerSpec> AddDevices(const std::vector<std::string>& directories,
                                               spec::ContainerSpec spec);

}  // namespace bulkhead::cdi

#endif  // BULKHEAD_SHIM_CDI_DEVICES_H_
