#include "runtime/isolation/selinux.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "runtime/isolation/selinux_policy.h"
#include "runtime/kernel/fd.h"
#include "runtime/kernel/file.h"
#include "runtime/kernel/status.h"

namespace bulkhead::isolation {
namespace {

constexpr char kSelinuxfs[] = "/sys/fs/selinux";
// What policies for containers call their domain of privileged ones.
constexpr char kPrivilegedType[] = "spc_t";
// Of the categories that pods are given.
constexpr char kLastPair[] = "s0:c1022,c1023";

const std::string& FirstGiven(const std::string& a, const std::string& b, const std::string& c) {
  return !a.empty() ? a : !b.empty() ? b : c;
}

// The files' context for a process that asks for `user` and has `level`.
std::string MountLabel(const std::string& user, const std::string& level,
                       const SelinuxFacts& facts) {
  SelinuxContext context = facts.file;
  if (!user.empty()) context.user = user;
  context.level = level;
  return ToString(context);
}

}  // namespace

std::string ToString(const SelinuxContext& context) {
  return absl::StrCat(context.user, ":", context.role, ":", context.type,
                      context.level.empty() ? "" : ":", context.level);
}

std::optional<SelinuxContext> ParseSelinuxContext(std::string_view label) {
  while (!label.empty() && (label.back() == '\0' || label.back() == '\n')) label.remove_suffix(1);
  const std::vector<std::string> parts =
      absl::StrSplit(absl::string_view(label.data(), label.size()), absl::MaxSplits(':', 3));
  if (parts.size() < 3) return std::nullopt;
  return SelinuxContext{parts[0], parts[1], parts[2], parts.size() > 3 ? parts[3] : ""};
}

void ParseLxcContexts(std::string_view text, SelinuxFacts& facts) {
  const std::pair<const char*, SelinuxContext*> wanted[] = {{"process", &facts.process},
                                                            {"file", &facts.file}};
  for (const auto& [name, context] : wanted) {
    const auto parsed = ParseSelinuxContext(PolicyValue(text, name));
    if (parsed.has_value()) {
      *context = *parsed;
    } else {
      facts.problem = absl::StrCat("its lxc_contexts has no context \"", name, "\"");
    }
  }
}

std::optional<SelinuxFacts> ProbeSelinux() {
  struct statfs st {};
  if (statfs(kSelinuxfs, &st) != 0 || st.f_type != SELINUX_MAGIC) return std::nullopt;
  const std::string own = ReadFile("/proc/self/attr/current").value_or("");
  if (!ParseSelinuxContext(own).has_value()) return std::nullopt;
  SelinuxFacts facts;
  facts.enforcing = ReadFile(absl::StrCat(kSelinuxfs, "/enforce")).value_or("0") == "1";
  const absl::StatusOr<std::string> contexts = ReadLxcContexts();
  if (!contexts.ok()) {
    facts.problem = absl::StrCat("the policy says nothing of containers: ",
                                 absl::string_view(contexts.status().message()));
    return facts;
  }
  ParseLxcContexts(*contexts, facts);
  for (const std::string& context : NeededContexts(facts)) {
    if (!facts.problem.empty()) break;
    facts.problem = std::string(CanonicalSelinuxContext(context).status().message());
  }
  return facts;
}

std::vector<std::string> NeededContexts(const SelinuxFacts& facts) {
  SelinuxContext privileged = facts.process;
  privileged.type = kPrivilegedType;
  std::vector<std::string> needed = {ToString(facts.process), ToString(facts.file),
                                     ToString(privileged)};
  for (SelinuxContext context : {facts.process, facts.file}) {
    if (facts.process.level.empty()) break;
    context.level = kLastPair;
    needed.push_back(ToString(context));
  }
  return needed;
}

absl::StatusOr<std::string> CanonicalSelinuxContext(const std::string& label) {
  const std::string path = absl::StrCat(kSelinuxfs, "/context");
  const UniqueFd file(open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!file.valid()) return ErrnoStatus(errno, path);
  // With its NUL, as libselinux writes it.
  if (write(file.get(), label.c_str(), label.size() + 1) < 0) {
    if (errno != EINVAL) return ErrnoStatus(errno, absl::StrCat(path, " \"", label, "\""));
    return absl::InvalidArgumentError(
        absl::StrCat("the SELinux policy of this host has no context \"", label, "\""));
  }
  std::array<char, 4096> canonical;
  const ssize_t size = read(file.get(), canonical.data(), canonical.size());
  if (size < 0) return ErrnoStatus(errno, path);
  return std::string(canonical.data(), strnlen(canonical.data(), size));
}

std::string SelinuxLevelOf(const std::string& label) {
  return ParseSelinuxContext(label).value_or(SelinuxContext()).level;
}

PodSelinux PlanPodSelinux(const spec::SecurityContext& pod, const SelinuxFacts& facts,
                          const std::string& level) {
  const spec::SelinuxOptions options = pod.selinux.value_or(spec::SelinuxOptions());
  const std::string& given = options.level.empty() ? level : options.level;
  return {.level = given, .mount = MountLabel(options.user, given, facts)};
}

SelinuxLabels PlanSelinux(const spec::SecurityContext& container, const spec::SecurityContext& pod,
                          const SelinuxFacts& facts, const PodSelinux& given) {
  const spec::SelinuxOptions own = container.selinux.value_or(spec::SelinuxOptions());
  const spec::SelinuxOptions pods = pod.selinux.value_or(spec::SelinuxOptions());
  const std::string& user = FirstGiven(own.user, pods.user, facts.process.user);
  const std::string type = container.privileged ? kPrivilegedType : facts.process.type;
  SelinuxContext process{.user = user,
                         .role = FirstGiven(own.role, pods.role, facts.process.role),
                         .type = FirstGiven(own.type, pods.type, type),
                         .level = FirstGiven(own.level, pods.level, given.level)};
  const std::string mount =
      MountLabel(FirstGiven(own.user, pods.user, facts.file.user), process.level, facts);
  if (container.privileged && process.type == kPrivilegedType && own.level.empty() &&
      pods.level.empty()) {
    process.level = facts.process.level;
  }
  return {.process = ToString(process), .mount = mount};
}

}  // namespace bulkhead::isolation
