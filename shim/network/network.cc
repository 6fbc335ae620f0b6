#include "shim/network/network.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/kernel/status.h"
#include "shim/network/cni_config.h"
#include "shim/network/cni_plugin.h"
#include "shim/network/cni_request.h"
#include "shim/network/cni_result.h"
#include "shim/network/cni_watcher.h"
#include "shim/network/leftover_plugins.h"
#include "shim/network/netns.h"
#include "shim/network/network_record.h"

namespace bulkhead::network {
namespace {

using nlohmann::json;

constexpr char kNotReady[] = "NetworkPluginNotReady";

// Until 0.3.1 DEL had no previous result and there was no CHECK.
bool IsBefore040(const CniNetwork& network) { return network.cni_version == "0.3.1"; }

// The reference bandwidth plugin (1.1.1 at least) dereferences the limits that it does not have.
bool HasNothingToCheck(const json& plugin, const json& capabilities) {
  if (plugin["type"] != "bandwidth") return false;
  return !capabilities.contains("bandwidth") && !plugin.contains("ingressRate") &&
         !plugin.contains("egressRate");
}

class CniPodNetwork final : public Network {
 public:
  CniPodNetwork(NetworkOptions options, NetworkRecordStore records,
                std::unique_ptr<CniWatcher> watcher)
      : options_(std::move(options)), records_(std::move(records)), watcher_(std::move(watcher)) {}

  absl::StatusOr<PodNetworkResult> Add(const PodNetworkRequest& request) override;
  absl::Status Del(const std::string& pod_id) override;
  absl::Status Check(const std::string& pod_id) override;
  NetworkReadiness Ready() const override;
  absl::StatusOr<std::vector<std::string>> List() const override { return records_.List(); }

 private:
  absl::StatusOr<NetworkRecord> MakeRecord(const PodNetworkRequest& request) const;
  absl::StatusOr<PodNetworkResult> Attach(NetworkRecord& record, size_t& started, int cancel_fd);
  absl::Status Detach(const NetworkRecord& record, size_t started);
  absl::StatusOr<NetworkRecord> RecordOfLostFile(const std::string& pod_id) const;
  CniExecution Execution(int cancel_fd) const {
    return {options_.plugin_dirs, options_.plugin_timeout, cancel_fd};
  }

  const NetworkOptions options_;
  const NetworkRecordStore records_;
  const std::unique_ptr<CniWatcher> watcher_;
};

absl::StatusOr<NetworkRecord> CniPodNetwork::MakeRecord(const PodNetworkRequest& request) const {
  absl::Status status = CheckPodNetworkRequest(request);
  if (!status.ok()) return status;
  const std::shared_ptr<const CniSelection> selection = watcher_->Current();
  if (!selection->problem.empty()) return absl::FailedPreconditionError(selection->problem);
  if (!absl::IsNotFound(records_.Read(request.pod_id).status())) {
    return absl::FailedPreconditionError(
        absl::StrCat("the network of pod ", request.pod_id, " is set up or not undone yet"));
  }
  return NetworkRecord{.attachment = MakeAttachment(request),
                       .network = *selection->network,
                       .capabilities = MakeCapabilities(request)};
}

absl::StatusOr<PodNetworkResult> CniPodNetwork::Add(const PodNetworkRequest& request) {
  absl::StatusOr<NetworkRecord> record = MakeRecord(request);
  if (!record.ok()) return record.status();
  absl::Status status = records_.Write(*record);
  if (!status.ok()) return Annotate(status, "record the pod's network");
  size_t started = 0;
  absl::StatusOr<PodNetworkResult> result = Attach(*record, started, request.cancel_fd);
  if (result.ok()) return result;
  status = Detach(*record, started);
  if (!status.ok()) {
    return Annotate(result.status(), absl::StrCat("undoing it failed too (", status.ToString(),
                                                  ") and is to be repeated"));
  }
  return result;
}

// Runs ADD through the chain; `started` counts the plugins that may have left something.
absl::StatusOr<PodNetworkResult> CniPodNetwork::Attach(NetworkRecord& record, size_t& started,
                                                       int cancel_fd) {
  for (const json& plugin : record.network.plugins) {
    ++started;
    const absl::StatusOr<std::string> output =
        RunCniPlugin("ADD", record.attachment,
                     MakePluginConfig(record.network, plugin, record.capabilities, record.result),
                     Execution(cancel_fd));
    if (!output.ok()) return output.status();
    record.result = json::parse(*output, nullptr, false);
    if (!record.result.is_object()) {
      record.result = nullptr;
      return absl::InternalError(
          absl::StrCat("CNI plugin ", plugin["type"].dump(), " printed no JSON object on ADD"));
    }
  }
  absl::StatusOr<PodNetworkResult> result =
      ReadCniResult(record.result, record.attachment.interface);
  if (!result.ok()) return result;
  const absl::Status status = records_.Write(record);
  if (!status.ok()) return Annotate(status, "record the pod's network");
  return result;
}

// Runs DEL for the first `started` plugins in reverse, and forgets the pod when all succeeded.
absl::Status CniPodNetwork::Detach(const NetworkRecord& record, size_t started) {
  CniAttachment attachment = record.attachment;
  if (!OpenNetns(attachment.netns).ok()) attachment.netns.clear();
  const json previous = IsBefore040(record.network) ? json() : record.result;
  absl::Status first;
  while (started > 0) {
    const json& plugin = record.network.plugins[--started];
    first.Update(
        RunCniPlugin("DEL", attachment,
                     MakePluginConfig(record.network, plugin, record.capabilities, previous),
                     Execution(-1))
            .status());
  }
  if (first.ok()) first = records_.Remove(record.attachment.container_id);
  return first;
}

absl::Status CniPodNetwork::Del(const std::string& pod_id) {
  absl::StatusOr<NetworkRecord> record = records_.Read(pod_id);
  if (absl::IsNotFound(record.status())) return absl::OkStatus();
  if (absl::IsDataLoss(record.status())) record = RecordOfLostFile(pod_id);
  if (!record.ok()) return record.status();
  return Detach(*record, record->network.plugins.size());
}

// After a power loss the record may be empty. The plugins know what they gave by the network's name
// and the pod's id, so that today's configuration is the best that there is.
absl::StatusOr<NetworkRecord> CniPodNetwork::RecordOfLostFile(const std::string& pod_id) const {
  const std::shared_ptr<const CniSelection> selection = watcher_->Current();
  if (!selection->network.has_value()) {
    return absl::FailedPreconditionError(absl::StrCat("the network record of pod ", pod_id,
                                                      " is damaged, and ", selection->problem));
  }
  PodNetworkRequest request;
  request.pod_id = pod_id;
  return NetworkRecord{.attachment = MakeAttachment(request), .network = *selection->network};
}

absl::Status CniPodNetwork::Check(const std::string& pod_id) {
  const absl::StatusOr<NetworkRecord> record = records_.Read(pod_id);
  if (!record.ok()) return record.status();
  const CniNetwork& network = record->network;
  if (network.disable_check || IsBefore040(network)) return absl::OkStatus();
  for (const json& plugin : network.plugins) {
    if (HasNothingToCheck(plugin, record->capabilities)) continue;
    const absl::Status status =
        RunCniPlugin("CHECK", record->attachment,
                     MakePluginConfig(network, plugin, record->capabilities, record->result),
                     Execution(-1))
            .status();
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

NetworkReadiness CniPodNetwork::Ready() const {
  const std::shared_ptr<const CniSelection> selection = watcher_->Current();
  if (selection->problem.empty()) return {.ready = true};
  return {.ready = false, .reason = kNotReady, .message = selection->problem};
}

}  // namespace

namespace {

// The pods whose ADD was not finished.
std::vector<std::string> Unfinished(const NetworkRecordStore& records) {
  std::vector<std::string> pod_ids = records.List().value_or(std::vector<std::string>());
  std::erase_if(pod_ids, [&](const std::string& pod_id) {
    const absl::StatusOr<NetworkRecord> record = records.Read(pod_id);
    return record.ok() && !record->result.is_null();
  });
  return pod_ids;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Network>> Network::Create(NetworkOptions options) {
  absl::StatusOr<NetworkRecordStore> records = NetworkRecordStore::Open(options.record_dir);
  if (!records.ok()) return records.status();
  EndLeftoverPlugins(Unfinished(*records));
  absl::StatusOr<std::unique_ptr<CniWatcher>> watcher =
      CniWatcher::Start(options.config_dir, options.plugin_dirs);
  if (!watcher.ok()) return watcher.status();
  return std::make_unique<CniPodNetwork>(std::move(options), *std::move(records),
                                         *std::move(watcher));
}

}  // namespace bulkhead::network
