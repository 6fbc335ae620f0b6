#include "runtime/isolation/seccomp.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "runtime/isolation/seccomp_default.h"
#include "runtime/isolation/seccomp_json.h"
#include "runtime/kernel/fd.h"
#include "runtime/kernel/file.h"
#include "runtime/kernel/status.h"

namespace bulkhead::isolation {
namespace {

using Type = spec::SecurityProfile::Type;

// A filter is some 12 kB, a profile rarely more; containers of a node ask for few different ones.
constexpr size_t kMaxKeptBytes = size_t{4} << 20;
constexpr size_t kMaxProfile = size_t{1} << 20;

bool UsesLocalhost(const spec::SecurityContext& security) {
  return !security.privileged && security.seccomp.type == Type::kLocalhost;
}

absl::StatusOr<std::string> ReadRegularFile(const std::string& path) {
  // Not blocking: opening a FIFO would wait for its other end.
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!file.valid()) return ErrnoStatus(errno, "open");
  struct stat st;
  if (fstat(file.get(), &st) != 0) return ErrnoStatus(errno, "fstat");
  if (!S_ISREG(st.st_mode)) return absl::InvalidArgumentError("it is not a regular file");
  absl::StatusOr<std::string> text = ReadAll(file.get(), kMaxProfile);
  if (absl::IsResourceExhausted(text.status())) {
    return absl::InvalidArgumentError(absl::StrCat("it is larger than ", kMaxProfile, " bytes"));
  }
  return text;
}

std::string Describe(const spec::SecurityContext& security) {
  return absl::StrCat("seccomp: the Localhost profile \"", security.seccomp.localhost_ref, "\"");
}

absl::StatusOr<CompiledSeccomp> CompileText(const std::string& text, uint64_t capabilities,
                                            const std::string& agent) {
  utsname host;
  if (uname(&host) != 0) return ErrnoStatus(errno, "uname");
  absl::StatusOr<spec::SeccompProfile> profile =
      ParseSeccompProfile(text, {.capabilities = capabilities,
                                 .machine = host.machine,
                                 .kernel_release = host.release,
                                 .agent = agent});
  if (!profile.ok()) return profile.status();
  return CompileProfile(*profile);
}

absl::StatusOr<CompiledSeccomp> CompileBuiltIn(Type type, uint64_t capabilities) {
  const spec::SeccompProfile profile =
      type == Type::kRuntimeStrict   ? StrictSeccompProfile(capabilities)
      : type == Type::kRuntimeLogged ? LoggedSeccompProfile(capabilities)
                                     : DefaultSeccompProfile(capabilities);
  absl::StatusOr<CompiledSeccomp> compiled = CompileProfile(profile);
  if (!compiled.ok()) return Annotate(compiled.status(), "default seccomp profile");
  // What its lists name and libseccomp does not know gets the default action in any case.
  compiled->unknown_calls.clear();
  return compiled;
}

}  // namespace

absl::StatusOr<std::string> ReadLocalhostProfile(const spec::SecurityContext& security) {
  if (!UsesLocalhost(security)) return std::string();
  absl::StatusOr<std::string> text = ReadRegularFile(security.seccomp.localhost_ref);
  if (text.ok()) return text;
  return absl::InvalidArgumentError(
      absl::StrCat(Describe(security), ": ", text.status().message()));
}

bool SeccompCompiler::IsKept(const Key& key) const {
  const auto& [type, text, capabilities] = key;
  const auto found = kept_.lower_bound({type, text, 0});
  return found != kept_.end() && std::get<0>(found->first) == type &&
         std::get<1>(found->first) == text;
}

void SeccompCompiler::Keep(const Key& key, const plan::SeccompPlan& plan) {
  if (kept_bytes_ > kMaxKeptBytes) {
    kept_.clear();
    kept_bytes_ = 0;
  }
  if (kept_.emplace(key, plan).second) {
    kept_bytes_ += std::get<1>(key).size() + plan.program().size();
  }
}

absl::StatusOr<CompiledSeccomp> SeccompCompiler::Compile(const Key& key) {
  {
    const absl::MutexLock lock(&mutex_);
    const auto kept = kept_.find(key);
    if (kept != kept_.end()) return CompiledSeccomp{.plan = kept->second};
  }
  // Not under the lock: two that compile the same at once do no harm.
  const auto& [type, text, capabilities] = key;
  absl::StatusOr<CompiledSeccomp> compiled = type == Type::kLocalhost
                                                 ? CompileText(text, capabilities, agent_)
                                                 : CompileBuiltIn(type, capabilities);
  if (!compiled.ok()) return compiled;
  const absl::MutexLock lock(&mutex_);
  if (IsKept(key)) compiled->unknown_calls.clear();
  Keep(key, compiled->plan);
  return compiled;
}

absl::StatusOr<CompiledSeccomp> SeccompCompiler::Plan(const spec::SecurityContext& security,
                                                      uint64_t capabilities,
                                                      const std::string& profile) {
  const Type type = security.seccomp.type;
  if (UsesLocalhost(security)) {
    if (profile.empty()) {
      return absl::InvalidArgumentError(absl::StrCat(Describe(security), " is empty"));
    }
    absl::StatusOr<CompiledSeccomp> compiled = Compile({type, profile, capabilities});
    if (!compiled.ok()) return Annotate(compiled.status(), Describe(security));
    return compiled;
  }
  if (security.privileged || type == Type::kUnset || type == Type::kUnconfined) {
    return CompiledSeccomp();
  }
  return Compile({type, "", capabilities});
}

}  // namespace bulkhead::isolation
