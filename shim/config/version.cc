#include "shim/config/version.h"

namespace bulkhead {

const char* Version() { return BULKHEAD_VERSION; }

}  // namespace bulkhead
