// Files of the Container Device Interface (CDI), versions 0.3.0 to 1.1.0: what a vendor says has
// to be done to a container so that it can use a device. Source: the CDI specification, SPEC.md.
#ifndef BULKHEAD_SHIM_CDI_SPEC_FILE_H_
#define BULKHEAD_SHIM_CDI_SPEC_FILE_H_

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "shim/cdi/edits.h"

namespace bulkhead::cdi {

struct SpecFile {
  std::string kind;  // "vendor/class".
  Edits edits;       // For a container with any of the devices.
  std::map<std::string, Edits> devices;
};

// YAML, of which JSON is a part. INVALID_ARGUMENT with the place in the file and its value; keys
// that the specification does not have are refused, as what they ask would be passed over.
absl::StatusOr<SpecFile> ParseSpecFile(const std::string& text);

}  // namespace bulkhead::cdi

#endif  // BULKHEAD_SHIM_CDI_SPEC_FILE_H_
