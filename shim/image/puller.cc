#include "shim/image/puller.h"

#include <stop_token>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "runtime/kernel/status.h"
#include "shim/image/image_builder.h"
#include "shim/image/manifest.h"
#include "shim/image/registry_host.h"

namespace bulkhead::image {
namespace {

// Indexes may nest; nobody needs more than this.
constexpr int kMaxIndexDepth = 4;

// From what the reference names down to the manifest for this platform.
absl::StatusOr<Document> FindManifest(RegistryClient& registry, Document document) {
  for (int depth = 0; IsIndexType(document.media_type); ++depth) {
    if (depth == kMaxIndexDepth) return absl::InvalidArgumentError("indexes nest too deeply");
    const auto index = ParseIndex(document.content);
    if (!index.ok()) return index.status();
    const auto chosen = SelectPlatform(*index, HostPlatform());
    if (!chosen.ok()) return chosen.status();
    auto next = registry.FetchManifest(*chosen);
    if (!next.ok()) return next.status();
    document = *std::move(next);
  }
  return document;
}

std::vector<LayerSource> SourcesOf(RegistryClient& registry, const Manifest& manifest,
                                   const std::vector<std::string>& diff_ids) {
  std::vector<LayerSource> sources;
  for (size_t i = 0; i < manifest.layers.size(); ++i) {
    const Descriptor& layer = manifest.layers[i];
    sources.push_back({.diff_id = *Digest::Parse(diff_ids[i]),
                       .blob = layer.digest.str(),
                       .read = [&registry, &layer](const ByteSink& sink) {
                         return registry.FetchBlob(layer, sink);
                       }});
  }
  return sources;
}

}  // namespace

absl::StatusOr<Image> Puller::Pull(const Reference& reference, const Auth& auth,
                                   const CallLimits& limits) {
  auto hosts = RegistryHostsOf(reference.domain, certs_dir_);
  if (!hosts.ok()) return hosts.status();
  std::stop_source abort;
  const std::stop_callback cancel(limits.stop, [&] { abort.request_stop(); });
  RegistryClient registry(reference, auth, *std::move(hosts), {abort.get_token(), limits.deadline});

  auto top = registry.Resolve();
  if (!top.ok()) return top.status();
  const std::string top_digest = top->digest.str();
  const auto document = FindManifest(registry, *std::move(top));
  if (!document.ok()) return document.status();
  const auto manifest = ParseManifest(document->content);
  if (!manifest.ok()) return manifest.status();
  const auto config_json = registry.FetchSmallBlob(manifest->config, kMaxConfigSize);
  if (!config_json.ok()) return Annotate(config_json.status(), "image configuration");
  const auto config = ParseConfigFile(*config_json, HostPlatform());
  if (!config.ok()) return config.status();
  if (config->diff_ids.size() != manifest->layers.size()) {
    return absl::InvalidArgumentError(absl::StrCat("the manifest has ", manifest->layers.size(),
                                                   " layers, the configuration ",
                                                   config->diff_ids.size(), " diff IDs"));
  }

  ImageRecord record{.id = manifest->config.digest.str(),
                     .config_json = *config_json,
                     .manifest_json = document->content,
                     .diff_ids = config->diff_ids,
                     .repo_digests = {reference.Name() + "@" + top_digest}};
  // A tag beside a digest says nothing about what the registry's tag points to.
  if (reference.digest.empty()) record.repo_tags.push_back(reference.WithTag());
  return BuildImage(record, SourcesOf(registry, *manifest, config->diff_ids), parallel_layers_,
                    ingester_, db_, abort, limits.deadline);
}

}  // namespace bulkhead::image
