#include "shim/streaming/exit_message.h"

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

namespace bulkhead::streaming {
namespace {

using Json = nlohmann::ordered_json;

std::string Sentence(const absl::StatusOr<int32_t>& exit_code) {
  if (exit_code.ok()) {
    return absl::StrCat("command terminated with non-zero exit code: ", *exit_code);
  }
  return absl::StrCat("error executing command in container: ", exit_code.status().message());
}

// Messages may hold bytes of a client's that are no UTF-8.
std::string Dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

std::string ExitMessage(const absl::StatusOr<int32_t>& exit_code, bool json) {
  const bool success = exit_code.ok() && *exit_code == 0;
  if (!json) return success ? "" : Sentence(exit_code);
  Json status = {{"metadata", Json::object()}, {"status", success ? "Success" : "Failure"}};
  if (success) return Dump(status);
  if (exit_code.ok()) {
    status["message"] = Sentence(exit_code);
    status["reason"] = "NonZeroExitCode";
    status["details"]["causes"] = {{{"reason", "ExitCode"}, {"message", absl::StrCat(*exit_code)}}};
  } else {
    status["message"] = absl::StrCat("Internal error occurred: ", Sentence(exit_code));
    status["reason"] = "InternalError";
    status["details"]["causes"] = {{{"message", Sentence(exit_code)}}};
    status["code"] = 500;
  }
  return Dump(status);
}

}  // namespace bulkhead::streaming
