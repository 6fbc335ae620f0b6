#include "shim/daemon/call_log.h"

#include <glog/logging.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "shim/log/event.h"

namespace bulkhead::daemon {
namespace {

constexpr int kDetailVerbosity = 2;

bool OnlyReads(const std::string& method) {
  constexpr std::array<std::string_view, 8> kReaders = {
      "Version",         "Status",      "RuntimeConfig", "PodSandboxStatus",
      "ContainerStatus", "ImageStatus", "ImageFsInfo",   "ContainerStats"};
  return method.starts_with("List") ||
         std::find(kReaders.begin(), kReaders.end(), method) != kReaders.end();
}

bool IsOurs(absl::StatusCode code) {
  return code == absl::StatusCode::kInternal || code == absl::StatusCode::kUnknown ||
         code == absl::StatusCode::kDataLoss;
}

}  // namespace

CallSeverity SeverityOf(const std::string& method, const absl::Status& status) {
  if (IsOurs(status.code())) return CallSeverity::kError;
  if (OnlyReads(method) && (status.ok() || absl::IsNotFound(status))) return CallSeverity::kDetail;
  return status.ok() ? CallSeverity::kInfo : CallSeverity::kWarning;
}

void LogCall(const cri::CallRecord& record) {
  switch (SeverityOf(record.method, record.status)) {
    case CallSeverity::kDetail:
      VLOG(kDetailVerbosity) << cri::ToEvent(record);
      break;
    case CallSeverity::kInfo:
      LOG(INFO) << cri::ToEvent(record);
      break;
    case CallSeverity::kWarning:
      LOG(WARNING) << cri::ToEvent(record);
      break;
    case CallSeverity::kError:
      LOG(ERROR) << cri::ToEvent(record);
      break;
  }
}

}  // namespace bulkhead::daemon
