// The files of an SELinux policy that tell of containers.
#ifndef BULKHEAD_RUNTIME_ISOLATION_SELINUX_POLICY_H_
#define BULKHEAD_RUNTIME_ISOLATION_SELINUX_POLICY_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace bulkhead::isolation {

// The value of the last line NAME = VALUE, without quotes; empty when there is none.
std::string PolicyValue(std::string_view text, std::string_view name);

// The text of the lxc_contexts of the policy that /etc/selinux/config names.
absl::StatusOr<std::string> ReadLxcContexts();

enum class StoreContent { kLabelled, kLeft };

// Gives a directory with images or with containers' writable layers, and what is in it already
// unless it is to be left, the policy's context for files that every container may execute; what is
// made in it later inherits it. Overlayfs shows the containers' own labels, but the memory that a
// program maps is checked by those of the files below. OK when the directory is not there.
absl::Status LabelStore(const std::string& directory, StoreContent content);

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_SELINUX_POLICY_H_
