#include "runtime/isolation/seccomp_filter.h"

#include <linux/filter.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/kernel/fd.h"
#include "runtime/kernel/file.h"
#include "runtime/kernel/status.h"

namespace bulkhead::isolation {

absl::StatusOr<SeccompFilter> SeccompFilter::Make(uint32_t otherwise) {
  SeccompFilter filter(seccomp_init(otherwise));
  if (filter.context_ == nullptr) {
    return absl::UnavailableError("libseccomp does not know this machine");
  }
  const std::pair<scmp_filter_attr, uint32_t> attributes[] = {
      // A binary tree over the numbers: a few comparisons a call instead of hundreds.
      {SCMP_FLTATR_CTL_OPTIMIZE, 2},
      // Another architecture's call. Killing a thread alone leaves a process in no known state.
      {SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS},
  };
  for (const auto& [attribute, value] : attributes) {
    const int result = seccomp_attr_set(filter.context_.get(), attribute, value);
    if (result != 0) return ErrnoStatus(-result, "seccomp: attribute of the filter");
  }
  return filter;
}

absl::Status SeccompFilter::AddArchitecture(uint32_t architecture) {
  const int result = seccomp_arch_add(context_.get(), architecture);
  if (result == 0 || result == -EEXIST) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("libseccomp cannot filter it on this machine (", -result, ")"));
}

absl::StatusOr<SeccompFilter::Known> SeccompFilter::Add(uint32_t action, const std::string& name,
                                                        std::span<const scmp_arg_cmp> comparisons) {
  const int number = seccomp_syscall_resolve_name(name.c_str());
  if (number == __NR_SCMP_ERROR) return Known::kNo;
  const int result = seccomp_rule_add_array(context_.get(), action, number, comparisons.size(),
                                            comparisons.empty() ? nullptr : comparisons.data());
  if (result == -EEXIST) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": another rule for the same arguments has another action"));
  }
  if (result != 0) return ErrnoStatus(-result, name);
  return Known::kYes;
}

absl::StatusOr<std::string> SeccompFilter::Compile() const {
  const UniqueFd file(memfd_create("bulkhead-seccomp", MFD_CLOEXEC));
  if (!file.valid()) return ErrnoStatus(errno, "memfd_create");
  if (const int result = seccomp_export_bpf(context_.get(), file.get()); result != 0) {
    return ErrnoStatus(-result, "seccomp: compile");
  }
  if (lseek(file.get(), 0, SEEK_SET) != 0) return ErrnoStatus(errno, "lseek");
  absl::StatusOr<std::string> program = ReadAll(file.get(), 1 << 20);
  if (program.ok() && program->size() > BPF_MAXINSNS * sizeof(sock_filter)) {
    return absl::InvalidArgumentError(
        absl::StrCat("seccomp: the filter has ", program->size() / sizeof(sock_filter),
                     " instructions, the kernel takes ", BPF_MAXINSNS));
  }
  return program;
}

}  // namespace bulkhead::isolation
