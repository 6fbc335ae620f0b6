#ifndef BULKHEAD_TESTS_CONFORMANCE_CLIENT_STREAMING_HTTP_UPGRADE_H_
#define BULKHEAD_TESTS_CONFORMANCE_CLIENT_STREAMING_HTTP_UPGRADE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/kernel/fd.h"

namespace bulkhead::client {

struct UpgradedConnection {
  UniqueFd socket;  // Blocking.
  int status = 0;   // 101, or that of a refusal.
  std::string head;
  std::string rest;  // What came behind the head.
};

// Connects to the host of "http://127.0.0.1:1234/exec/abc".
absl::StatusOr<UniqueFd> ConnectTo(const std::string& url);

// Sends a request for the URL with these header lines and reads the answer's head.
absl::StatusOr<UpgradedConnection> Upgrade(const std::string& url, const std::string& method,
                                           const std::vector<std::string>& headers);

}  // namespace bulkhead::client

#endif  // BULKHEAD_TESTS_CONFORMANCE_CLIENT_STREAMING_HTTP_UPGRADE_H_
