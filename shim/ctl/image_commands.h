#ifndef BULKHEAD_SHIM_CTL_IMAGE_COMMANDS_H_
#define BULKHEAD_SHIM_CTL_IMAGE_COMMANDS_H_

#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "shim/config/flags.h"
#include "shim/image/image_service.h"

namespace bulkhead::ctl {

// These work on the image store of the configured data directory, whether the daemon runs or not.

// PERMISSION_DENIED for anybody but root.
absl::StatusOr<std::unique_ptr<image::ImageService>> OpenImages(const config::Flags& flags);

absl::Status ImportImage(const config::Flags& flags, const std::string& path,
                         const std::vector<std::string>& names, std::ostream& out);
// All images, or those of one reference.
absl::Status ListImages(const config::Flags& flags, const std::string& reference, bool json,
                        std::ostream& out);
// Goes on past an image that is not there and returns the first error.
absl::Status RemoveImages(const config::Flags& flags, const std::vector<std::string>& images,
                          std::ostream& out);

}  // namespace bulkhead::ctl

#endif  // BULKHEAD_SHIM_CTL_IMAGE_COMMANDS_H_
