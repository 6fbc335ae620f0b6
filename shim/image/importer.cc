#include "shim/image/importer.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <optional>
#include <stop_token>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/kernel/status.h"
#include "shim/image/image_builder.h"
#include "shim/image/manifest.h"
#include "shim/image/reference.h"
#include "shim/image/unpack.h"

namespace bulkhead::image {
namespace {

absl::Status AddNames(const ArchivedImage& archived, ImageRecord& record) {
  if (archived.names.empty()) {
    return absl::InvalidArgumentError("the archive has no name for the image: one must be given");
  }
  for (const std::string& name : archived.names) {
    const auto reference = ParseReference(name);
    if (!reference.ok()) return reference.status();
    if (!reference->tag.empty()) record.repo_tags.push_back(reference->WithTag());
    if (!archived.manifest_digest.empty()) {
      record.repo_digests.push_back(reference->Name() + "@" + archived.manifest_digest);
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<Image>> Importer::Import(const std::string& path,
                                                    const std::vector<std::string>& names,
                                                    const CallLimits& limits) {
  UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return ErrnoStatus(errno, "open " + path);
  struct stat st;
  if (fstat(file.get(), &st) != 0) return ErrnoStatus(errno, "fstat " + path);
  std::optional<IngestDir> ingest;
  if (!S_ISDIR(st.st_mode)) {
    auto made = store_.NewIngest();
    if (!made.ok()) return made.status();
    ingest.emplace(*std::move(made));
    auto root = UnpackArchive(std::move(file), *ingest, limits);
    if (!root.ok()) return Annotate(root.status(), path);
    file = *std::move(root);
  }
  auto images = ImportAll(Archive(std::move(file)), names, limits);
  if (!images.ok()) return Annotate(images.status(), path);
  return images;
}

// Layers stand in an archive in any order, before or after what describes them; a copy on disk is
// the simple way to find them.
absl::StatusOr<UniqueFd> Importer::UnpackArchive(UniqueFd file, const IngestDir& ingest,
                                                 const CallLimits& limits) const {
  auto root = ingest.MakeRoot();
  if (!root.ok()) return root.status();
  UniqueFd copy(openat(root->get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!copy.valid()) return ErrnoStatus(errno, "open ingest directory");
  const auto unpacked =
      UnpackLayer([&](const ByteSink& sink) { return ReadFile(file.get(), limits, sink); },
                  *std::move(root), archive_limits_);
  if (!unpacked.ok()) return unpacked.status();
  return copy;
}

absl::StatusOr<std::vector<Image>> Importer::ImportAll(const Archive& archive,
                                                       const std::vector<std::string>& names,
                                                       const CallLimits& limits) {
  auto archived = archive.Images();
  if (!archived.ok()) return archived.status();
  if (archived->empty()) return absl::NotFoundError("the archive has no image for this platform");
  if (!names.empty() && archived->size() > 1) {
    return absl::InvalidArgumentError("names were given, but the archive has several images");
  }
  if (!names.empty()) archived->front().names = names;
  std::vector<Image> images;
  for (const ArchivedImage& one : *archived) {
    auto image = ImportOne(archive, one, limits);
    if (!image.ok()) return image.status();
    images.push_back(*std::move(image));
  }
  return images;
}

absl::StatusOr<Image> Importer::ImportOne(const Archive& archive, const ArchivedImage& archived,
                                          const CallLimits& limits) {
  const auto config = ParseConfigFile(archived.config_json, HostPlatform());
  if (!config.ok()) return config.status();
  if (config->diff_ids.size() != archived.layers.size() || archived.layers.size() > kMaxLayers) {
    return absl::InvalidArgumentError(absl::StrCat("the archive has ", archived.layers.size(),
                                                   " layers, the configuration ",
                                                   config->diff_ids.size(), " diff IDs"));
  }
  ImageRecord record{.id = Digest::Of(archived.config_json).str(),
                     .config_json = archived.config_json,
                     .manifest_json = archived.manifest_json,
                     .diff_ids = config->diff_ids};
  if (auto status = AddNames(archived, record); !status.ok()) return status;

  std::stop_source abort;
  const std::stop_callback cancel(limits.stop, [&] { abort.request_stop(); });
  const CallLimits inner{abort.get_token(), limits.deadline};
  std::vector<LayerSource> sources;
  for (size_t i = 0; i < archived.layers.size(); ++i) {
    const ArchivedImage::Layer& layer = archived.layers[i];
    sources.push_back({.diff_id = *Digest::Parse(config->diff_ids[i]),
                       .blob = layer.blob,
                       .read = [&archive, &layer, &inner](const ByteSink& sink) {
                         return archive.Read(layer, inner, sink);
                       }});
  }
  return BuildImage(record, sources, parallel_layers_, ingester_, db_, abort, limits.deadline);
}

}  // namespace bulkhead::image
