#include "tests/fault/confined_container.h"

#include <sys/mount.h>

#include <utility>

#include "absl/strings/str_replace.h"
#include "nlohmann/json.hpp"
#include "runtime/isolation/report.h"
#include "tests/conformance/fixture/files.h"
#include "tests/conformance/fixture/must.h"
#include "tests/conformance/fixture/user_namespace.h"

namespace bulkhead::fault {
namespace {

namespace fs = std::filesystem;

bool IsMapped(const v1::PodSandboxConfig& pod) {
  const auto& namespaces = pod.linux().security_context().namespace_options();
  return namespaces.has_userns_options() && namespaces.userns_options().mode() == v1::POD;
}

void AddVolumes(v1::ContainerConfig& config, const std::string& image, const fs::path& folder,
                bool mapped) {
  const auto add = [&](const fs::path& host, const std::string& container) -> v1::Mount& {
    v1::Mount& mount = *config.add_mounts();
    mount.set_host_path(host);
    mount.set_container_path(container);
    return mount;
  };
  v1::Mount& plain = add(folder / "plain", "/volumes/plain");
  if (mapped) {
    fixture::AddMap(*plain.mutable_uidmappings());
    fixture::AddMap(*plain.mutable_gidmappings());
  }
  add(folder / "shared", "/volumes/read-only").set_readonly(true);
  v1::Mount& recursive = add(folder / "shared", "/volumes/recursive");
  recursive.set_readonly(true);
  recursive.set_recursive_read_only(true);
  add(folder / "shared", "/volumes/slave").set_propagation(v1::PROPAGATION_HOST_TO_CONTAINER);
  if (!mapped) {
    add(folder / "shared", "/volumes/both").set_propagation(v1::PROPAGATION_BIDIRECTIONAL);
  }
  // One that comes after procfs.
  add(folder / "plain/file", "/proc/version").set_readonly(true);
  v1::Mount& programs = *config.add_mounts();
  programs.set_container_path("/volumes/image");
  programs.set_readonly(true);
  programs.mutable_image()->set_image(image);
}

void Confine(v1::LinuxContainerSecurityContext& security) {
  security.mutable_run_as_user()->set_value(1000);
  security.mutable_run_as_group()->set_value(1001);
  security.add_supplemental_groups(1002);
  security.mutable_capabilities()->add_add_capabilities("NET_ADMIN");
  security.mutable_capabilities()->add_drop_capabilities("CHOWN");
  security.mutable_capabilities()->add_add_ambient_capabilities("NET_BIND_SERVICE");
  security.set_no_new_privs(true);
  security.set_readonly_rootfs(true);
  security.mutable_seccomp()->set_profile_type(v1::SecurityProfile::RuntimeDefault);
  security.mutable_apparmor()->set_profile_type(v1::SecurityProfile::RuntimeDefault);
  for (const char* path : {"/proc/keys", "/proc/kcore", "/sys/firmware", "/sys/kernel"}) {
    security.add_masked_paths(path);
  }
  for (const char* path : {"/proc/sys", "/proc/bus"}) security.add_readonly_paths(path);
}

}  // namespace

SharedFolder::SharedFolder(fs::path path) : path_(std::move(path)) {
  fs::create_directories(path_);
  mount("tmpfs", path_.c_str(), "tmpfs", 0, "size=1m");
  mount(nullptr, path_.c_str(), nullptr, MS_SHARED, nullptr);
  fs::create_directories(path_ / "below");
  mount("tmpfs", (path_ / "below").c_str(), "tmpfs", 0, "size=1m,mode=1777");
}

SharedFolder::~SharedFolder() {
  umount2((path_ / "below").c_str(), MNT_DETACH);
  umount2(path_.c_str(), MNT_DETACH);
}

const std::string& SelfReport() {
  static const std::string script = R"(
    grep -E '^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp|Sig[A-Z]|Umask)' /proc/self/status
    cat /proc/self/attr/current 2>/dev/null; cat /proc/self/limits /proc/self/oom_score_adj
    pwd; umask; ls /proc/self/fd | wc -l; tty; env | sort
    for file in /proc/keys /proc/kcore /proc/version; do wc -c < $file; done
    ls /sys/firmware /sys/kernel | wc -l
    stat -c '%n %a %u:%g %t:%T' /dev /dev/* /volumes/*
    for place in / /dev /volumes/* /volumes/*/below /proc/sys/kernel/hostname; do
      if [ -d $place ]; then place=$place/touched; fi
      if true 2>/dev/null >> $place; then echo $place written; else echo $place refused; fi
    done
    for device in /dev/null /dev/zero /dev/given /dev/full; do
      if true 2>/dev/null < $device; then echo $device opened; else echo $device refused; fi
    done
    probe calls
  )";
  return script;
}

v1::ContainerConfig ConfinedContainer(const v1::PodSandboxConfig& pod, const std::string& image,
                                      const fs::path& folder) {
  fs::create_directories(folder / "plain");
  fs::permissions(folder / "plain", fs::perms(0777));
  fixture::WriteFile(folder / "plain/file", "a version\n");
  v1::ContainerConfig config;
  config.mutable_metadata()->set_name("confined");
  config.mutable_image()->set_image(image);
  config.add_command("/bin/sh");
  config.add_command("-c");
  config.add_command(SelfReport() + "\necho " + kReportEnd + "\nsleep 1000 & wait");
  config.set_working_dir("/volumes/plain");
  config.set_stdin(true);
  AddVolumes(config, image, folder, IsMapped(pod));
  v1::Device& device = *config.add_devices();
  device.set_host_path("/dev/zero");
  device.set_container_path("/dev/given");
  device.set_permissions("r");
  config.mutable_linux()->mutable_resources()->set_oom_score_adj(500);
  config.mutable_linux()->mutable_resources()->set_memory_limit_in_bytes(256 << 20);
  v1::LinuxContainerSecurityContext& security = *config.mutable_linux()->mutable_security_context();
  *security.mutable_namespace_options() = pod.linux().security_context().namespace_options();
  Confine(security);
  return config;
}

std::string KernelReport(const v1::ContainerStatusResponse& status, const std::string& pod_id) {
  const std::string& id = status.status().id();
  const pid_t pid = nlohmann::json::parse(status.info().at("info")).at("pid");
  nlohmann::json report = isolation::ToJson(fixture::Must(isolation::ReadIsolation(pid, id)));
  report.erase("pid");
  for (auto& space : report["namespaces"]) space.erase("inode");
  return absl::StrReplaceAll(report.dump(1), {{id, "ID"}, {pod_id, "POD"}});
}

}  // namespace bulkhead::fault
