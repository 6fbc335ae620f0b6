#include "runtime/supervisor/protocol.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace bulkhead::supervisor {

absl::StatusOr<uint32_t> ChooseProtocol(const Hello& hello) {
  if (hello.protocol_min() > hello.protocol_max()) {
    return absl::InvalidArgumentError(absl::StrCat("hello: protocol_min ", hello.protocol_min(),
                                                   " is over protocol_max ", hello.protocol_max()));
  }
  if (hello.protocol_max() < kProtocolMin || hello.protocol_min() > kProtocolMax) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the daemon speaks protocol ", hello.protocol_min(), " to ", hello.protocol_max(),
        ", this supervisor ", kProtocolMin, " to ", kProtocolMax));
  }
  return std::min(hello.protocol_max(), kProtocolMax);
}

}  // namespace bulkhead::supervisor
