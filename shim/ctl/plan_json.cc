#include "shim/ctl/plan_json.h"

#include <google/protobuf/util/json_util.h>
#include <linux/filter.h>

#include <algorithm>
#include <string>
#include <utility>

#include "plan_text.pb.h"
#include "runtime/isolation/report.h"

namespace bulkhead::ctl {
namespace {

// `Text` is the same message with reflection.
template <typename Text, typename Plan>
nlohmann::json MessageToJson(const Plan& plan) {
  Text text;
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = true;
  std::string json;
  // Neither fails: the bytes are of the same message, and nothing of it is without a JSON form.
  if (!text.ParseFromString(plan.SerializeAsString()) ||
      !google::protobuf::util::MessageToJsonString(text, &json, options).ok()) {
    return nullptr;
  }
  return nlohmann::json::parse(json);
}

const char* Name(isolation::DescriptorRequest::Kind kind) {
  using Kind = isolation::DescriptorRequest::Kind;
  switch (kind) {
    case Kind::kTree:
      return "tree";
    case Kind::kRecursiveTree:
      return "recursive tree";
    case Kind::kVolume:
      return "volume";
    case Kind::kReadOnly:
      return "read-only";
    case Kind::kReadWrite:
      return "read-write";
    case Kind::kWriteOnly:
      return "write-only";
    case Kind::kAppend:
      return "append";
    case Kind::kSeccompAgent:
      return "seccomp agent";
    case Kind::kGiven:
      return "given";
  }
  return "";
}

nlohmann::json ToJson(const isolation::DescriptorList& descriptors) {
  nlohmann::json list = nlohmann::json::array();
  for (const isolation::DescriptorRequest& request : descriptors.requests()) {
    nlohmann::json one = {{"kind", Name(request.kind)}};
    if (request.path.empty()) {
      one["number"] = request.number;
    } else {
      one["path"] = request.path;
    }
    list.push_back(std::move(one));
  }
  return list;
}

nlohmann::json ToJson(const std::vector<isolation::DeviceRule>& rules) {
  nlohmann::json list = nlohmann::json::array();
  for (const isolation::DeviceRule& rule : rules) list.push_back(isolation::ToText(rule));
  return list;
}

template <typename Text, typename Plan>
nlohmann::json Part(const Plan& plan, const isolation::DescriptorList& descriptors) {
  nlohmann::json json = MessageToJson<Text>(plan);
  json["descriptors"] = ToJson(descriptors);
  return json;
}

nlohmann::json LaunchToJson(const isolation::PlannedLaunch& planned) {
  plan::LaunchPlan plan = planned.plan;
  for (std::string& variable : *plan.mutable_process()->mutable_env()) {
    variable.resize(std::min(variable.size(), variable.find('=')));
  }
  const size_t instructions = plan.seccomp().program().size() / sizeof(sock_filter);
  plan.mutable_seccomp()->clear_program();
  nlohmann::json json = Part<plan_text::LaunchPlan>(plan, planned.descriptors);
  for (nlohmann::json& set : json["credentials"]) {
    // 64 bits are a string in protobuf's JSON.
    if (set.is_string()) set = isolation::CapabilityNames(std::stoull(set.get<std::string>()));
  }
  json["seccomp"]["instructions"] = instructions;
  json["seccomp"]["unknown_calls"] = planned.unknown_calls;
  return json;
}

nlohmann::json ToJson(const spec::Resources& resources) {
  nlohmann::json json = {{"memory_limit", resources.memory_limit},
                         {"memory_swap_limit", resources.memory_swap_limit},
                         {"cpu_shares", resources.cpu_shares},
                         {"cpu_quota", resources.cpu_quota},
                         {"cpu_period", resources.cpu_period},
                         {"cpuset_cpus", resources.cpuset_cpus},
                         {"cpuset_mems", resources.cpuset_mems},
                         {"pids_limit", resources.pids_limit},
                         {"unified", resources.unified}};
  for (const spec::HugepageLimit& limit : resources.hugepage_limits) {
    json["hugepage_limits"][limit.page_size] = limit.limit;
  }
  return json;
}

nlohmann::json ToJson(const std::vector<spec::Hook>& hooks) {
  nlohmann::json list = nlohmann::json::array();
  for (const spec::Hook& hook : hooks) list.push_back({{"path", hook.path}, {"args", hook.args}});
  return list;
}

}  // namespace

nlohmann::json ToJson(const pods::DryPlan& plan) {
  return {{"pod", Part<plan_text::PodPlan>(plan.pod.plan, plan.pod.descriptors)},
          {"root", Part<plan_text::RootPlan>(plan.root.plan, plan.root.descriptors)},
          {"launch", LaunchToJson(plan.launch)},
          {"hooks", ToJson(plan.hooks)},
          {"cgroup",
           {{"path", plan.cgroup},
            {"resources", ToJson(plan.resources)},
            {"devices", ToJson(plan.devices)}}}};
}

}  // namespace bulkhead::ctl
