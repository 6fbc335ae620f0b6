#include "shim/cdi/edits.h"

#include <sys/stat.h>

#include <algorithm>
#include <limits>
#include <optional>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "runtime/isolation/json_values.h"

namespace bulkhead::cdi {
namespace {

using isolation::Below;
using isolation::CheckKeys;
using isolation::Find;
using isolation::ForEach;
using isolation::OtherKeys;
using isolation::ReadNumber;
using isolation::ReadString;
using isolation::ReadStrings;
using isolation::Refuse;
using nlohmann::json;

constexpr uint64_t kIdLimit = std::numeric_limits<uint32_t>::max() - 1;
// mknod(2): 12 bits of the major number, 20 of the minor.
constexpr uint64_t kMajorLimit = (1 << 12) - 1;
constexpr uint64_t kMinorLimit = (1 << 20) - 1;
constexpr uint64_t kTimeoutLimit = 3600;  // Seconds; a call of the kubelet's ends long before.

absl::StatusOr<std::string> ReadPath(const json& from, absl::string_view key,
                                     const std::string& place) {
  const json* value = Find(from, key);
  const std::string here = Below(place, key);
  if (value == nullptr) return Refuse(here, "is missing");
  absl::StatusOr<std::string> path = ReadString(*value, here);
  if (path.ok() && !absl::StartsWith(*path, "/")) return Refuse(here, *value, "is not absolute");
  return path;
}

template <typename Number>
absl::Status ReadOptional(const json& from, absl::string_view key, const std::string& place,
                          uint64_t highest, std::optional<Number>& to) {
  if (Find(from, key) == nullptr) return absl::OkStatus();
  const absl::StatusOr<uint64_t> number = ReadNumber(from, key, place, highest);
  if (number.ok()) to = static_cast<Number>(*number);
  return number.status();
}

absl::StatusOr<std::pair<std::string, std::string>> ParseVariable(const json& from,
                                                                  const std::string& place) {
  const absl::StatusOr<std::string> text = ReadString(from, place);
  if (!text.ok()) return text.status();
  const size_t equals = text->find('=');
  if (equals == 0 || equals == text->npos || text->find('\0') != text->npos) {
    return Refuse(place, "is not of the form NAME=VALUE");  // The value may be secret.
  }
  return std::pair(text->substr(0, equals), text->substr(equals + 1));
}

absl::Status ReadVariable(const json& from, const std::string& place, Edits& to) {
  auto variable = ParseVariable(from, place);
  if (!variable.ok()) return variable.status();
  to.env.push_back(*std::move(variable));
  return absl::OkStatus();
}

// The kind of node and its number; without them the node on the host tells.
absl::Status ReadDeviceNumber(const json& from, const std::string& place, spec::Device& to) {
  if (const json* type = Find(from, "type")) {
    if (*type == "b") {
      to.type = S_IFBLK;
    } else if (*type == "c" || *type == "u") {
      to.type = S_IFCHR;
    } else {
      return Refuse(Below(place, "type"), *type, "is not \"b\", \"c\" or \"u\"");
    }
  }
  absl::Status status = ReadOptional(from, "major", place, kMajorLimit, to.major);
  if (status.ok()) status = ReadOptional(from, "minor", place, kMinorLimit, to.minor);
  if (!status.ok()) return status;
  if ((to.major || to.minor) && !(to.major && to.minor && to.type)) {
    return Refuse(place, "a device's number needs type, major and minor");
  }
  return absl::OkStatus();
}

absl::Status ReadDeviceNode(const json& from, const std::string& place, Edits& to) {
  absl::Status status = CheckKeys(
      from, place,
      {"path", "hostPath", "type", "major", "minor", "fileMode", "permissions", "uid", "gid"},
      OtherKeys::kRefuse);
  if (!status.ok()) return status;
  absl::StatusOr<std::string> path = ReadPath(from, "path", place);
  if (!path.ok()) return path.status();
  spec::Device device{.container_path = *path, .host_path = *path, .permissions = "rwm"};
  if (Find(from, "hostPath") != nullptr) {
    absl::StatusOr<std::string> host = ReadPath(from, "hostPath", place);
    if (!host.ok()) return host.status();
    device.host_path = *std::move(host);
  }
  if (const json* permissions = Find(from, "permissions")) {
    absl::StatusOr<std::string> text = ReadString(*permissions, Below(place, "permissions"));
    if (!text.ok()) return text.status();
    if (text->find_first_not_of("rwm") != text->npos) {
      return Refuse(Below(place, "permissions"), *permissions, "is not of \"r\", \"w\" and \"m\"");
    }
    if (!text->empty()) device.permissions = *std::move(text);
  }
  status = ReadDeviceNumber(from, place, device);
  if (status.ok()) status = ReadOptional(from, "fileMode", place, 0777, device.file_mode);
  if (status.ok()) status = ReadOptional(from, "uid", place, kIdLimit, device.uid);
  if (status.ok()) status = ReadOptional(from, "gid", place, kIdLimit, device.gid);
  if (status.ok()) to.devices.push_back(std::move(device));
  return status;
}

absl::Status ReadMountOption(const json& from, const std::string& place, spec::Mount& to) {
  const absl::StatusOr<std::string> option = ReadString(from, place);
  if (!option.ok()) return option.status();
  if (*option == "ro") {
    to.readonly = true;
  } else if (*option == "nosuid") {
    to.nosuid = true;
  } else if (*option == "nodev") {
    to.nodev = true;
  } else if (*option == "noexec") {
    to.noexec = true;
  } else if (*option == "slave" || *option == "rslave") {
    to.propagation = spec::MountPropagation::kHostToContainer;
  } else if (*option == "shared" || *option == "rshared") {
    to.propagation = spec::MountPropagation::kBidirectional;
  } else if (*option != "bind" && *option != "rbind" && *option != "rw" && *option != "private" &&
             *option != "rprivate") {
    return Refuse(place, from, "is not a mount option that is built");
  }
  return absl::OkStatus();
}

absl::Status ReadMount(const json& from, const std::string& place, Edits& to) {
  absl::Status status =
      CheckKeys(from, place, {"hostPath", "containerPath", "options", "type"}, OtherKeys::kRefuse);
  if (!status.ok()) return status;
  absl::StatusOr<std::string> host = ReadPath(from, "hostPath", place);
  if (!host.ok()) return host.status();
  absl::StatusOr<std::string> container = ReadPath(from, "containerPath", place);
  if (!container.ok()) return container.status();
  const json* type = Find(from, "type");
  if (type != nullptr && *type != "bind" && *type != "none") {
    return Refuse(Below(place, "type"), *type, "is not a type that is built: bind");
  }
  spec::Mount mount{.container_path = *std::move(container), .host_path = *std::move(host)};
  status = ForEach(from, "options", place, [&](const json& option, const std::string& here) {
    return ReadMountOption(option, here, mount);
  });
  if (status.ok()) to.mounts.push_back(std::move(mount));
  return status;
}

constexpr absl::string_view kHook = "createContainer";
constexpr absl::string_view kOtherHooks[] = {"prestart", "createRuntime", "startContainer",
                                             "poststart", "poststop"};

absl::Status ReadHookName(const json& from, const std::string& place, Edits& to) {
  const json* value = Find(from, "hookName");
  const std::string here = Below(place, "hookName");
  if (value == nullptr) return Refuse(here, "is missing");
  const absl::StatusOr<std::string> name = ReadString(*value, here);
  if (!name.ok() || *name == kHook) return name.status();
  if (!absl::c_linear_search(kOtherHooks, *name)) {
    return Refuse(here, *value, "is not the name of a hook");
  }
  to.not_built.push_back(absl::StrCat("hooks of the kind ", *name));
  return absl::OkStatus();
}

absl::Status ReadHook(const json& from, const std::string& place, Edits& to) {
  absl::Status status =
      CheckKeys(from, place, {"hookName", "path", "args", "env", "timeout"}, OtherKeys::kRefuse);
  if (status.ok()) status = ReadHookName(from, place, to);
  if (!status.ok()) return status;
  absl::StatusOr<std::string> path = ReadPath(from, "path", place);
  if (!path.ok()) return path.status();
  spec::Hook hook{.path = *std::move(path)};
  status = ReadStrings(from, "args", place, hook.args);
  if (!status.ok()) return status;
  status = ForEach(from, "env", place, [&](const json& variable, const std::string& here) {
    const auto parsed = ParseVariable(variable, here);
    if (parsed.ok()) hook.env.push_back(absl::StrCat(parsed->first, "=", parsed->second));
    return parsed.status();
  });
  if (status.ok()) status = ReadOptional(from, "timeout", place, kTimeoutLimit, hook.timeout);
  if (status.ok() && hook.timeout == 0u) {
    status = Refuse(Below(place, "timeout"), "0 seconds are too short");
  }
  if (status.ok()) to.hooks.push_back(std::move(hook));
  return status;
}

absl::Status ReadGroup(const json& from, const std::string& place, Edits& to) {
  if (!from.is_number_unsigned() || from.get<uint64_t>() > kIdLimit) {
    return Refuse(place, from, absl::StrCat("is not a number from 0 to ", kIdLimit));
  }
  // Vendors' tools write 0 for none; the specification's own implementation passes it over too.
  if (from != 0) to.groups.push_back(from);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Edits> ReadEdits(const json& edits, const std::string& place) {
  absl::Status status = CheckKeys(
      edits, place,
      {"env", "deviceNodes", "mounts", "additionalGids", "hooks", "intelRdt", "netDevices"},
      OtherKeys::kRefuse);
  if (!status.ok()) return status;
  Edits out;
  const auto each = [&](absl::string_view key, auto read) {
    if (!status.ok()) return;
    status = ForEach(edits, key, place, [&](const json& value, const std::string& here) {
      return read(value, here, out);
    });
  };
  each("env", ReadVariable);
  each("deviceNodes", ReadDeviceNode);
  each("mounts", ReadMount);
  each("additionalGids", ReadGroup);
  each("hooks", ReadHook);
  if (!status.ok()) return status;
  for (const char* key : {"intelRdt", "netDevices"}) {
    const json* value = Find(edits, key);
    if (value != nullptr && !value->empty()) out.not_built.push_back(key);
  }
  return out;
}

void ApplyEdits(const Edits& edits, spec::ContainerSpec& spec) {
  for (const auto& variable : edits.env) {
    std::erase_if(spec.env, [&](const auto& other) { return other.first == variable.first; });
    spec.env.push_back(variable);
  }
  for (spec::Device device : edits.devices) {
    std::erase_if(spec.devices, [&](const spec::Device& other) {
      return other.container_path == device.container_path;
    });
    // Else a device that is root's alone would be of no use to the user who asked for it.
    if (!device.uid) device.uid = spec.security.run_as_user;
    if (!device.gid) device.gid = spec.security.run_as_group;
    spec.devices.push_back(std::move(device));
  }
  for (const spec::Mount& mount : edits.mounts) {
    std::erase_if(spec.mounts, [&](const spec::Mount& other) {
      return other.container_path == mount.container_path;
    });
    spec.mounts.push_back(mount);
  }
  for (const uint32_t group : edits.groups) {
    auto& groups = spec.security.supplemental_groups;
    if (!absl::c_linear_search(groups, group)) groups.push_back(group);
  }
  spec.hooks.insert(spec.hooks.end(), edits.hooks.begin(), edits.hooks.end());
}

}  // namespace bulkhead::cdi
