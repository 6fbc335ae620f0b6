#ifndef BULKHEAD_SHIM_CRI_TRANSLATE_IMAGE_H_
#define BULKHEAD_SHIM_CRI_TRANSLATE_IMAGE_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "proto/cri/api.pb.h"
#include "shim/image/image.h"

// Pure functions between the image service's values and the CRI's.
namespace bulkhead::cri {

::runtime::v1::Image FromImage(const image::Image& image);
// What verbose status shows: one JSON object, without the image's environment.
std::string ImageInfo(const image::Image& image);

image::Auth ToAuth(const ::runtime::v1::AuthConfig& auth);

// The name or id in the request; INVALID_ARGUMENT when there is none.
absl::StatusOr<std::string> ToImageName(const ::runtime::v1::ImageSpec& image);

::runtime::v1::FilesystemUsage FromUsage(const image::FsUsage& usage, absl::Time at);

}  // namespace bulkhead::cri

#endif  // BULKHEAD_SHIM_CRI_TRANSLATE_IMAGE_H_
