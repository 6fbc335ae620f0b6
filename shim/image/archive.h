#ifndef BULKHEAD_SHIM_IMAGE_ARCHIVE_H_
#define BULKHEAD_SHIM_IMAGE_ARCHIVE_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/kernel/fd.h"
#include "shim/image/image_service.h"
#include "shim/image/manifest.h"
#include "shim/image/unpack.h"

namespace bulkhead::image {

// One image of an archive, its layers not read yet.
struct ArchivedImage {
  struct Layer {
    std::string path;  // in the archive
    std::string blob;  // digest to verify, "" where the archive has none
  };
  std::string config_json;
  std::string manifest_json;    // "" in docker archives
  std::string manifest_digest;  // likewise
  std::vector<std::string> names;
  std::vector<Layer> layers;  // bottom first
};

// An unpacked image archive, or an OCI layout (image-spec image-layout.md). Its files are hostile:
// they are opened below the directory, and only regular ones. Thread-safe.
class Archive {
 public:
  explicit Archive(UniqueFd root) : root_(std::move(root)) {}

  // The images for this platform: of the layout's index where there is one, else of docker's
  // manifest.json.
  absl::StatusOr<std::vector<ArchivedImage>> Images() const;

  // Reads a layer to the sink, verified.
  absl::Status Read(const ArchivedImage::Layer& layer, const CallLimits& limits,
                    const ByteSink& sink) const;

 private:
  absl::StatusOr<std::string> ReadSmall(const std::string& path, uint64_t max_size) const;
  absl::StatusOr<std::string> ReadBlob(const Digest& digest, uint64_t max_size) const;
  absl::StatusOr<std::vector<ArchivedImage>> LayoutImages(const std::string& index_json) const;
  absl::StatusOr<ArchivedImage> LayoutImage(const Descriptor& descriptor) const;
  absl::StatusOr<std::vector<ArchivedImage>> DockerImages() const;

  UniqueFd root_;
};

// Copies a whole file to the sink.
absl::Status ReadFile(int fd, const CallLimits& limits, const ByteSink& sink);

}  // namespace bulkhead::image

#endif  // BULKHEAD_SHIM_IMAGE_ARCHIVE_H_
