#include "shim/image/manifest.h"

#include <algorithm>
#include <array>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "runtime/kernel/status.h"

namespace bulkhead::image {
namespace {

using Json = nlohmann::json;

constexpr char kOciIndex[] = "application/vnd.oci.image.index.v1+json";
constexpr char kOciManifest[] = "application/vnd.oci.image.manifest.v1+json";
constexpr char kDockerList[] = "application/vnd.docker.distribution.manifest.list.v2+json";
constexpr char kDockerManifest[] = "application/vnd.docker.distribution.manifest.v2+json";

constexpr std::array kConfigTypes = {"application/vnd.oci.image.config.v1+json",
                                     "application/vnd.docker.container.image.v1+json"};
constexpr std::array kLayerTypes = {
    "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.oci.image.layer.v1.tar+zstd",
    "application/vnd.oci.image.layer.nondistributable.v1.tar",
    "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
    "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
    "application/vnd.docker.image.rootfs.diff.tar",
    "application/vnd.docker.image.rootfs.diff.tar.gzip",
    "application/vnd.docker.image.rootfs.diff.tar.zstd",
    "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
};

template <typename Types>
bool IsOneOf(const std::string& type, const Types& types) {
  return std::find(types.begin(), types.end(), type) != types.end();
}

absl::Status Wrong(const std::string& field, const std::string& why) {
  return absl::InvalidArgumentError(absl::StrCat(field, ": ", why));
}

std::string Quoted(const std::string& text) {
  return absl::StrCat("\"", absl::CHexEscape(text.substr(0, 200)), "\"");
}

absl::StatusOr<Json> ParseObject(const std::string& text, const std::string& what) {
  Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return absl::InvalidArgumentError(absl::StrCat(what, ": no JSON object"));
  return json;
}

// Readers of optional members; null and absent are the same, as in Go's encoders.
const Json* Member(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

absl::Status Read(const Json& object, const char* key, std::string& value) {
  const Json* member = Member(object, key);
  if (member == nullptr) return absl::OkStatus();
  if (!member->is_string()) return Wrong(key, "not a string");
  value = member->get<std::string>();
  return absl::OkStatus();
}

absl::Status Read(const Json& object, const char* key, std::vector<std::string>& values) {
  const Json* member = Member(object, key);
  if (member == nullptr) return absl::OkStatus();
  if (!member->is_array()) return Wrong(key, "not an array");
  for (const Json& element : *member) {
    if (!element.is_string()) return Wrong(key, "not an array of strings");
    values.push_back(element.get<std::string>());
  }
  return absl::OkStatus();
}

absl::Status Read(const Json& object, const char* key, std::map<std::string, std::string>& values) {
  const Json* member = Member(object, key);
  if (member == nullptr) return absl::OkStatus();
  if (!member->is_object()) return Wrong(key, "not an object");
  for (const auto& [name, value] : member->items()) {
    if (!value.is_string()) return Wrong(key, "not an object of strings");
    values[name] = value.get<std::string>();
  }
  return absl::OkStatus();
}

absl::StatusOr<Descriptor> ParseDescriptor(const Json* json) {
  if (json == nullptr || !json->is_object()) return absl::InvalidArgumentError("no descriptor");
  std::string media_type, digest_text;
  std::map<std::string, std::string> annotations;
  if (auto s = Read(*json, "mediaType", media_type); !s.ok()) return s;
  if (auto s = Read(*json, "digest", digest_text); !s.ok()) return s;
  if (auto s = Read(*json, "annotations", annotations); !s.ok()) return s;
  auto digest = Digest::Parse(digest_text);
  if (!digest.ok()) return digest.status();
  const Json* size = Member(*json, "size");
  if (size == nullptr || !size->is_number_unsigned()) return Wrong("size", "not a size in bytes");
  return Descriptor{.media_type = media_type,
                    .digest = *std::move(digest),
                    .size = size->get<uint64_t>(),
                    .annotations = std::move(annotations)};
}

absl::StatusOr<Index::Entry> ParseEntry(const Json& json) {
  auto descriptor = ParseDescriptor(&json);
  if (!descriptor.ok()) return descriptor.status();
  Index::Entry entry{.descriptor = *std::move(descriptor)};
  const Json* platform = Member(json, "platform");
  if (platform == nullptr) return entry;
  if (!platform->is_object()) return Wrong("platform", "not an object");
  entry.platform.emplace();
  if (auto s = Read(*platform, "os", entry.platform->os); !s.ok()) return s;
  if (auto s = Read(*platform, "architecture", entry.platform->architecture); !s.ok()) return s;
  if (auto s = Read(*platform, "variant", entry.platform->variant); !s.ok()) return s;
  return entry;
}

absl::Status ReadImageConfig(const Json& json, ImageConfig& config) {
  if (auto s = Read(json, "Env", config.env); !s.ok()) return s;
  if (auto s = Read(json, "Entrypoint", config.entrypoint); !s.ok()) return s;
  if (auto s = Read(json, "Cmd", config.cmd); !s.ok()) return s;
  if (auto s = Read(json, "User", config.user); !s.ok()) return s;
  if (auto s = Read(json, "WorkingDir", config.working_dir); !s.ok()) return s;
  if (auto s = Read(json, "StopSignal", config.stop_signal); !s.ok()) return s;
  if (auto s = Read(json, "Labels", config.labels); !s.ok()) return s;
  const Json* volumes = Member(json, "Volumes");
  if (volumes == nullptr) return absl::OkStatus();
  if (!volumes->is_object()) return Wrong("Volumes", "not an object");
  for (const auto& item : volumes->items()) config.volumes.push_back(item.key());
  return absl::OkStatus();
}

absl::Status ReadDiffIds(const Json& json, std::vector<std::string>& diff_ids) {
  const Json* rootfs = Member(json, "rootfs");
  if (rootfs == nullptr || !rootfs->is_object()) return Wrong("rootfs", "not an object");
  if (auto s = Read(*rootfs, "diff_ids", diff_ids); !s.ok()) return s;
  for (const std::string& diff_id : diff_ids) {
    if (auto digest = Digest::Parse(diff_id); !digest.ok()) {
      return Annotate(digest.status(), "rootfs.diff_ids");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckPlatform(const Json& json, const Platform& platform) {
  std::string os, architecture;
  if (auto s = Read(json, "os", os); !s.ok()) return s;
  if (auto s = Read(json, "architecture", architecture); !s.ok()) return s;
  const bool fits = (os.empty() || os == platform.os) &&
                    (architecture.empty() || architecture == platform.architecture);
  if (fits) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("the image is for ",
                                                 Quoted(os + "/" + architecture), ", this host is ",
                                                 platform.os, "/", platform.architecture));
}

// Whether an entry runs on any processor of the platform's architecture.
bool Fits(const Platform& offered, const Platform& host) {
  return offered.os == host.os && offered.architecture == host.architecture &&
         (offered.variant.empty() || offered.variant == host.variant);
}

}  // namespace

Platform HostPlatform() {
#if defined(__x86_64__)
  return {"linux", "amd64", "v1"};
#elif defined(__aarch64__)
  return {"linux", "arm64", "v8"};
#else
#error "no image platform is known for this architecture"
#endif
}

bool IsIndexType(const std::string& media_type) {
  return media_type == kOciIndex || media_type == kDockerList;
}

bool IsManifestType(const std::string& media_type) {
  return media_type == kOciManifest || media_type == kDockerManifest;
}

absl::StatusOr<std::string> DocumentType(const std::string& json, const std::string& declared) {
  auto document = ParseObject(json, "manifest");
  if (!document.ok()) return document.status();
  std::string type;
  if (auto s = Read(*document, "mediaType", type); !s.ok()) return s;
  const bool index = document->contains("manifests");
  if (index && (document->contains("layers") || document->contains("config"))) {
    return absl::InvalidArgumentError("manifest: has the fields of an index and of a manifest");
  }
  if (document->contains("fsLayers")) {
    return absl::UnimplementedError("manifest: Docker's schema 1 is obsolete and not supported");
  }
  const bool known = IsIndexType(declared) || IsManifestType(declared);
  if (type.empty()) type = known ? declared : index ? kOciIndex : kOciManifest;
  if (known && type != declared) {
    return absl::InvalidArgumentError(
        absl::StrCat("manifest: sent as ", declared, " but says that it is ", Quoted(type)));
  }
  if (IsIndexType(type) != index || (!index && !IsManifestType(type))) {
    return absl::InvalidArgumentError(
        absl::StrCat("manifest: media type ", Quoted(type), " is not that of an image"));
  }
  return type;
}

absl::StatusOr<Index> ParseIndex(const std::string& text) {
  auto json = ParseObject(text, "index");
  if (!json.ok()) return json.status();
  const Json* manifests = Member(*json, "manifests");
  if (manifests == nullptr || !manifests->is_array()) return Wrong("index.manifests", "no array");
  Index index;
  for (const Json& element : *manifests) {
    auto entry = ParseEntry(element);
    if (!entry.ok()) return Annotate(entry.status(), "index.manifests");
    index.entries.push_back(*std::move(entry));
  }
  return index;
}

absl::StatusOr<Manifest> ParseManifest(const std::string& text) {
  auto json = ParseObject(text, "manifest");
  if (!json.ok()) return json.status();
  auto config = ParseDescriptor(Member(*json, "config"));
  if (!config.ok()) return Annotate(config.status(), "manifest.config");
  if (!IsOneOf(config->media_type, kConfigTypes)) {
    return Wrong("manifest.config.mediaType",
                 Quoted(config->media_type) + " is not that of a container image");
  }
  if (config->size > kMaxConfigSize) return Wrong("manifest.config.size", "over 8 MiB");
  const Json* layers = Member(*json, "layers");
  if (layers == nullptr || !layers->is_array()) return Wrong("manifest.layers", "no array");
  if (layers->size() > kMaxLayers) return Wrong("manifest.layers", "over 500 layers");
  Manifest manifest{.config = *std::move(config)};
  for (const Json& element : *layers) {
    auto layer = ParseDescriptor(&element);
    if (!layer.ok()) return Annotate(layer.status(), "manifest.layers");
    if (!IsOneOf(layer->media_type, kLayerTypes)) {
      return Wrong("manifest.layers", "media type " + Quoted(layer->media_type) +
                                          " is not that of a layer we can unpack");
    }
    manifest.layers.push_back(*std::move(layer));
  }
  return manifest;
}

absl::StatusOr<ConfigFile> ParseConfigFile(const std::string& text, const Platform& platform) {
  auto json = ParseObject(text, "image configuration");
  if (!json.ok()) return json.status();
  if (auto s = CheckPlatform(*json, platform); !s.ok()) return s;
  ConfigFile file;
  if (auto s = ReadDiffIds(*json, file.diff_ids); !s.ok()) {
    return Annotate(s, "image configuration");
  }
  const Json* config = Member(*json, "config");
  if (config == nullptr) return file;
  if (!config->is_object()) return Wrong("image configuration: config", "not an object");
  if (auto s = ReadImageConfig(*config, file.config); !s.ok()) {
    return Annotate(s, "image configuration: config");
  }
  return file;
}

absl::StatusOr<Descriptor> SelectPlatform(const Index& index, const Platform& platform) {
  const Index::Entry* chosen = nullptr;
  for (const Index::Entry& entry : index.entries) {
    if (entry.platform ? Fits(*entry.platform, platform) : chosen == nullptr) {
      chosen = &entry;
      if (entry.platform) break;
    }
  }
  if (chosen == nullptr) {
    return absl::NotFoundError(
        absl::StrCat("the index has no image for ", platform.os, "/", platform.architecture));
  }
  return chosen->descriptor;
}

}  // namespace bulkhead::image
