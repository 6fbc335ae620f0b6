#include "shim/pods/seccomp_file.h"

#include "absl/strings/str_cat.h"
#include "shim/pods/files.h"

namespace bulkhead::pods {
namespace {

// The kernel takes no filter of more than 32 kB; a listener comes with some for its agent.
constexpr size_t kSizeLimit = size_t{128} << 10;
// Before the message. An empty message is a plan too, that of no filter; an empty file is none.
constexpr char kMark = 'S';

}  // namespace

absl::Status WriteSeccompFile(const std::string& path, const plan::SeccompPlan& plan) {
  return ReplaceFile(path, kMark + plan.SerializeAsString(), 0600);
}

absl::StatusOr<plan::SeccompPlan> ReadSeccompFile(const std::string& path) {
  const absl::StatusOr<std::string> content = ReadFile(path, kSizeLimit);
  plan::SeccompPlan plan;
  if (content.ok() && !content->empty() && content->front() == kMark &&
      plan.ParseFromString(content->substr(1))) {
    return plan;
  }
  return absl::DataLossError(absl::StrCat(
      "the container's system-call filter is lost: ",
      content.ok() ? path + " does not parse" : std::string(content.status().message())));
}

}  // namespace bulkhead::pods
