#include "runtime/isolation/devices.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "runtime/kernel/status.h"

// <sys/sysmacros.h> defines them, and the value types have members of these names.
#undef major
#undef minor

namespace bulkhead::isolation {
namespace {

namespace fs = std::filesystem;

std::optional<HostDevice> Describe(const std::string& host_path, const std::string& container_path,
                                   const std::string& permissions) {
  struct stat st;
  if (stat(host_path.c_str(), &st) != 0) return std::nullopt;
  if (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode)) return std::nullopt;
  return HostDevice{.container_path = container_path,
                    .mode = st.st_mode,
                    .major = gnu_dev_major(st.st_rdev),
                    .minor = gnu_dev_minor(st.st_rdev),
                    .uid = st.st_uid,
                    .gid = st.st_gid,
                    .permissions = permissions};
}

// What the spec says of a node in place of what the host's says.
absl::Status Override(const spec::Device& asked, const std::string& field, HostDevice& device) {
  if (asked.type && *asked.type != (device.mode & S_IFMT)) {
    return absl::InvalidArgumentError(
        absl::StrCat(field, ".host_path: \"", asked.host_path, "\" is not of the asked type"));
  }
  if (asked.file_mode) device.mode = (device.mode & S_IFMT) | *asked.file_mode;
  if (asked.uid) device.container_uid = static_cast<uint32_t>(*asked.uid);
  if (asked.gid) device.container_gid = static_cast<uint32_t>(*asked.gid);
  return absl::OkStatus();
}

// A node that the spec tells everything of: mode 0666 where it does not say, as mknod(1)'s.
HostDevice Made(const spec::Device& asked) {
  return HostDevice{.container_path = asked.container_path,
                    .mode = *asked.type | 0666,
                    .major = *asked.major,
                    .minor = *asked.minor,
                    .permissions = asked.permissions};
}

// The devices of a directory and those below it. What comes and goes meanwhile is passed over.
std::vector<HostDevice> Walk(const std::string& directory, const std::string& container_path,
                             const std::string& permissions,
                             const std::vector<std::string>& excluded) {
  std::vector<HostDevice> devices;
  std::error_code error;
  fs::recursive_directory_iterator it(directory, fs::directory_options::skip_permission_denied,
                                      error);
  for (; !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
    const std::string path = it->path();
    const std::string below = path.substr(directory.size());
    if (std::find(excluded.begin(), excluded.end(), below) != excluded.end()) {
      it.disable_recursion_pending();
      continue;
    }
    if (it->is_symlink(error)) continue;
    std::optional<HostDevice> device = Describe(path, container_path + below, permissions);
    if (device.has_value()) devices.push_back(*std::move(device));
  }
  std::sort(devices.begin(), devices.end(), [](const HostDevice& a, const HostDevice& b) {
    return a.container_path < b.container_path;
  });
  return devices;
}

absl::Status CheckFields(const spec::Device& device, const std::string& field) {
  if (!absl::StartsWith(device.host_path, "/")) {
    return absl::InvalidArgumentError(
        absl::StrCat(field, ".host_path: \"", device.host_path, "\" is not absolute"));
  }
  if (!device.container_path.empty() && (!absl::StartsWith(device.container_path, "/") ||
                                         absl::StrContains(device.container_path, "/../"))) {
    return absl::InvalidArgumentError(
        absl::StrCat(field, ".container_path: \"", device.container_path, "\" is not absolute"));
  }
  if (device.permissions.find_first_not_of("rwm") != std::string::npos) {
    return absl::InvalidArgumentError(absl::StrCat(field, ".permissions: \"", device.permissions,
                                                   "\" is not of \"r\", \"w\" and \"m\""));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<HostDevice>> Find(const spec::Device& asked, const std::string& field) {
  if (absl::Status status = CheckFields(asked, field); !status.ok()) return status;
  const std::string& container =
      asked.container_path.empty() ? asked.host_path : asked.container_path;
  if (asked.type && asked.major && asked.minor) {
    HostDevice device = Made(asked);
    if (absl::Status status = Override(asked, field, device); !status.ok()) return status;
    return std::vector{std::move(device)};
  }
  struct stat st;
  if (stat(asked.host_path.c_str(), &st) != 0) {
    return ErrnoStatus(errno, absl::StrCat(field, ".host_path \"", asked.host_path, "\""));
  }
  std::vector<HostDevice> devices;
  if (S_ISDIR(st.st_mode)) {
    devices = Walk(asked.host_path, container, asked.permissions, {});
  } else if (std::optional<HostDevice> one =
                 Describe(asked.host_path, container, asked.permissions)) {
    devices.push_back(*std::move(one));
  }
  for (HostDevice& device : devices) {
    if (absl::Status status = Override(asked, field, device); !status.ok()) return status;
  }
  if (!devices.empty()) return devices;
  return absl::InvalidArgumentError(
      absl::StrCat(field, ".host_path: \"", asked.host_path, "\" is no device"));
}

}  // namespace

absl::StatusOr<std::vector<HostDevice>> FindDevices(const spec::ContainerSpec& spec) {
  std::vector<HostDevice> devices;
  for (size_t i = 0; i < spec.devices.size(); ++i) {
    absl::StatusOr<std::vector<HostDevice>> found =
        Find(spec.devices[i], absl::StrCat("devices[", i, "]"));
    if (!found.ok()) return found.status();
    devices.insert(devices.end(), found->begin(), found->end());
  }
  if (!spec.security.privileged) return devices;
  // The container has file systems of its own there, and a console only with a terminal.
  const std::vector<std::string> own = {"/pts", "/shm", "/mqueue", "/console", "/ptmx"};
  for (HostDevice& device : Walk("/dev", "/dev", "rwm", own)) devices.push_back(std::move(device));
  return devices;
}

std::vector<DeviceRule> PlanDeviceRules(const std::vector<HostDevice>& devices) {
  std::vector<DeviceRule> rules = {
      {'c', -1, -1, "m"},
      {'b', -1, -1, "m"},
      {'c', 1, 3, "rwm"},
      {'c', 1, 5, "rwm"},
      {'c', 1, 7, "rwm"},
      {'c', 1, 8, "rwm"},
      {'c', 1, 9, "rwm"},
      {'c', 5, 0, "rwm"},
      // The multiplexer and the ends of terminals; a devpts instance has only its own.
      {'c', 5, 2, "rwm"},
      {'c', 136, -1, "rwm"}};
  for (const HostDevice& device : devices) {
    if (device.permissions.empty()) continue;
    rules.push_back(
        {S_ISBLK(device.mode) ? 'b' : 'c', device.major, device.minor, device.permissions});
  }
  return rules;
}

}  // namespace bulkhead::isolation
