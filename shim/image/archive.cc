#include "shim/image/archive.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "runtime/kernel/status.h"
#include "shim/image/http.h"
#include "shim/image/reference.h"
#include "shim/image/tree.h"

namespace bulkhead::image {
namespace {

using Json = nlohmann::json;

constexpr size_t kReadSize = 256 << 10;
constexpr int kMaxIndexDepth = 4;

// containerd writes the whole name, the layout's own annotation is often only a tag.
std::vector<std::string> NamesOf(const Descriptor& descriptor) {
  for (const char* key : {"io.containerd.image.name", "org.opencontainers.image.ref.name"}) {
    const auto found = descriptor.annotations.find(key);
    if (found == descriptor.annotations.end()) continue;
    if (found->second.find('/') != std::string::npos && ParseReference(found->second).ok()) {
      return {found->second};
    }
  }
  return {};
}

absl::StatusOr<UniqueFd> OpenRegular(int root, const std::string& path) {
  const std::string shown = "archive member " + absl::CHexEscape(path.substr(0, 200));
  auto fd = OpenBeneath(root, path, O_RDONLY | O_NONBLOCK);  // a FIFO must not hold us
  if (!fd.ok()) return Annotate(fd.status(), shown);
  struct stat st;
  if (fstat(fd->get(), &st) != 0) return ErrnoStatus(errno, "fstat " + shown);
  if (!S_ISREG(st.st_mode)) return absl::InvalidArgumentError(shown + ": not a regular file");
  return fd;
}

bool IsArrayOfStrings(const Json& json) {
  return json.is_array() &&
         std::all_of(json.begin(), json.end(), [](const Json& one) { return one.is_string(); });
}

bool FitsThisHost(const Index::Entry& entry) {
  if (!entry.platform) return true;
  return SelectPlatform(Index{{entry}}, HostPlatform()).ok();
}

}  // namespace

absl::Status ReadFile(int fd, const CallLimits& limits, const ByteSink& sink) {
  std::string buffer(kReadSize, '\0');
  while (true) {
    if (auto status = CheckLimits(limits); !status.ok()) return status;
    const ssize_t size = read(fd, buffer.data(), buffer.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return ErrnoStatus(errno, "read");
    if (size == 0) return absl::OkStatus();
    auto status = sink(std::string_view(buffer.data(), static_cast<size_t>(size)));
    if (!status.ok()) return status;
  }
}

absl::Status Archive::Read(const ArchivedImage::Layer& layer, const CallLimits& limits,
                           const ByteSink& sink) const {
  auto fd = OpenRegular(root_.get(), layer.path);
  if (!fd.ok()) return fd.status();
  Sha256 hash;
  auto status = ReadFile(fd->get(), limits, [&](std::string_view bytes) {
    hash.Update(bytes);
    return sink(bytes);
  });
  if (!status.ok()) return status;
  const std::string digest = hash.Finish().str();
  if (layer.blob.empty() || layer.blob == digest) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("archive member ", layer.path, " has digest ", digest));
}

absl::StatusOr<std::string> Archive::ReadSmall(const std::string& path, uint64_t max_size) const {
  auto fd = OpenRegular(root_.get(), path);
  if (!fd.ok()) return fd.status();
  std::string content;
  auto status = ReadFile(fd->get(), {}, [&](std::string_view bytes) -> absl::Status {
    content += bytes;
    if (content.size() <= max_size) return absl::OkStatus();
    return absl::ResourceExhaustedError(absl::StrCat("over ", max_size, " bytes"));
  });
  if (!status.ok()) {
    return Annotate(status, "archive member " + absl::CHexEscape(path.substr(0, 200)));
  }
  return content;
}

absl::StatusOr<std::string> Archive::ReadBlob(const Digest& digest, uint64_t max_size) const {
  auto content = ReadSmall("blobs/sha256/" + digest.hex(), max_size);
  if (content.ok() && Digest::Of(*content) != digest) {
    return absl::DataLossError("archive blob " + digest.str() + " has another digest");
  }
  return content;
}

absl::StatusOr<std::vector<ArchivedImage>> Archive::Images() const {
  if (faccessat(root_.get(), "index.json", F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
    const auto index = ReadSmall("index.json", kMaxManifestSize);
    return index.ok() ? LayoutImages(*index) : index.status();
  }
  if (faccessat(root_.get(), "manifest.json", F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
    return DockerImages();
  }
  return absl::InvalidArgumentError(
      "not an image archive: it has neither index.json nor manifest.json");
}

absl::StatusOr<std::vector<ArchivedImage>> Archive::LayoutImages(
    const std::string& index_json) const {
  const auto index = ParseIndex(index_json);
  if (!index.ok()) return Annotate(index.status(), "index.json");
  std::vector<ArchivedImage> images;
  for (const Index::Entry& entry : index->entries) {
    if (!FitsThisHost(entry)) continue;
    auto image = LayoutImage(entry.descriptor);
    if (!image.ok()) return image.status();
    images.push_back(*std::move(image));
  }
  return images;
}

absl::StatusOr<ArchivedImage> Archive::LayoutImage(const Descriptor& top) const {
  Descriptor descriptor = top;
  std::string json;
  for (int depth = 0;; ++depth) {
    if (depth > kMaxIndexDepth) return absl::InvalidArgumentError("indexes nest too deeply");
    auto document = ReadBlob(descriptor.digest, kMaxManifestSize);
    if (!document.ok()) return document.status();
    json = *std::move(document);
    const auto type = DocumentType(json, descriptor.media_type);
    if (!type.ok()) return type.status();
    if (!IsIndexType(*type)) break;
    const auto index = ParseIndex(json);
    if (!index.ok()) return index.status();
    auto chosen = SelectPlatform(*index, HostPlatform());
    if (!chosen.ok()) return chosen.status();
    descriptor = *std::move(chosen);
  }
  const auto manifest = ParseManifest(json);
  if (!manifest.ok()) return manifest.status();
  auto config = ReadBlob(manifest->config.digest, kMaxConfigSize);
  if (!config.ok()) return config.status();
  ArchivedImage image{.config_json = *std::move(config),
                      .manifest_json = json,
                      .manifest_digest = top.digest.str(),
                      .names = NamesOf(top)};
  for (const Descriptor& layer : manifest->layers) {
    image.layers.push_back({"blobs/sha256/" + layer.digest.hex(), layer.digest.str()});
  }
  return image;
}

absl::StatusOr<std::vector<ArchivedImage>> Archive::DockerImages() const {
  const auto text = ReadSmall("manifest.json", kMaxManifestSize);
  if (!text.ok()) return text.status();
  const Json json = Json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_array()) return absl::InvalidArgumentError("manifest.json: not an array");
  std::vector<ArchivedImage> images;
  for (const Json& element : json) {
    const Json config = element.is_object() ? element.value("Config", Json()) : Json();
    const Json layers = element.is_object() ? element.value("Layers", Json()) : Json();
    const Json tags = element.is_object() ? element.value("RepoTags", Json()) : Json();
    if (!config.is_string() || !IsArrayOfStrings(layers) ||
        !(tags.is_null() || IsArrayOfStrings(tags))) {
      return absl::InvalidArgumentError("manifest.json: Config, Layers or RepoTags is malformed");
    }
    auto config_json = ReadSmall(config.get<std::string>(), kMaxConfigSize);
    if (!config_json.ok()) return config_json.status();
    ArchivedImage image{.config_json = *std::move(config_json)};
    if (!tags.is_null()) image.names = tags.get<std::vector<std::string>>();
    for (const Json& layer : layers) image.layers.push_back({layer.get<std::string>(), ""});
    images.push_back(std::move(image));
  }
  return images;
}

}  // namespace bulkhead::image
