#ifndef BULKHEAD_SHIM_IMAGE_IMAGE_SERVICE_H_
#define BULKHEAD_SHIM_IMAGE_IMAGE_SERVICE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "shim/image/image.h"

namespace bulkhead::image {

struct ImageServiceOptions {
  std::string data_dir;   // made when absent; images.db, layers/ and ingest/ live in it
  std::string certs_dir;  // holds HOST/hosts.toml; may be empty or absent
  // Images with one of these references are reported as pinned.
  std::vector<std::string> pinned;
  int parallel_layers = 3;  // of one pull
  // A layer that unpacks to more than this is refused.
  uint64_t max_layer_bytes = uint64_t{64} << 30;
  uint64_t max_layer_entries = 4'000'000;
};

// When a call is given up: its client went away or its time is over.
struct CallLimits {
  std::stop_token stop;
  absl::Time deadline = absl::InfiniteFuture();
};

// The images of one data directory: pulled, imported, listed, removed, and their layers lent to
// containers. Thread-safe. Several processes may open the same directory: layers appear by
// rename, metadata is in SQLite and read anew by each call, and only a process that called
// FinishRecovery ever deletes a layer.
class ImageService {
 public:
  // Makes the directories and removes what interrupted pulls left behind.
  static absl::StatusOr<std::unique_ptr<ImageService>> Open(ImageServiceOptions options);
  ~ImageService();
  ImageService(const ImageService&) = delete;
  ImageService& operator=(const ImageService&) = delete;

  // Fetches the image of this platform from its registry, verified and unpacked. A pull of the
  // same reference with equal credentials that is under way is joined. Errors: INVALID_ARGUMENT
  // (reference or image malformed), NOT_FOUND, UNAUTHENTICATED, PERMISSION_DENIED, UNAVAILABLE
  // (registry unreachable), DATA_LOSS (digest mismatch), RESOURCE_EXHAUSTED (limits, disk full),
  // CANCELLED, DEADLINE_EXCEEDED.
  absl::StatusOr<Image> Pull(const std::string& reference, const Auth& auth,
                             const CallLimits& limits = {});

  // All images, or those that `reference` (as for Find) names.
  absl::StatusOr<std::vector<Image>> List(const std::string& reference = "") const;

  // By "sha256:…" id, unique prefix of an id's hex digits, tag reference or digest reference,
  // short forms normalised ("busybox" is docker.io/library/busybox:latest). A reference wins over
  // a prefix. INVALID_ARGUMENT for a prefix of several ids.
  absl::StatusOr<std::optional<Image>> Find(const std::string& image) const;

  // By id or prefix: the image with all its names. By tag or digest reference: that name, and the
  // image with its last one. What does not exist is OK. Layers leased to containers stay until
  // they are released.
  absl::Status Remove(const std::string& image);

  // Costs one query; nothing is walked.
  absl::StatusOr<FsUsage> Usage() const;

  // Keeps the layers of an image for `holder` (a container id) until Release, removed image or
  // not, and returns their directories, TOPMOST FIRST as overlayfs takes them. Idempotent; a holder
  // may have several images, which Release gives up together. Leases end with the process;
  // whoever holds one acquires it again before FinishRecovery.
  absl::StatusOr<std::vector<std::string>> Acquire(const std::string& holder,
                                                   const std::string& image_id);
  void Release(const std::string& holder);

  // All leases of an earlier process were acquired again: from here on layers that nobody needs
  // are deleted. Called once, by the daemon only.
  absl::Status FinishRecovery();

  // Reads a docker-archive or oci-archive (plain, gzip or zstd) or an OCI layout directory.
  // `names` are the tags the image gets, needed where the archive has none; they are for
  // archives of one image.
  absl::StatusOr<std::vector<Image>> Import(const std::string& path,
                                            const std::vector<std::string>& names,
                                            const CallLimits& limits = {});

 private:
  class Impl;
  explicit ImageService(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace bulkhead::image

#endif  // BULKHEAD_SHIM_IMAGE_IMAGE_SERVICE_H_
