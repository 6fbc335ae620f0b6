#include "shim/cri/runtime_service.h"

namespace bulkhead::cri {

namespace v1 = ::runtime::v1;

namespace {

v1::RuntimeCondition Condition(const char* type, bool status, const std::string& reason,
                               const std::string& message) {
  v1::RuntimeCondition condition;
  condition.set_type(type);
  condition.set_status(status);
  condition.set_reason(reason);
  condition.set_message(message);
  return condition;
}

v1::RuntimeHandler FromHandler(const Handler& handler) {
  v1::RuntimeHandler out;
  out.set_name(handler.name);
  out.mutable_features()->set_recursive_read_only_mounts(handler.recursive_read_only_mounts);
  out.mutable_features()->set_user_namespaces(handler.user_namespaces);
  return out;
}

}  // namespace

grpc::Status RuntimeService::Status(grpc::ServerContext* context, const v1::StatusRequest* request,
                                    v1::StatusResponse* response) {
  return calls_.Serve(context->peer(), "Status", [&](CallRecord&) {
    const network::NetworkReadiness network = backend_.network->Ready();
    v1::RuntimeStatus& status = *response->mutable_status();
    // A daemon that answers can run pods: what it needs for that is checked when it starts.
    *status.add_conditions() = Condition("RuntimeReady", true, "", "");
    *status.add_conditions() =
        Condition("NetworkReady", network.ready, network.reason, network.message);
    for (const Handler& handler : backend_.node.handlers) {
      *response->add_runtime_handlers() = FromHandler(handler);
    }
    response->mutable_features()->set_supplemental_groups_policy(
        backend_.node.supplemental_groups_policy);
    if (request->verbose() && !backend_.node.config_json.empty()) {
      (*response->mutable_info())["config"] = backend_.node.config_json;
    }
    return absl::OkStatus();
  });
}

}  // namespace bulkhead::cri
