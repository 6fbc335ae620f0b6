// Names of the Container Device Interface, as its specification has them.
#ifndef BULKHEAD_SHIM_CDI_DEVICE_NAME_H_
#define BULKHEAD_SHIM_CDI_DEVICE_NAME_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace bulkhead::cdi {

// "vendor/class=device" in its parts. INVALID_ARGUMENT says what is wrong with it.
struct DeviceName {
  std::string kind;
  std::string device;
};
absl::StatusOr<DeviceName> ParseDeviceName(absl::string_view name);

// "vendor/class", and a device's name by itself. INVALID_ARGUMENT says what is wrong.
absl::Status CheckKind(absl::string_view kind);
absl::Status CheckDevice(absl::string_view device);

}  // namespace bulkhead::cdi

#endif  // BULKHEAD_SHIM_CDI_DEVICE_NAME_H_
