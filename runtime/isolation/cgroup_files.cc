#include "runtime/isolation/cgroup_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "absl/algorithm/container.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "runtime/kernel/file.h"
#include "runtime/kernel/path.h"
#include "runtime/kernel/status.h"

namespace bulkhead::isolation {
namespace {

bool IsGone(const absl::Status& status) {
  // ENODEV: the cgroup was removed while its file was open.
  return ErrnoOf(status) == ENOENT || ErrnoOf(status) == ENODEV;
}

absl::Status AppendProcesses(const std::string& directory, std::vector<pid_t>& pids) {
  absl::StatusOr<std::string> text = ReadCgroupFile(directory, "cgroup.procs");
  if (!text.ok()) return IsGone(text.status()) ? absl::OkStatus() : text.status();
  for (absl::string_view line : absl::StrSplit(*text, '\n', absl::SkipEmpty())) {
    pid_t pid = 0;
    if (absl::SimpleAtoi(line, &pid)) pids.push_back(pid);
  }
  for (const std::string& child : ChildrenOfCgroup(directory)) {
    const absl::Status status = AppendProcesses(absl::StrCat(directory, "/", child), pids);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckCgroupPath(std::string_view path) {
  const std::string text(path);
  const bool clean = text.find('\0') == std::string::npos && text.find('\n') == std::string::npos &&
                     !absl::c_linear_search(SplitPath(text), "..");
  if (clean && text.starts_with('/')) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("cgroup path \"", text, "\""));
}

std::vector<std::string> PathAndParents(std::string_view path) {
  std::vector<std::string> paths;
  std::string so_far;
  for (const std::string& part : SplitPath(std::string(path))) {
    absl::StrAppend(&so_far, "/", part);
    paths.push_back(so_far);
  }
  return paths;
}

absl::StatusOr<bool> MakeCgroupDirectory(const std::string& directory) {
  if (mkdir(directory.c_str(), 0755) == 0) return true;
  if (errno == EEXIST) return false;
  return ErrnoStatus(errno, absl::StrCat("mkdir ", directory));
}

bool CgroupFileExists(const std::string& directory, const std::string& file) {
  return access(absl::StrCat(directory, "/", file).c_str(), F_OK) == 0;
}

absl::StatusOr<std::string> ReadCgroupFile(const std::string& directory, const std::string& file) {
  return ReadFile(absl::StrCat(directory, "/", file), 64 << 20);
}

absl::Status WriteCgroupFile(const std::string& directory, const std::string& file,
                             std::string_view value) {
  return WriteControlFile(AT_FDCWD, absl::StrCat(directory, "/", file), value);
}

absl::Status WriteCgroupFiles(const std::string& directory,
                              const std::vector<CgroupWrite>& writes) {
  for (const CgroupWrite& write : writes) {
    absl::Status status = WriteCgroupFile(directory, write.file, write.value);
    if (status.ok()) continue;
    status = Annotate(status, write.field);
    const int error = ErrnoOf(status);
    if (error != EINVAL && error != ERANGE) return status;
    return absl::InvalidArgumentError(status.message());
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<pid_t>> ProcessesBelow(const std::string& directory) {
  std::vector<pid_t> pids;
  if (absl::Status status = AppendProcesses(directory, pids); !status.ok()) return status;
  return pids;
}

// Only directories are entered, and no links: a cgroup file system has none.
std::vector<std::string> ChildrenOfCgroup(const std::string& directory) {
  std::vector<std::string> children;
  std::error_code error;
  for (std::filesystem::directory_iterator it(directory, error);
       !error && it != std::filesystem::directory_iterator(); it.increment(error)) {
    if (it->is_directory(error)) children.push_back(it->path().filename());
  }
  return children;
}

absl::Status RemoveCgroupTree(const std::string& directory) {
  if (rmdir(directory.c_str()) == 0 || errno == ENOENT) return absl::OkStatus();
  if (errno != EBUSY) return ErrnoStatus(errno, absl::StrCat("rmdir ", directory));
  for (const std::string& child : ChildrenOfCgroup(directory)) {
    const absl::Status status = RemoveCgroupTree(absl::StrCat(directory, "/", child));
    if (!status.ok()) return status;
  }
  if (rmdir(directory.c_str()) == 0 || errno == ENOENT) return absl::OkStatus();
  return ErrnoStatus(errno, absl::StrCat("rmdir ", directory));
}

int PollTimeout(absl::Time deadline) {
  const absl::Duration left = deadline - absl::Now();
  if (left <= absl::ZeroDuration()) return 0;
  // Rounded up, so that a poll does not return just before the deadline again and again.
  return static_cast<int>(absl::ToInt64Milliseconds(std::min(left, absl::Minutes(1)))) + 1;
}

}  // namespace bulkhead::isolation
