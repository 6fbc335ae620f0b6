#include "runtime/isolation/default_mounts.h"

#include <sys/mount.h>
#include <sys/stat.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "runtime/kernel/path.h"

namespace bulkhead::isolation {
namespace {

constexpr uint64_t kNoSuidExec = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
constexpr uint64_t kNothing = kNoSuidExec | MOUNT_ATTR_NODEV;

struct DefaultMount {
  const char* destination;
  const char* type;
  uint64_t attributes;
  std::vector<std::pair<const char*, std::string>> options;
};

plan::Mount NewMount(const DefaultMount& from) {
  plan::Mount mount;
  mount.set_destination(from.destination);
  mount.set_attributes(from.attributes);
  mount.mutable_filesystem()->set_type(from.type);
  for (const auto& [key, value] : from.options) {
    plan::FilesystemOption* option = mount.mutable_filesystem()->add_options();
    option->set_key(key);
    option->set_value(value);
  }
  return mount;
}

// sysfs is labelled by the policy, an IPC namespace's mqueue once for all of its mounts.
bool TakesLabel(absl::string_view type) { return type == "tmpfs" || type == "devpts"; }

}  // namespace

bool IsMounted(const std::vector<spec::Mount>& mounts, const std::string& destination) {
  for (const spec::Mount& mount : mounts) {
    if (CleanPath(mount.container_path) == CleanPath(destination)) return true;
  }
  return false;
}

void AddDefaultMounts(const std::vector<spec::Mount>& mounts, const DefaultMountOptions& options,
                      plan::RootPlan& plan) {
  const uint64_t sys = kNothing | (options.privileged ? 0 : MOUNT_ATTR_RDONLY);
  const std::string tty = absl::StrCat(options.terminal_group);
  const std::vector<DefaultMount> defaults = {
      {"/dev", "tmpfs", MOUNT_ATTR_NOSUID, {{"mode", "755"}, {"size", "65536k"}}},
      {"/dev/pts",
       "devpts",
       kNoSuidExec,
       {{"newinstance", ""}, {"ptmxmode", "0666"}, {"mode", "0620"}, {"gid", tty}}},
      {"/dev/mqueue", "mqueue", kNothing, {}},
      {"/sys", "sysfs", sys, {}},
  };
  for (const DefaultMount& mount : defaults) {
    if (IsMounted(mounts, mount.destination)) continue;
    *plan.add_mounts() = NewMount(mount);
    if (options.label.empty() || !TakesLabel(mount.type)) continue;
    plan::FilesystemOption* context =
        plan.mutable_mounts(plan.mounts_size() - 1)->mutable_filesystem()->add_options();
    context->set_key("context");
    context->set_value(options.label);
  }
  if (IsMounted(mounts, "/dev/shm")) return;
  plan::Mount* shm = plan.add_mounts();
  shm->set_destination("/dev/shm");
  shm->set_pod_shm(true);
}

void AddDefaultDevices(plan::RootPlan& plan) {
  constexpr struct {
    const char* path;
    uint32_t major;
    uint32_t minor;
  } kDevices[] = {{"/dev/null", 1, 3},   {"/dev/zero", 1, 5},    {"/dev/full", 1, 7},
                  {"/dev/random", 1, 8}, {"/dev/urandom", 1, 9}, {"/dev/tty", 5, 0}};
  for (const auto& device : kDevices) {
    plan::DeviceNode* node = plan.add_devices();
    node->set_path(device.path);
    node->set_mode(S_IFCHR | 0666);
    node->set_major(device.major);
    node->set_minor(device.minor);
  }
  constexpr const char* kLinks[][2] = {
      {"/dev/fd", "/proc/self/fd"},       {"/dev/stdin", "/proc/self/fd/0"},
      {"/dev/stdout", "/proc/self/fd/1"}, {"/dev/stderr", "/proc/self/fd/2"},
      {"/dev/core", "/proc/kcore"},       {"/dev/ptmx", "pts/ptmx"}};
  for (const auto& [path, target] : kLinks) {
    plan::Symlink* link = plan.add_symlinks();
    link->set_path(path);
    link->set_target(target);
  }
}

}  // namespace bulkhead::isolation
