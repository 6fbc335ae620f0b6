#include "shim/cri/request.h"

#include <arpa/inet.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "shim/cri/faults.h"

namespace bulkhead::cri {
namespace {

namespace v1 = ::runtime::v1;

constexpr int64_t kHundredYears = int64_t{100} * 365 * 24 * 3600;

absl::Status CheckId(const char* field, const std::string& id) {
  Faults faults;
  faults.NotEmpty(Field(field), id);
  return faults.status();
}

bool IsCidr(const std::string& text) {
  const std::vector<std::string> parts = absl::StrSplit(text, '/');
  int bits = -1;
  if (parts.size() != 2 || !absl::SimpleAtoi(parts[1], &bits)) return false;
  in6_addr address;
  if (inet_pton(AF_INET, parts[0].c_str(), &address) == 1) return bits >= 0 && bits <= 32;
  return inet_pton(AF_INET6, parts[0].c_str(), &address) == 1 && bits >= 0 && bits <= 128;
}

}  // namespace

std::string PodName(const v1::PodSandboxConfig& config) {
  if (!config.has_metadata()) return "";
  return absl::StrCat(config.metadata().namespace_(), "/", config.metadata().name());
}

absl::Status CheckPodId(const std::string& id) { return CheckId("pod_sandbox_id", id); }
absl::Status CheckContainerId(const std::string& id) { return CheckId("container_id", id); }

absl::Status CheckCommand(const google::protobuf::RepeatedPtrField<std::string>& command) {
  Faults faults;
  if (command.empty()) faults.Invalid(Field("cmd"), "is empty");
  for (int i = 0; i < command.size(); ++i) faults.NoNul(Field("cmd").Element(i), command[i]);
  return faults.status();
}

absl::StatusOr<std::chrono::seconds> ToSeconds(int64_t timeout) {
  Faults faults;
  if (!faults.InRange(Field("timeout"), timeout, 0, std::numeric_limits<int64_t>::max())) {
    return faults.status();
  }
  return std::chrono::seconds(std::min(timeout, kHundredYears));
}

bool IsCidrList(const std::string& text) {
  const std::vector<std::string> ranges = absl::StrSplit(text, ',');
  return std::all_of(ranges.begin(), ranges.end(), IsCidr);
}

}  // namespace bulkhead::cri
