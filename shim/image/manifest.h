#ifndef BULKHEAD_SHIM_IMAGE_MANIFEST_H_
#define BULKHEAD_SHIM_IMAGE_MANIFEST_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "shim/image/digest.h"
#include "shim/image/image.h"

namespace bulkhead::image {

// Limits on documents that a registry sends and that are held in memory.
inline constexpr uint64_t kMaxManifestSize = 4 << 20;
inline constexpr uint64_t kMaxConfigSize = 8 << 20;
// overlayfs takes at most 500 lower directories (OVL_MAX_STACK in the kernel).
inline constexpr size_t kMaxLayers = 500;

// OCI image-spec descriptor.md.
struct Descriptor {
  std::string media_type;
  Digest digest;
  uint64_t size = 0;
  std::map<std::string, std::string> annotations;
};

struct Platform {
  std::string os;
  std::string architecture;
  std::string variant;
};

// The platform that this program was built for.
Platform HostPlatform();

// An OCI image index or a Docker manifest list.
struct Index {
  struct Entry {
    Descriptor descriptor;
    std::optional<Platform> platform;
  };
  std::vector<Entry> entries;
};

// An OCI image manifest or a Docker image manifest of schema 2.
struct Manifest {
  Descriptor config;
  std::vector<Descriptor> layers;  // bottom first
};

// What the image configuration says.
struct ConfigFile {
  ImageConfig config;
  std::vector<std::string> diff_ids;  // bottom first
};

bool IsIndexType(const std::string& media_type);
bool IsManifestType(const std::string& media_type);

// The kind of document that `json` is: its own "mediaType", else `declared` (a Content-Type or a
// descriptor's), else what its fields show. The two must not contradict each other, and a
// document that could be read both as an index and as a manifest is refused (CVE-2021-41190).
absl::StatusOr<std::string> DocumentType(const std::string& json, const std::string& declared);

absl::StatusOr<Index> ParseIndex(const std::string& json);
absl::StatusOr<Manifest> ParseManifest(const std::string& json);

// Refuses images of another platform and malformed fields.
absl::StatusOr<ConfigFile> ParseConfigFile(const std::string& json, const Platform& platform);

// The entry to use on `platform`: one with the baseline variant, else one without a platform.
absl::StatusOr<Descriptor> SelectPlatform(const Index& index, const Platform& platform);

}  // namespace bulkhead::image

#endif  // BULKHEAD_SHIM_IMAGE_MANIFEST_H_
