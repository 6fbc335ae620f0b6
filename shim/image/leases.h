#ifndef BULKHEAD_SHIM_IMAGE_LEASES_H_
#define BULKHEAD_SHIM_IMAGE_LEASES_H_

#include <algorithm>
#include <map>
#include <string>
#include <vector>

namespace bulkhead::image {

// Which holder (a container) keeps which image's layers. In memory only. Not thread-safe.
class Leases {
 public:
  void Add(const std::string& holder, const std::string& image_id,
           std::vector<std::string> diff_ids) {
    leases_[holder] = {image_id, std::move(diff_ids)};
  }
  void Remove(const std::string& holder) { leases_.erase(holder); }

  bool HasImage(const std::string& image_id) const {
    return std::any_of(leases_.begin(), leases_.end(),
                       [&](const auto& lease) { return lease.second.image_id == image_id; });
  }
  bool HasLayer(const std::string& diff_id) const {
    return std::any_of(leases_.begin(), leases_.end(), [&](const auto& lease) {
      const auto& ids = lease.second.diff_ids;
      return std::find(ids.begin(), ids.end(), diff_id) != ids.end();
    });
  }

 private:
  struct Lease {
    std::string image_id;
    std::vector<std::string> diff_ids;
  };
  std::map<std::string, Lease> leases_;
};

}  // namespace bulkhead::image

#endif  // BULKHEAD_SHIM_IMAGE_LEASES_H_
