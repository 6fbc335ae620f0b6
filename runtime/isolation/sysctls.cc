#include "runtime/isolation/sysctls.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "runtime/kernel/path.h"
#include "runtime/kernel/status.h"

namespace bulkhead::isolation {
namespace {

// The IPC namespace's sysctls: ipc_namespaces(7).
bool IsIpc(const std::string& path) {
  for (const char* name :
       {"kernel/msgmax", "kernel/msgmnb", "kernel/msgmni", "kernel/sem", "kernel/shmall",
        "kernel/shmmax", "kernel/shmmni", "kernel/shm_rmid_forced"}) {
    if (path == name) return true;
  }
  return absl::StartsWith(path, "fs/mqueue/");
}

bool IsName(const std::string& path) {
  for (const std::string& part : SplitPath(path)) {
    if (part == "..") return false;
  }
  return !path.empty() && path.front() != '/' && path.back() != '/' &&
         !absl::StrContains(path, "//") && !absl::StrContains(path, "/./") &&
         path.find('\0') == std::string::npos;
}

// sysctl(8): the first separator decides; in the dotted form a slash stands for a dot in a name.
std::string SlashForm(const std::string& name) {
  const size_t separator = name.find_first_of("./");
  if (separator == std::string::npos || name[separator] == '/') return name;
  return absl::StrReplaceAll(name, {{".", "/"}, {"/", "."}});
}

absl::Status Check(const std::string& name, const std::string& path, const SysctlNamespaces& own) {
  const auto refuse = [&](absl::string_view why) {
    return absl::InvalidArgumentError(absl::StrCat("sysctls[\"", name, "\"]: ", why));
  };
  if (!IsName(path)) return refuse("not a sysctl's name");
  if (absl::StartsWith(path, "net/")) {
    return own.network ? absl::OkStatus() : refuse("the pod uses the host's network namespace");
  }
  if (IsIpc(path)) {
    return own.ipc ? absl::OkStatus() : refuse("the pod uses the host's IPC namespace");
  }
  if (path == "kernel/domainname") {
    return own.uts ? absl::OkStatus() : refuse("the pod uses the host's UTS namespace");
  }
  return refuse("not namespaced, it would change the host");
}

}  // namespace

absl::StatusOr<std::vector<plan::Sysctl>> PlanSysctls(
    const std::map<std::string, std::string>& sysctls, const SysctlNamespaces& own) {
  std::vector<plan::Sysctl> planned;
  for (const auto& [name, value] : sysctls) {
    plan::Sysctl sysctl;
    sysctl.set_path(SlashForm(name));
    sysctl.set_value(value);
    if (absl::Status status = Check(name, sysctl.path(), own); !status.ok()) return status;
    planned.push_back(std::move(sysctl));
  }
  return planned;
}

absl::Status WriteSysctl(int procfs, const plan::Sysctl& sysctl) {
  const std::string path = absl::StrCat("sys/", sysctl.path());
  const std::string what = absl::StrCat("sysctl ", sysctl.path(), "=", sysctl.value());
  const int fd = Openat2(procfs, path.c_str(), O_WRONLY | O_CLOEXEC, 0,
                         RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
  if (fd < 0) return ErrnoStatus(-fd, what);
  const UniqueFd file(fd);
  const ssize_t n = write(file.get(), sysctl.value().data(), sysctl.value().size());
  if (n != static_cast<ssize_t>(sysctl.value().size())) {
    return ErrnoStatus(n < 0 ? errno : EINVAL, what);
  }
  return absl::OkStatus();
}

}  // namespace bulkhead::isolation
