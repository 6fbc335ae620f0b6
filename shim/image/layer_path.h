#ifndef BULKHEAD_SHIM_IMAGE_LAYER_PATH_H_
#define BULKHEAD_SHIM_IMAGE_LAYER_PATH_H_

#include <string>

#include "absl/status/statusor.h"

namespace bulkhead::image {

// The name of an archive member, checked and split.
struct LayerPath {
  std::string parent;  // "usr/bin", "" for the root
  std::string base;    // "ls", "" for the root itself

  std::string str() const { return parent.empty() ? base : parent + "/" + base; }
};

// What a member's name means for the layer (image-spec layer.md, "Whiteouts").
enum class MemberKind {
  kEntry,        // an ordinary file, directory …
  kWhiteout,     // ".wh.NAME": NAME of the layers below is gone
  kOpaque,       // ".wh..wh..opq": the directory hides those of the layers below
  kAufsMetadata  // other ".wh..wh." names: traces of old build hosts, without meaning
};

// Drops "./" and doubled or trailing slashes. INVALID_ARGUMENT for an empty or absolute name, one
// with "..", one of PATH_MAX bytes or more, or with a NUL byte.
absl::StatusOr<LayerPath> ParseLayerPath(const std::string& name);

// For kWhiteout, the name that is removed replaces `path.base`. INVALID_ARGUMENT for whiteouts
// of "", "." and "..", and for members below a whiteout.
absl::StatusOr<MemberKind> ClassifyMember(LayerPath& path);

// Whether an extended attribute of an archive is set on the unpacked file: user.*, file
// capabilities and ACLs. All others are the host's: trusted.overlay.* would rewire the overlay,
// labels belong to the LSM policy, IMA and EVM to the host's keys.
bool KeepsXattr(const std::string& name);

}  // namespace bulkhead::image

#endif  // BULKHEAD_SHIM_IMAGE_LAYER_PATH_H_
