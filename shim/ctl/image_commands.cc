#include "shim/ctl/image_commands.h"

#include <unistd.h>

#include <array>
#include <filesystem>
#include <iomanip>
#include <memory>
#include <optional>
#include <system_error>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "nlohmann/json.hpp"
#include "runtime/kernel/status.h"
#include "shim/image/image_service.h"

namespace bulkhead::ctl {
namespace {

std::string HumanSize(uint64_t bytes) {
  constexpr std::array<const char*, 5> kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
  auto amount = static_cast<double>(bytes);
  size_t unit = 0;
  for (; amount >= 1024 && unit + 1 < kUnits.size(); ++unit) amount /= 1024;
  return absl::StrFormat(unit == 0 ? "%.0f %s" : "%.1f %s", amount, kUnits[unit]);
}

// Twelve digits, as the ids of images are usually shown.
std::string ShortId(const std::string& id) { return id.substr(id.find(':') + 1, 12); }

std::vector<std::string> NamesOf(const image::Image& image) {
  if (!image.repo_tags.empty()) return image.repo_tags;
  if (!image.repo_digests.empty()) return image.repo_digests;
  return {"<none>"};
}

void PrintTable(const std::vector<image::Image>& images, std::ostream& out) {
  size_t width = 5;
  for (const image::Image& image : images) {
    for (const std::string& name : NamesOf(image)) width = std::max(width, name.size());
  }
  const auto row = [&](const std::string& name, const std::string& id, const std::string& size) {
    out << std::left << std::setw(static_cast<int>(width)) << name << "  " << std::setw(12) << id
        << "  " << size << "\n";
  };
  row("IMAGE", "ID", "SIZE");
  for (const image::Image& image : images) {
    for (const std::string& name : NamesOf(image)) {
      row(name, ShortId(image.id), HumanSize(image.size_bytes));
    }
  }
}

void PrintJson(const std::vector<image::Image>& images, std::ostream& out) {
  nlohmann::json list = nlohmann::json::array();
  for (const image::Image& image : images) {
    list.push_back({{"id", image.id},
                    {"repoTags", image.repo_tags},
                    {"repoDigests", image.repo_digests},
                    {"size", image.size_bytes},
                    {"pinned", image.pinned}});
  }
  out << list.dump(2) << "\n";
}

absl::Status RemoveImage(image::ImageService& images, const std::string& name) {
  const absl::StatusOr<std::optional<image::Image>> found = images.Find(name);
  if (!found.ok()) return found.status();
  if (!found->has_value()) return absl::NotFoundError(absl::StrCat("there is no image ", name));
  return images.Remove(name);
}

}  // namespace

absl::StatusOr<std::unique_ptr<image::ImageService>> OpenImages(const config::Flags& flags) {
  if (geteuid() != 0) return absl::PermissionDeniedError("only root can open the images");
  const absl::StatusOr<config::Config> config = flags.Load();
  if (!config.ok()) return config.status();
  return image::ImageService::Open({.data_dir = config::ImageDir(*config),
                                    .certs_dir = config->image.certs_dir,
                                    .pinned = config->image.pinned,
                                    .max_layer_bytes = config->image.max_layer_size});
}

absl::Status ImportImage(const config::Flags& flags, const std::string& path,
                         const std::vector<std::string>& names, std::ostream& out) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    return absl::NotFoundError(absl::StrCat(path, ": no such file or folder"));
  }
  const absl::StatusOr<std::unique_ptr<image::ImageService>> images = OpenImages(flags);
  if (!images.ok()) return images.status();
  const absl::StatusOr<std::vector<image::Image>> imported = (*images)->Import(path, names);
  if (!imported.ok()) return Annotate(imported.status(), absl::StrCat("import ", path));
  for (const image::Image& image : *imported) {
    for (const std::string& name : NamesOf(image)) {
      out << "imported " << name << " (" << ShortId(image.id) << ")\n";
    }
  }
  return absl::OkStatus();
}

absl::Status ListImages(const config::Flags& flags, const std::string& reference, bool json,
                        std::ostream& out) {
  const absl::StatusOr<std::unique_ptr<image::ImageService>> images = OpenImages(flags);
  if (!images.ok()) return images.status();
  const absl::StatusOr<std::vector<image::Image>> list = (*images)->List(reference);
  if (!list.ok()) return list.status();
  json ? PrintJson(*list, out) : PrintTable(*list, out);
  return absl::OkStatus();
}

absl::Status RemoveImages(const config::Flags& flags, const std::vector<std::string>& names,
                          std::ostream& out) {
  const absl::StatusOr<std::unique_ptr<image::ImageService>> images = OpenImages(flags);
  if (!images.ok()) return images.status();
  absl::Status first;
  for (const std::string& name : names) {
    const absl::Status status = RemoveImage(**images, name);
    if (status.ok()) out << "removed " << name << "\n";
    first.Update(status);
  }
  return first;
}

}  // namespace bulkhead::ctl
