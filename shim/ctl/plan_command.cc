#include "shim/ctl/plan_command.h"

#include <google/protobuf/util/json_util.h>

#include <memory>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "proto/cri/api.pb.h"
#include "runtime/kernel/file.h"
#include "runtime/kernel/status.h"
#include "shim/cdi/yaml.h"
#include "shim/cri/translate_container.h"
#include "shim/cri/translate_pod.h"
#include "shim/ctl/image_commands.h"
#include "shim/ctl/plan_json.h"
#include "shim/pods/dry_plan.h"

namespace bulkhead::ctl {
namespace {

constexpr size_t kSizeLimit = size_t{16} << 20;  // More than gRPC takes.

// Values are secret, and a plan is the same without them.
void DropEnvironment(nlohmann::json& config) {
  if (!config.is_object() || !config.contains("envs") || !config["envs"].is_array()) return;
  for (nlohmann::json& variable : config["envs"]) {
    if (variable.is_object()) variable.erase("value");
  }
}

template <typename Message>
absl::Status ReadMessage(const std::string& path, Message& message) {
  const absl::StatusOr<std::string> text = ReadFile(path, kSizeLimit);
  if (!text.ok()) return text.status();
  absl::StatusOr<nlohmann::json> json = cdi::ParseYaml(*text);
  if (!json.ok()) return Annotate(json.status(), path);
  DropEnvironment(*json);
  const auto parsed = google::protobuf::util::JsonStringToMessage(json->dump(), &message);
  if (parsed.ok()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(path, ": ", std::string(parsed.message().data(), parsed.message().size())));
}

}  // namespace

absl::Status PrintPlan(const config::Flags& flags, const PlanOptions& options, std::ostream& out) {
  ::runtime::v1::RunPodSandboxRequest run;
  absl::Status read = ReadMessage(options.pod, *run.mutable_config());
  if (!read.ok()) return read;
  run.set_runtime_handler(options.handler);
  ::runtime::v1::CreateContainerRequest create;
  read = ReadMessage(options.container, *create.mutable_config());
  if (!read.ok()) return read;
  create.set_pod_sandbox_id(std::string(64, '0'));
  *create.mutable_sandbox_config() = run.config();
  const absl::StatusOr<spec::PodSpec> pod = cri::ToPodSpec(run);
  if (!pod.ok()) return pod.status();
  const absl::StatusOr<spec::ContainerSpec> container = cri::ToContainerSpec(create);
  if (!container.ok()) return container.status();
  const absl::StatusOr<config::Config> config = flags.Load();
  if (!config.ok()) return config.status();
  const auto images = OpenImages(flags);
  if (!images.ok()) return images.status();
  const absl::StatusOr<pods::DryPlan> plan =
      pods::PlanWithoutMaking(*config, **images, *pod, *container);
  if (!plan.ok()) return plan.status();
  out << ToJson(*plan).dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
  return absl::OkStatus();
}

}  // namespace bulkhead::ctl
