#ifndef BULKHEAD_SHIM_IMAGE_REFERENCE_H_
#define BULKHEAD_SHIM_IMAGE_REFERENCE_H_

#include <string>

#include "absl/status/statusor.h"

namespace bulkhead::image {

// The name of an image in a registry, normalised as Docker does: "busybox" is
// docker.io/library/busybox:latest. At least one of tag and digest is set; where both are, the
// digest decides what is fetched.
struct Reference {
  std::string domain;  // "docker.io", "localhost:5000"
  std::string path;    // "library/busybox"
  std::string tag;     // "latest", empty if only a digest was given
  std::string digest;  // "sha256:…", empty if only a tag was given

  std::string Name() const { return domain + "/" + path; }
  std::string WithTag() const { return Name() + ":" + tag; }
  std::string WithDigest() const { return Name() + "@" + digest; }
  // What identifies the image: the digest form if there is a digest, else the tag form.
  std::string str() const { return digest.empty() ? WithTag() : WithDigest(); }

  friend bool operator==(const Reference&, const Reference&) = default;
};

// The grammar of the distribution project's references. INVALID_ARGUMENT says which part is wrong.
absl::StatusOr<Reference> ParseReference(const std::string& text);

}  // namespace bulkhead::image

#endif  // BULKHEAD_SHIM_IMAGE_REFERENCE_H_
