#include "shim/pods/image_leases.h"

#include <utility>

namespace bulkhead::pods {

absl::StatusOr<std::optional<ContainerImage>> ImageLeases::Find(const std::string& image) {
  absl::StatusOr<std::optional<image::Image>> found = images_->Find(image);
  if (!found.ok()) return found.status();
  if (!found->has_value()) return std::optional<ContainerImage>();
  image::Image& stored = **found;
  image::ImageConfig& config = stored.config;
  return ContainerImage{
      .id = stored.id,
      .ref = stored.repo_digests.empty() ? stored.id : stored.repo_digests.front(),
      .config = {.env = std::move(config.env),
                 .entrypoint = std::move(config.entrypoint),
                 .cmd = std::move(config.cmd),
                 .user = std::move(config.user),
                 .working_dir = std::move(config.working_dir)},
      .stop_signal = std::move(config.stop_signal)};
}

}  // namespace bulkhead::pods
