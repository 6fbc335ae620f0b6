#include "runtime/isolation/selinux_policy.h"

#include <fcntl.h>

#include <cerrno>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "runtime/isolation/relabel.h"
#include "runtime/isolation/selinux.h"
#include "runtime/kernel/fd.h"
#include "runtime/kernel/file.h"
#include "runtime/kernel/status.h"

namespace bulkhead::isolation {

std::string PolicyValue(std::string_view text, std::string_view name) {
  std::string value;
  for (absl::string_view line : absl::StrSplit(absl::string_view(text.data(), text.size()), '\n')) {
    const std::vector<std::string> sides = absl::StrSplit(line, absl::MaxSplits('=', 1));
    if (sides.size() != 2 || absl::StripAsciiWhitespace(sides[0]) != std::string(name)) continue;
    absl::string_view found = absl::StripAsciiWhitespace(sides[1]);
    if (absl::ConsumePrefix(&found, "\"")) absl::ConsumeSuffix(&found, "\"");
    value = std::string(found);
  }
  return value;
}

absl::StatusOr<std::string> ReadLxcContexts() {
  const absl::StatusOr<std::string> config = ReadFile("/etc/selinux/config");
  if (!config.ok()) return config.status();
  return ReadFile(
      absl::StrCat("/etc/selinux/", PolicyValue(*config, "SELINUXTYPE"), "/contexts/lxc_contexts"));
}

absl::Status LabelStore(const std::string& directory, StoreContent content) {
  const absl::StatusOr<std::string> contexts = ReadLxcContexts();
  if (!contexts.ok()) return contexts.status();
  const std::string named = PolicyValue(*contexts, "ro_file");
  if (!ParseSelinuxContext(named).has_value()) {
    return absl::FailedPreconditionError("the policy's lxc_contexts has no context \"ro_file\"");
  }
  const absl::StatusOr<std::string> label = CanonicalSelinuxContext(named);
  if (!label.ok()) return label.status();
  const UniqueFd fd(open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return errno == ENOENT ? absl::OkStatus() : ErrnoStatus(errno, directory);
  // The directory itself comes last, so that all of it was done.
  if (ReadLabel(fd.get()) == *label) return absl::OkStatus();
  const absl::Status labelled = content == StoreContent::kLabelled ? RelabelTree(fd.get(), *label)
                                                                   : SetLabel(fd.get(), *label);
  if (!labelled.ok()) return Annotate(labelled, directory);
  if (ReadLabel(fd.get()) == *label) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(directory, ": its file system keeps no SELinux labels"));
}

}  // namespace bulkhead::isolation
