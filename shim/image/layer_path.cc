#include "shim/image/layer_path.h"

#include <limits.h>

#include <string_view>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace bulkhead::image {
namespace {

constexpr char kWhiteoutPrefix[] = ".wh.";
constexpr char kMetadataPrefix[] = ".wh..wh.";
constexpr char kOpaqueName[] = ".wh..wh..opq";

absl::Status Refuse(const std::string& name, const std::string& why) {
  return absl::InvalidArgumentError(
      absl::StrCat("\"", absl::CHexEscape(name.substr(0, 200)), "\": ", why));
}

}  // namespace

absl::StatusOr<LayerPath> ParseLayerPath(const std::string& name) {
  if (name.empty()) return Refuse(name, "the name is empty");
  if (name.size() >= PATH_MAX) return Refuse(name, "the name is too long");
  if (name.front() == '/') return Refuse(name, "the name is absolute");
  if (name.find('\0') != std::string::npos) return Refuse(name, "the name has a NUL byte");
  std::vector<std::string> parts;
  const std::vector<std::string> raw = absl::StrSplit(name, '/');
  for (const std::string& part : raw) {
    if (part == "..") return Refuse(name, "the name has \"..\"");
    if (!part.empty() && part != ".") parts.push_back(part);
  }
  LayerPath path;
  if (parts.empty()) return path;
  path.base = parts.back();
  parts.pop_back();
  path.parent = absl::StrJoin(parts, "/");
  return path;
}

absl::StatusOr<MemberKind> ClassifyMember(LayerPath& path) {
  const std::string full = "/" + path.str();
  if (path.base == kOpaqueName && full.find("/.wh.") == full.size() - path.base.size() - 1) {
    return MemberKind::kOpaque;
  }
  if (full.find(absl::StrCat("/", kMetadataPrefix)) != std::string::npos) {
    return MemberKind::kAufsMetadata;
  }
  if (("/" + path.parent).find("/.wh.") != std::string::npos) {
    return Refuse(path.str(), "lies below a whiteout");
  }
  if (!path.base.starts_with(kWhiteoutPrefix)) return MemberKind::kEntry;
  const std::string hidden = path.base.substr(sizeof(kWhiteoutPrefix) - 1);
  if (hidden.empty() || hidden == "." || hidden == "..") {
    return Refuse(path.str(), "is a whiteout of no file name");
  }
  path.base = hidden;
  return MemberKind::kWhiteout;
}

bool KeepsXattr(const std::string& name) {
  const std::string_view text = name;
  return (text.starts_with("user.") && !text.starts_with("user.overlay.")) ||
         text == "security.capability" || text == "system.posix_acl_access" ||
         text == "system.posix_acl_default";
}

}  // namespace bulkhead::image
