#ifndef BULKHEAD_TESTS_KERNEL_IMAGE_SCRATCH_H_
#define BULKHEAD_TESTS_KERNEL_IMAGE_SCRATCH_H_

#include <stdlib.h>

#include <filesystem>
#include <string>

namespace bulkhead::image {

// A directory for one test, removed with everything in it.
class Scratch {
 public:
  Scratch() {
    std::string pattern = std::filesystem::temp_directory_path() / "bulkhead-image-XXXXXX";
    path_ = mkdtemp(pattern.data());
  }
  ~Scratch() {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace bulkhead::image

#endif  // BULKHEAD_TESTS_KERNEL_IMAGE_SCRATCH_H_
