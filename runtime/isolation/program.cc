#include "runtime/isolation/program.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "runtime/kernel/path.h"

namespace bulkhead::isolation {
namespace {

absl::string_view SearchPath(const plan::Process& process) {
  constexpr absl::string_view kName = "PATH=";
  for (const std::string& variable : process.env()) {
    if (absl::StartsWith(variable, kName)) return absl::string_view(variable).substr(kName.size());
  }
  return "";
}

// Whether the search goes on with the next directory.
bool IsNotHere(int error) {
  return error == ENOENT || error == ENOTDIR || error == EACCES || error == ESTALE ||
         error == ENODEV || error == ETIMEDOUT;
}

template <typename Strings>
std::vector<char*> Pointers(const Strings& strings) {
  std::vector<char*> pointers;
  pointers.reserve(strings.size() + 1);
  // execve(2) takes char* but does not write.
  for (const std::string& string : strings) pointers.push_back(const_cast<char*>(string.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

std::vector<std::string> ProgramCandidates(const plan::Process& process) {
  const std::string& command = process.args(0);
  if (absl::StrContains(command, '/')) return {command};
  std::vector<std::string> candidates;
  for (absl::string_view directory : absl::StrSplit(SearchPath(process), ':', absl::SkipEmpty())) {
    candidates.push_back(absl::StrCat(directory, "/", command));
  }
  return candidates;
}

absl::StatusOr<ProgramSlice> ProgramOutside(const plan::Process& process) {
  if (process.args_size() == 0 || process.args(0).empty()) {
    return absl::InvalidArgumentError("no command to execute");
  }
  ProgramSlice slice{.process = &process, .names = ProgramCandidates(process)};
  slice.candidates = Pointers(slice.names);
  slice.argv = Pointers(process.args());
  slice.envp = Pointers(process.env());
  return slice;
}

Outcome EnterDirectoryInside(const ProgramSlice& slice, bool as_user, bool& entered) {
  const std::string& directory = slice.process->working_directory();
  const char* path = directory.empty() ? "/" : directory.c_str();
  if (!entered) {
    if (chdir("/") != 0) return FromResult(-1, "/");
    const int fd = OpenInRoot(AT_FDCWD, path, O_PATH | O_DIRECTORY);
    if (fd == -EACCES && !as_user) return {};
    if (fd < 0) return {.error = -fd, .subject = path};
    if (fchdir(fd) != 0) {
      if (errno == EACCES && !as_user) return {};
      return FromResult(-1, path);
    }
    close(fd);
    entered = true;
  }
  // The kernel writes "(unreachable)" before a path that is not below the root.
  char reached[PATH_MAX];
  if (syscall(SYS_getcwd, reached, sizeof(reached)) < 0) return FromResult(-1, path);
  return {.error = reached[0] == '/' ? 0 : EXDEV, .subject = path};
}

Outcome ExecuteInside(const ProgramVectors& program) {
  int error = ENOENT;
  for (char* const* candidate = program.candidates; *candidate != nullptr; ++candidate) {
    execve(*candidate, program.argv, program.envp);
    if (!IsNotHere(errno)) return FromResult(-1, *candidate);
    if (errno == EACCES) error = EACCES;
  }
  return {.error = error, .subject = program.command};
}

}  // namespace bulkhead::isolation
