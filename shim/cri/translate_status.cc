#include "shim/cri/translate_status.h"

#include <google/protobuf/util/json_util.h>

#include <map>
#include <string>

#include "nlohmann/json.hpp"
#include "shim/cri/faults.h"
#include "shim/cri/translate_container.h"
#include "shim/cri/translate_resources.h"
#include "shim/cri/translate_security.h"
#include "shim/cri/translate_signal.h"

namespace bulkhead::cri {
namespace {

namespace v1 = ::runtime::v1;

v1::PodSandboxState FromState(pods::PodState state) {
  return state == pods::PodState::kReady ? v1::SANDBOX_READY : v1::SANDBOX_NOTREADY;
}

v1::ContainerState FromState(pods::ContainerState state) {
  switch (state) {
    case pods::ContainerState::kCreated:
      return v1::CONTAINER_CREATED;
    case pods::ContainerState::kRunning:
      return v1::CONTAINER_RUNNING;
    case pods::ContainerState::kExited:
      return v1::CONTAINER_EXITED;
    case pods::ContainerState::kUnknown:
      return v1::CONTAINER_UNKNOWN;
  }
  return v1::CONTAINER_UNKNOWN;
}

// In the CRI's own JSON form.
nlohmann::json InfoOf(const spec::Resources& resources) {
  std::string json;
  const auto told = google::protobuf::util::MessageToJsonString(FromResources(resources), &json);
  // It fails for no message that was read from the wire.
  return told.ok() ? nlohmann::json::parse(json) : nlohmann::json();
}

// What a status and a line of a list have in common.
template <typename Message>
void SetPodCommon(const pods::PodStatus& pod, Message& out) {
  out.set_id(pod.id);
  out.mutable_metadata()->set_name(pod.spec.metadata.name);
  out.mutable_metadata()->set_uid(pod.spec.metadata.uid);
  out.mutable_metadata()->set_namespace_(pod.spec.metadata.name_space);
  out.mutable_metadata()->set_attempt(pod.spec.metadata.attempt);
  out.set_state(FromState(pod.state));
  out.set_created_at(pod.created_at);
  out.mutable_labels()->insert(pod.spec.labels.begin(), pod.spec.labels.end());
  out.mutable_annotations()->insert(pod.spec.annotations.begin(), pod.spec.annotations.end());
  out.set_runtime_handler(pod.spec.runtime_handler);
}

template <typename Message>
void SetContainerCommon(const pods::ContainerStatus& container, Message& out) {
  const spec::ContainerSpec& spec = container.spec;
  out.set_id(container.id);
  out.mutable_metadata()->set_name(spec.metadata.name);
  out.mutable_metadata()->set_attempt(spec.metadata.attempt);
  out.mutable_image()->set_user_specified_image(spec.user_image);
  out.set_image_ref(container.image_ref.empty() ? container.image_id : container.image_ref);
  out.set_image_id(container.image_id);
  out.set_state(FromState(container.state));
  out.set_created_at(container.created_at);
  out.mutable_labels()->insert(spec.labels.begin(), spec.labels.end());
  out.mutable_annotations()->insert(spec.annotations.begin(), spec.annotations.end());
}

void SetNetwork(const pods::PodStatus& pod, v1::PodSandboxStatus& out) {
  v1::PodSandboxNetworkStatus& network = *out.mutable_network();
  for (size_t i = 0; i < pod.ips.size(); ++i) {
    if (i == 0) {
      network.set_ip(pod.ips[i]);
    } else {
      network.add_additional_ips()->set_ip(pod.ips[i]);
    }
  }
}

v1::LinuxContainerUser FromUser(const pods::ResolvedUser& user) {
  v1::LinuxContainerUser out;
  out.set_uid(user.uid);
  out.set_gid(user.gid);
  out.mutable_supplemental_groups()->Add(user.groups.begin(), user.groups.end());
  return out;
}

template <typename Labels>
std::map<std::string, std::string> ToLabels(const Labels& labels) {
  return {labels.begin(), labels.end()};
}

// The text goes into an answer that must be valid UTF-8, whatever a container's name holds.
std::string Dump(const nlohmann::json& json) {
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

v1::PodSandboxStatus FromPodStatus(const pods::PodStatus& pod) {
  v1::PodSandboxStatus out;
  SetPodCommon(pod, out);
  SetNetwork(pod, out);
  *out.mutable_linux()->mutable_namespaces()->mutable_options() =
      FromNamespaceOptions(pod.spec.security.namespaces);
  return out;
}

v1::PodSandbox FromPodItem(const pods::PodStatus& pod) {
  v1::PodSandbox out;
  SetPodCommon(pod, out);
  return out;
}

v1::ContainerStatus FromContainerStatus(const pods::ContainerStatus& container) {
  v1::ContainerStatus out;
  SetContainerCommon(container, out);
  // The kubelet shows this to users, who know the name and not the id that it was resolved to.
  out.mutable_image()->set_image(container.spec.user_image);
  out.set_started_at(container.started_at);
  out.set_finished_at(container.finished_at);
  out.set_exit_code(container.exit_code);
  out.set_reason(container.reason);
  out.set_message(container.message);
  for (const spec::Mount& mount : container.spec.mounts) {
    *out.add_mounts() = FromMount(mount);
    const auto image = container.volume_images.find(mount.image);
    if (image == container.volume_images.end()) continue;
    out.mutable_mounts()->rbegin()->mutable_image()->set_image_ref(image->second);
  }
  out.set_log_path(container.log_path);
  *out.mutable_resources()->mutable_linux() = FromResources(container.spec.resources);
  *out.mutable_user()->mutable_linux() = FromUser(container.user);
  out.set_stop_signal(FromSignalName(container.stop_signal));
  return out;
}

v1::Container FromContainerItem(const pods::ContainerStatus& container) {
  v1::Container out;
  SetContainerCommon(container, out);
  out.mutable_image()->set_image(container.spec.image);
  out.set_pod_sandbox_id(container.pod_id);
  return out;
}

std::string PodInfo(const pods::PodStatus& pod) {
  nlohmann::json containers = nlohmann::json::array();
  for (const pods::ContainerStatus& container : pod.containers) containers.push_back(container.id);
  return Dump({{"pid", pod.pid},
               {"networkNamespace", pod.network_namespace},
               {"reason", pod.reason},
               {"cgroupParent", pod.spec.cgroup_parent},
               {"overhead", InfoOf(pod.spec.resources.overhead)},
               {"resources", InfoOf(pod.spec.resources.resources)},
               {"containers", containers}});
}

std::string ContainerInfo(const pods::ContainerStatus& container) {
  return Dump({{"pid", container.pid},
               {"sandboxID", container.pod_id},
               {"imageID", container.image_id},
               {"privileged", container.spec.security.privileged},
               {"stopSignal", container.stop_signal},
               {"logLinesLost", container.log_loss.lines},
               {"logUnfinished", container.log_loss.unfinished}});
}

std::string IsolationInfo(const absl::StatusOr<std::vector<isolation::Comparison>>& isolation) {
  if (!isolation.ok()) return Dump({{"unknown", isolation.status().message()}});
  return Dump(
      {{"differs", isolation::Differs(*isolation)}, {"mechanisms", isolation::ToJson(*isolation)}});
}

absl::StatusOr<pods::PodFilter> ToPodFilter(const v1::PodSandboxFilter& filter) {
  pods::PodFilter out{.id = filter.id(), .labels = ToLabels(filter.label_selector())};
  if (!filter.has_state()) return out;
  Faults faults;
  switch (filter.state().state()) {
    case v1::SANDBOX_READY:
      out.state = pods::PodState::kReady;
      break;
    case v1::SANDBOX_NOTREADY:
      out.state = pods::PodState::kNotReady;
      break;
    default:
      faults.InvalidValue(Field("filter.state.state"), filter.state().state(),
                          "is not a PodSandboxState");
      return faults.status();
  }
  return out;
}

absl::StatusOr<pods::ContainerFilter> ToContainerFilter(const v1::ContainerFilter& filter) {
  pods::ContainerFilter out{.id = filter.id(),
                            .pod_id = filter.pod_sandbox_id(),
                            .labels = ToLabels(filter.label_selector())};
  if (!filter.has_state()) return out;
  Faults faults;
  switch (filter.state().state()) {
    case v1::CONTAINER_CREATED:
      out.state = pods::ContainerState::kCreated;
      break;
    case v1::CONTAINER_RUNNING:
      out.state = pods::ContainerState::kRunning;
      break;
    case v1::CONTAINER_EXITED:
      out.state = pods::ContainerState::kExited;
      break;
    case v1::CONTAINER_UNKNOWN:
      out.state = pods::ContainerState::kUnknown;
      break;
    default:
      faults.InvalidValue(Field("filter.state.state"), filter.state().state(),
                          "is not a ContainerState");
      return faults.status();
  }
  return out;
}

}  // namespace bulkhead::cri
