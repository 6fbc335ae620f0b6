#ifndef BULKHEAD_SHIM_PODS_IMAGE_LEASES_H_
#define BULKHEAD_SHIM_PODS_IMAGE_LEASES_H_

#include "shim/image/image_service.h"
#include "shim/pods/host.h"

namespace bulkhead::pods {

// The image store as the life cycle sees it. The service outlives it.
class ImageLeases : public Images {
 public:
  explicit ImageLeases(image::ImageService* images) : images_(images) {}

  absl::StatusOr<std::optional<ContainerImage>> Find(const std::string& image) override;
  absl::StatusOr<std::vector<std::string>> Acquire(const std::string& container_id,
                                                   const std::string& image_id) override {
    return images_->Acquire(container_id, image_id);
  }
  void Release(const std::string& container_id) override { images_->Release(container_id); }
  absl::Status FinishRecovery() override { return images_->FinishRecovery(); }

 private:
  image::ImageService* const images_;
};

}  // namespace bulkhead::pods

#endif  // BULKHEAD_SHIM_PODS_IMAGE_LEASES_H_
