#ifndef BULKHEAD_SHIM_IMAGE_LEASES_H_
#define BULKHEAD_SHIM_IMAGE_LEASES_H_

#include <algorithm>
#include <map>
#include <string>
#include <vector>

namespace bulkhead::image {

// Which holder (a container) keeps which images' layers. In memory only. Not thread-safe.
class Leases {
 public:
  void Add(const std::string& holder, const std::string& image_id,
           std::vector<std::string> diff_ids) {
    leases_[holder][image_id] = std::move(diff_ids);
  }
  void Remove(const std::string& holder) { leases_.erase(holder); }

  bool HasImage(const std::string& image_id) const {
    return std::any_of(leases_.begin(), leases_.end(),
                       [&](const auto& of) { return of.second.contains(image_id); });
  }
  bool HasLayer(const std::string& diff_id) const {
    return std::any_of(leases_.begin(), leases_.end(), [&](const auto& of) {
      return std::any_of(of.second.begin(), of.second.end(), [&](const auto& image) {
        const std::vector<std::string>& ids = image.second;
        return std::find(ids.begin(), ids.end(), diff_id) != ids.end();
      });
    });
  }

 private:
  using DiffIdsOfImages = std::map<std::string, std::vector<std::string>>;
  std::map<std::string, DiffIdsOfImages> leases_;
};

}  // namespace bulkhead::image

#endif  // BULKHEAD_SHIM_IMAGE_LEASES_H_
