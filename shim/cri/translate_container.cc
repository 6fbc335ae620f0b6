#include "shim/cri/translate_container.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "shim/cdi/device_name.h"
#include "shim/cri/faults.h"
#include "shim/cri/translate_resources.h"
#include "shim/cri/translate_security.h"
#include "shim/cri/translate_signal.h"

namespace bulkhead::cri {
namespace {

namespace v1 = ::runtime::v1;

spec::ContainerMetadata ToMetadata(const v1::ContainerConfig& config, const Field& field,
                                   Faults& faults) {
  if (!config.has_metadata()) {
    faults.Invalid(field, "is missing");
    return {};
  }
  faults.NotEmpty(field.Member("name"), config.metadata().name());
  return {.name = config.metadata().name(), .attempt = config.metadata().attempt()};
}

// Arguments may be empty, but end at a NUL byte in execve(2).
template <typename Arguments>
std::vector<std::string> ToArguments(const Arguments& arguments, const Field& field,
                                     Faults& faults) {
  for (int i = 0; i < arguments.size(); ++i) faults.NoNul(field.Element(i), arguments[i]);
  return {arguments.begin(), arguments.end()};
}

// Neither name nor value is ever part of a fault: a name with "=" in it may hold the value.
std::vector<std::pair<std::string, std::string>> ToEnvironment(const v1::ContainerConfig& config,
                                                               const Field& field, Faults& faults) {
  std::vector<std::pair<std::string, std::string>> environment;
  for (int i = 0; i < config.envs_size(); ++i) {
    const v1::KeyValue& variable = config.envs(i);
    const Field key = field.Element(i).Member("key");
    faults.NotEmpty(key, variable.key());
    if (absl::StrContains(variable.key(), '=')) faults.Invalid(key, "contains \"=\"");
    faults.NoNul(field.Element(i).Member("value"), variable.value());
    environment.emplace_back(variable.key(), variable.value());
  }
  return environment;
}

spec::MountPropagation ToPropagation(v1::MountPropagation propagation, const Field& field,
                                     Faults& faults) {
  switch (propagation) {
    case v1::PROPAGATION_PRIVATE:
      return spec::MountPropagation::kPrivate;
    case v1::PROPAGATION_HOST_TO_CONTAINER:
      return spec::MountPropagation::kHostToContainer;
    case v1::PROPAGATION_BIDIRECTIONAL:
      return spec::MountPropagation::kBidirectional;
    default:
      faults.InvalidValue(field, propagation, "is not a MountPropagation");
      return spec::MountPropagation::kPrivate;
  }
}

// An image volume is read-only, and no mount of the host is behind it that could propagate.
void CheckImageVolume(const v1::Mount& mount, const Field& field, Faults& faults) {
  faults.NotEmpty(field.Member("image").Member("image"), mount.image().image());
  faults.PathBelow(field.Member("image_sub_path"), mount.image_sub_path());
  if (!mount.host_path().empty()) {
    faults.InvalidValue(field.Member("host_path"), mount.host_path(), "excludes image");
  }
  if (!mount.readonly()) faults.Invalid(field.Member("readonly"), "value false excludes image");
  if (mount.propagation() != v1::PROPAGATION_PRIVATE) {
    faults.InvalidValue(field.Member("propagation"), mount.propagation(), "excludes image");
  }
}

void CheckMountSource(const v1::Mount& mount, const Field& field, Faults& faults) {
  if (mount.has_image()) {
    CheckImageVolume(mount, field, faults);
    return;
  }
  faults.AbsolutePath(field.Member("host_path"), mount.host_path());
  if (!mount.image_sub_path().empty()) {
    faults.InvalidValue(field.Member("image_sub_path"), mount.image_sub_path(), "needs image");
  }
}

void CheckMountOptions(const v1::Mount& mount, const Field& field, Faults& faults) {
  const Field recursive = field.Member("recursive_read_only");
  if (mount.recursive_read_only() && !mount.readonly()) {
    faults.Invalid(recursive, "value true needs readonly");
  }
  if (mount.recursive_read_only() && mount.propagation() != v1::PROPAGATION_PRIVATE) {
    faults.Invalid(recursive, "value true needs propagation PROPAGATION_PRIVATE");
  }
  if (!mount.mount_options().empty()) {
    faults.Unsupported(field.Member("mount_options"), "mount options are not built yet");
  }
}

spec::Mount ToMount(const v1::Mount& mount, const Field& field, Faults& faults) {
  faults.AbsolutePath(field.Member("container_path"), mount.container_path());
  CheckMountSource(mount, field, faults);
  CheckMountOptions(mount, field, faults);
  const bool id_mapped = !mount.uidmappings().empty() || !mount.gidmappings().empty();
  spec::Mount out{
      .container_path = mount.container_path(),
      .host_path = mount.host_path(),
      .readonly = mount.readonly(),
      .recursive_read_only = mount.recursive_read_only(),
      .selinux_relabel = mount.selinux_relabel(),
      .propagation = ToPropagation(mount.propagation(), field.Member("propagation"), faults),
      .image = mount.image().image(),
      .image_sub_path = mount.image_sub_path(),
  };
  if (id_mapped) {
    out.uid_map = ToIdMap(mount.uidmappings(), field.Member("uidMappings"), faults);
    out.gid_map = ToIdMap(mount.gidmappings(), field.Member("gidMappings"), faults);
  }
  return out;
}

std::vector<spec::Mount> ToMounts(const v1::ContainerConfig& config, const Field& field,
                                  Faults& faults) {
  std::vector<spec::Mount> mounts;
  for (int i = 0; i < config.mounts_size(); ++i) {
    mounts.push_back(ToMount(config.mounts(i), field.Element(i), faults));
  }
  return mounts;
}

spec::Device ToDevice(const v1::Device& device, const Field& field, Faults& faults) {
  faults.AbsolutePath(field.Member("container_path"), device.container_path());
  faults.AbsolutePath(field.Member("host_path"), device.host_path());
  const bool known = device.permissions().find_first_not_of("rwm") == std::string::npos;
  if (device.permissions().empty() || !known) {
    faults.InvalidValue(field.Member("permissions"), device.permissions(),
                        "is not made of \"r\", \"w\" and \"m\"");
  }
  return {.container_path = device.container_path(),
          .host_path = device.host_path(),
          .permissions = device.permissions()};
}

std::vector<spec::Device> ToDevices(const v1::ContainerConfig& config, const Field& field,
                                    Faults& faults) {
  std::vector<spec::Device> devices;
  for (int i = 0; i < config.devices_size(); ++i) {
    devices.push_back(ToDevice(config.devices(i), field.Element(i), faults));
  }
  return devices;
}

std::vector<std::string> ToCdiDevices(const v1::ContainerConfig& config, const Field& field,
                                      Faults& faults) {
  std::vector<std::string> names;
  for (int i = 0; i < config.cdi_devices_size(); ++i) {
    const std::string& name = config.cdi_devices(i).name();
    const auto parsed = cdi::ParseDeviceName(name);
    if (!parsed.ok()) {
      faults.InvalidValue(field.Element(i).Member("name"), name, parsed.status().message());
    }
    names.push_back(name);
  }
  return names;
}

std::string UserImage(const v1::ImageSpec& image) {
  return image.user_specified_image().empty() ? image.image() : image.user_specified_image();
}

void CheckProcess(const v1::ContainerConfig& config, const Field& field, Faults& faults) {
  if (config.has_windows()) faults.Invalid(field.Member("windows"), "this node runs Linux");
  faults.NotEmpty(field.Member("image").Member("image"), config.image().image());
  if (!config.working_dir().empty()) {
    faults.AbsolutePath(field.Member("working_dir"), config.working_dir());
  }
  faults.PathBelow(field.Member("log_path"), config.log_path());
}

spec::ContainerSpec ToSpec(const v1::ContainerConfig& config, const Field& field, Faults& faults) {
  const Field linux = field.Member("linux");
  return {
      .metadata = ToMetadata(config, field.Member("metadata"), faults),
      .user_image = UserImage(config.image()),
      .image = config.image().image(),
      .command = ToArguments(config.command(), field.Member("command"), faults),
      .args = ToArguments(config.args(), field.Member("args"), faults),
      .working_dir = config.working_dir(),
      .env = ToEnvironment(config, field.Member("envs"), faults),
      .mounts = ToMounts(config, field.Member("mounts"), faults),
      .devices = ToDevices(config, field.Member("devices"), faults),
      .cdi_devices = ToCdiDevices(config, field.Member("CDI_devices"), faults),
      .labels = {config.labels().begin(), config.labels().end()},
      .annotations = {config.annotations().begin(), config.annotations().end()},
      .log_path = config.log_path(),
      .stdin = config.stdin(),
      .stdin_once = config.stdin_once(),
      .tty = config.tty(),
      .stop_signal = ToSignalName(config.stop_signal(), field.Member("stop_signal"), faults),
      .resources = ToResources(config.linux().resources(), linux.Member("resources"), faults),
      .security = ToSecurityContext(config.linux().security_context(),
                                    linux.Member("security_context"), faults),
  };
}

}  // namespace

absl::StatusOr<spec::ContainerSpec> ToContainerSpec(const v1::CreateContainerRequest& request) {
  const Field field("config");
  Faults faults;
  CheckProcess(request.config(), field, faults);
  spec::ContainerSpec container = ToSpec(request.config(), field, faults);
  if (!faults.empty()) return faults.status();
  return container;
}

absl::StatusOr<spec::Resources> ToResources(const v1::UpdateContainerResourcesRequest& request) {
  Faults faults;
  if (request.has_windows()) faults.Invalid(Field("windows"), "this node runs Linux");
  spec::Resources resources = ToResources(request.linux(), Field("linux"), faults);
  if (!faults.empty()) return faults.status();
  return resources;
}

v1::Mount FromMount(const spec::Mount& mount) {
  v1::Mount out;
  out.set_container_path(mount.container_path);
  out.set_host_path(mount.host_path);
  out.set_readonly(mount.readonly);
  out.set_recursive_read_only(mount.recursive_read_only);
  out.set_selinux_relabel(mount.selinux_relabel);
  // The two enumerations have the same order; the unit tests go through all values.
  out.set_propagation(static_cast<v1::MountPropagation>(mount.propagation));
  FromIdMap(mount.uid_map, *out.mutable_uidmappings());
  FromIdMap(mount.gid_map, *out.mutable_gidmappings());
  if (!mount.image.empty()) out.mutable_image()->set_image(mount.image);
  out.set_image_sub_path(mount.image_sub_path);
  return out;
}

}  // namespace bulkhead::cri
