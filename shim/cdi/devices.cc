#include "shim/cdi/devices.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "runtime/kernel/file.h"
#include "runtime/kernel/status.h"
#include "shim/cdi/device_name.h"
#include "shim/cdi/spec_file.h"

namespace bulkhead::cdi {
namespace {

namespace fs = std::filesystem;

constexpr size_t kSizeLimit = size_t{4} << 20;

struct LoadedFile {
  std::string path;
  SpecFile spec;
};

class Library {
 public:
  explicit Library(const std::vector<std::string>& directories) : directories_(directories) {
    for (const std::string& directory : directories) ReadDirectory(directory);
  }

  // The file that has the device.
  absl::StatusOr<const LoadedFile*> Find(const DeviceName& name) const {
    for (auto files = files_.rbegin(); files != files_.rend(); ++files) {
      const LoadedFile* found = nullptr;
      for (const LoadedFile& file : *files) {
        if (file.spec.kind != name.kind || !file.spec.devices.contains(name.device)) continue;
        if (found != nullptr) {
          return absl::FailedPreconditionError(
              absl::StrCat("is in ", found->path, " and in ", file.path));
        }
        found = &file;
      }
      if (found != nullptr) return found;
    }
    std::string message = absl::StrCat("is in no file of ", absl::StrJoin(directories_, ", "));
    for (const std::string& fault : faults_) absl::StrAppend(&message, "; ", fault);
    return absl::NotFoundError(message);
  }

 private:
  void ReadDirectory(const std::string& directory) {
    std::vector<std::string> paths;
    std::error_code error;
    for (fs::directory_iterator entry(directory, error), end; !error && entry != end;
         entry.increment(error)) {
      const fs::path extension = entry->path().extension();
      if (extension == ".json" || extension == ".yaml") paths.push_back(entry->path());
    }
    if (error && error.value() != ENOENT) {
      faults_.push_back(absl::StrCat(directory, ": ", error.message()));
    }
    std::sort(paths.begin(), paths.end());
    files_.emplace_back();
    for (const std::string& path : paths) ReadOne(path);
  }

  void ReadOne(const std::string& path) {
    const absl::StatusOr<std::string> text = ReadFile(path, kSizeLimit);
    absl::StatusOr<SpecFile> spec = text.ok() ? ParseSpecFile(*text) : text.status();
    if (spec.ok()) {
      files_.back().push_back({.path = path, .spec = *std::move(spec)});
    } else {
      faults_.push_back(absl::StrCat(path, ": ", spec.status().message()));
    }
  }

  const std::vector<std::string>& directories_;
  std::vector<std::vector<LoadedFile>> files_;  // By directory.
  std::vector<std::string> faults_;
};

// A bind mount's source that is missing would be made, as a directory.
absl::Status Check(const Edits& edits) {
  if (!edits.not_built.empty()) {
    return absl::UnimplementedError(
        absl::StrCat("needs ", absl::StrJoin(edits.not_built, ", "), ", which is not built yet"));
  }
  for (const spec::Mount& mount : edits.mounts) {
    struct stat st;
    if (stat(mount.host_path.c_str(), &st) == 0) continue;
    return absl::FailedPreconditionError(
        absl::StrCat("mounts \"", mount.host_path, "\": ", ErrnoStatus(errno, "stat").message()));
  }
  return absl::OkStatus();
}

absl::Status Apply(const Edits& edits, spec::ContainerSpec& spec) {
  absl::Status status = Check(edits);
  if (status.ok()) ApplyEdits(edits, spec);
  return status;
}

}  // namespace

absl::StatusOr<spec::ContainerSpec> AddDevices(const std::vector<std::string>& directories,
                                               spec::ContainerSpec spec) {
  if (spec.cdi_devices.empty()) return spec;
  const Library library(directories);
  std::set<const LoadedFile*> applied;
  const std::vector<std::string> names = spec.cdi_devices;
  for (size_t i = 0; i < names.size(); ++i) {
    const std::string place = absl::StrCat("CDI_devices[", i, "].name \"", names[i], "\"");
    const absl::StatusOr<DeviceName> name = ParseDeviceName(names[i]);
    if (!name.ok()) return Annotate(name.status(), place);
    const absl::StatusOr<const LoadedFile*> file = library.Find(*name);
    if (!file.ok()) return Annotate(file.status(), place);
    absl::Status status;
    if (applied.insert(*file).second) status = Apply((*file)->spec.edits, spec);
    if (status.ok()) status = Apply((*file)->spec.devices.at(name->device), spec);
    if (!status.ok()) return Annotate(status, absl::StrCat(place, " of ", (*file)->path));
  }
  return spec;
}

}  // namespace bulkhead::cdi
