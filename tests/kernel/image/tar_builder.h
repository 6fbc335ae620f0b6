#ifndef BULKHEAD_TESTS_KERNEL_IMAGE_TAR_BUILDER_H_
#define BULKHEAD_TESTS_KERNEL_IMAGE_TAR_BUILDER_H_

#include <cstdint>
#include <map>
#include <string>

namespace bulkhead::image {

// One member of a test archive, written byte for byte as asked, sensible or not.
struct TarMember {
  std::string name;
  char type = '0';  // ustar's typeflag
  std::string content;
  std::string link;
  uint32_t mode = 0644;
  uint32_t uid = 0;
  uint32_t gid = 0;
  uint32_t mtime = 1'600'000'000;
  uint32_t major = 0;
  uint32_t minor = 0;
  std::map<std::string, std::string> pax;  // records of an extended header before it
};

// Builds ustar/pax archives in memory.
class TarBuilder {
 public:
  TarBuilder& Add(const TarMember& member);
  TarBuilder& Dir(const std::string& name, uint32_t mode = 0755) {
    return Add({.name = name, .type = '5', .mode = mode});
  }
  TarBuilder& File(const std::string& name, const std::string& content = "") {
    return Add({.name = name, .content = content});
  }
  TarBuilder& Symlink(const std::string& name, const std::string& target) {
    return Add({.name = name, .type = '2', .link = target});
  }
  TarBuilder& HardLink(const std::string& name, const std::string& target) {
    return Add({.name = name, .type = '1', .link = target});
  }
  // With the end-of-archive marker.
  std::string Finish() const { return bytes_ + std::string(1024, '\0'); }

 private:
  void Header(const TarMember& member, uint64_t size);
  void Body(const std::string& content);
  std::string bytes_;
};

enum class Compression { kNone, kGzip, kZstd };
std::string Compress(const std::string& bytes, Compression compression);

}  // namespace bulkhead::image

#endif  // BULKHEAD_TESTS_KERNEL_IMAGE_TAR_BUILDER_H_
