#ifndef BULKHEAD_SHIM_CRI_TRANSLATE_SECURITY_H_
#define BULKHEAD_SHIM_CRI_TRANSLATE_SECURITY_H_

#include <vector>

#include "proto/cri/api.pb.h"
#include "runtime/spec/security.h"
#include "shim/cri/faults.h"

namespace bulkhead::cri {

// Pure functions. `field` is where the message stands in its request; what cannot be meant is
// added to `faults`, and the result is then not to be used.
spec::SecurityContext ToSecurityContext(const ::runtime::v1::LinuxSandboxSecurityContext& context,
                                        const Field& field, Faults& faults);
spec::SecurityContext ToSecurityContext(const ::runtime::v1::LinuxContainerSecurityContext& context,
                                        const Field& field, Faults& faults);

// A map of ids, which is one range that holds the superuser within, and not the host's.
std::vector<spec::IdRange> ToIdMap(
    const google::protobuf::RepeatedPtrField<::runtime::v1::IDMapping>& mappings,
    const Field& field, Faults& faults);

void FromIdMap(const std::vector<spec::IdRange>& map,
               google::protobuf::RepeatedPtrField<::runtime::v1::IDMapping>& mappings);

::runtime::v1::NamespaceOption FromNamespaceOptions(const spec::NamespaceOptions& options);

}  // namespace bulkhead::cri

#endif  // BULKHEAD_SHIM_CRI_TRANSLATE_SECURITY_H_
