#ifndef BULKHEAD_DEPLOY_QUICKSTART_FIRST_POD_H_
#define BULKHEAD_DEPLOY_QUICKSTART_FIRST_POD_H_

#include <ostream>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tests/conformance/client/client.h"

namespace bulkhead::quickstart {

// Runs a pod with one container of `image` through the CRI, in place of an earlier one, and shows
// its status, its log and the output of a command in it. In the pod network when there is one,
// else in the host's. Returns the container's id.
absl::StatusOr<std::string> RunFirstPod(client::Client& client, const std::string& image,
                                        std::ostream& out);

// Takes that pod away. Returns how many other pods the runtime has.
absl::StatusOr<int> RemoveFirstPod(client::Client& client);

}  // namespace bulkhead::quickstart

#endif  // BULKHEAD_DEPLOY_QUICKSTART_FIRST_POD_H_
