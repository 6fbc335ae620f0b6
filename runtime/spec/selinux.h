// The parts of an SELinux context, USER:ROLE:TYPE:LEVEL, as the kernel takes them.
#ifndef BULKHEAD_RUNTIME_SPEC_SELINUX_H_
#define BULKHEAD_RUNTIME_SPEC_SELINUX_H_

#include <string_view>

namespace bulkhead::spec {

// Whether it can be a user, role or type: no colon, which would shift the parts after it.
bool IsSelinuxName(std::string_view name);

// Whether it can be a level or a range of two, such as "s0", "s0:c4,c5" or "s0-s0:c0.c1023".
// Categories are told apart by commas, and go up in a run "c0.c9".
bool IsSelinuxLevel(std::string_view level);

}  // namespace bulkhead::spec

#endif  // BULKHEAD_RUNTIME_SPEC_SELINUX_H_
