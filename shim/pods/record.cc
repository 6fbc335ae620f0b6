#include "shim/pods/record.h"

#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "runtime/kernel/status.h"
#include "runtime/spec/json.h"
#include "shim/pods/files.h"
#include "shim/pods/ids.h"

namespace bulkhead::pods {

// nlohmann's macros are its way to say a struct's members once for both directions.
NLOHMANN_JSON_SERIALIZE_ENUM(PodPhase, {{PodPhase::kMaking, "making"},
                                        {PodPhase::kReady, "ready"},
                                        {PodPhase::kNotReady, "not ready"}})
NLOHMANN_JSON_SERIALIZE_ENUM(ContainerPhase, {{ContainerPhase::kMaking, "making"},
                                              {ContainerPhase::kCreated, "created"},
                                              {ContainerPhase::kStarting, "starting"},
                                              {ContainerPhase::kRunning, "running"},
                                              {ContainerPhase::kExited, "exited"}})

}  // namespace bulkhead::pods

namespace bulkhead::isolation {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ResolvedUser, uid, gid, groups, home)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(SelinuxLabels, process, mount)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(PodSelinux, level, mount, process)

}  // namespace bulkhead::isolation

namespace bulkhead::spec {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ImageConfig, env, entrypoint, cmd, user, working_dir)

}  // namespace bulkhead::spec

namespace bulkhead::pods {
namespace {

using nlohmann::json;

constexpr int kVersion = 1;
constexpr size_t kSizeLimit = size_t{64} << 20;

template <typename Spec>
json AskedToJson(const std::optional<Spec>& asked) {
  return asked.has_value() ? spec::ToJson(*asked) : json();
}

// Records of versions without profiles have none.
template <typename Spec, typename Read>
absl::Status AskedFromJson(const json& from, Read read, std::optional<Spec>& asked) {
  const auto found = from.find("asked");
  if (found == from.end() || found->is_null()) return absl::OkStatus();
  absl::StatusOr<Spec> spec = read(*found);
  if (spec.ok()) asked = *std::move(spec);
  return spec.status();
}

json ContainerToJson(const ContainerRecord& record) {
  return json{{"id", record.id},
              {"spec", spec::ToJson(record.spec)},
              {"asked", AskedToJson(record.asked)},
              {"resources", spec::ToJson(record.resources)},
              {"phase", record.phase},
              {"removing", record.removing},
              {"created_at", record.created_at},
              {"started_at", record.started_at},
              {"finished_at", record.finished_at},
              {"exit_code", record.exit_code},
              {"reason", record.reason},
              {"message", record.message},
              {"image_id", record.image_id},
              {"image_ref", record.image_ref},
              {"volume_images", record.volume_images},
              {"image_config", record.image_config},
              {"log_path", record.log_path},
              {"user", record.user},
              {"stop_signal", record.stop_signal},
              {"cgroup", record.cgroup},
              {"seccomp_kept", record.seccomp_kept},
              {"apparmor_profile", record.apparmor_profile},
              {"selinux", record.selinux}};
}

absl::StatusOr<ContainerRecord> ContainerFromJson(const json& from) {
  absl::StatusOr<spec::ContainerSpec> spec = spec::ContainerSpecFromJson(from.at("spec"));
  if (!spec.ok()) return spec.status();
  absl::StatusOr<spec::Resources> resources = spec::ResourcesFromJson(from.at("resources"));
  if (!resources.ok()) return resources.status();
  ContainerRecord record;
  record.spec = *std::move(spec);
  record.resources = *std::move(resources);
  absl::Status asked = AskedFromJson(from, spec::ContainerSpecFromJson, record.asked);
  if (!asked.ok()) return asked;
  from.at("id").get_to(record.id);
  from.at("phase").get_to(record.phase);
  from.at("removing").get_to(record.removing);
  from.at("created_at").get_to(record.created_at);
  from.at("started_at").get_to(record.started_at);
  from.at("finished_at").get_to(record.finished_at);
  from.at("exit_code").get_to(record.exit_code);
  from.at("reason").get_to(record.reason);
  from.at("message").get_to(record.message);
  from.at("image_id").get_to(record.image_id);
  from.at("image_ref").get_to(record.image_ref);
  from.at("image_config").get_to(record.image_config);
  from.at("log_path").get_to(record.log_path);
  from.at("user").get_to(record.user);
  from.at("stop_signal").get_to(record.stop_signal);
  from.at("cgroup").get_to(record.cgroup);
  record.volume_images = from.value("volume_images", record.volume_images);
  record.seccomp_kept = from.value("seccomp_kept", false);
  record.apparmor_profile = from.value("apparmor_profile", "");
  record.selinux = from.value("selinux", record.selinux);
  return record;
}

absl::StatusOr<PodRecord> PodFromJson(const json& from) {
  absl::StatusOr<spec::PodSpec> spec = spec::PodSpecFromJson(from.at("spec"));
  if (!spec.ok()) return spec.status();
  PodRecord record;
  record.spec = *std::move(spec);
  record.resources = record.spec.resources;
  if (from.contains("resources")) {
    absl::StatusOr<spec::PodResources> resources = spec::PodResourcesFromJson(from["resources"]);
    if (!resources.ok()) return resources.status();
    record.resources = *std::move(resources);
  }
  absl::Status asked = AskedFromJson(from, spec::PodSpecFromJson, record.asked);
  if (!asked.ok()) return asked;
  from.at("id").get_to(record.id);
  from.at("phase").get_to(record.phase);
  from.at("stopping").get_to(record.stopping);
  from.at("removing").get_to(record.removing);
  from.at("created_at").get_to(record.created_at);
  from.at("network_namespace").get_to(record.network_namespace);
  from.at("ips").get_to(record.ips);
  from.at("cgroup").get_to(record.cgroup);
  from.at("made_cgroups").get_to(record.made_cgroups);
  from.at("reason").get_to(record.reason);
  record.selinux = from.value("selinux", record.selinux);
  return record;
}

absl::StatusOr<PodFile> FileFromJson(const json& from) {
  if (from.at("version") != kVersion) {
    return absl::DataLossError(
        absl::StrCat("version ", from.at("version").dump(), " is not ", kVersion));
  }
  PodFile file;
  absl::StatusOr<PodRecord> pod = PodFromJson(from);
  if (!pod.ok()) return pod.status();
  file.pod = *std::move(pod);
  for (const json& container : from.at("containers")) {
    absl::StatusOr<ContainerRecord> record = ContainerFromJson(container);
    if (!record.ok()) return record.status();
    file.containers.push_back(*std::move(record));
  }
  return file;
}

std::string RecordPath(const std::string& directory) { return directory + "/record.json"; }

}  // namespace

json ToJson(const PodFile& file) {
  json to{{"version", kVersion},
          {"id", file.pod.id},
          {"spec", spec::ToJson(file.pod.spec)},
          {"asked", AskedToJson(file.pod.asked)},
          {"resources", spec::ToJson(file.pod.resources)},
          {"phase", file.pod.phase},
          {"stopping", file.pod.stopping},
          {"removing", file.pod.removing},
          {"created_at", file.pod.created_at},
          {"network_namespace", file.pod.network_namespace},
          {"ips", file.pod.ips},
          {"cgroup", file.pod.cgroup},
          {"made_cgroups", file.pod.made_cgroups},
          {"reason", file.pod.reason},
          {"selinux", file.pod.selinux},
          {"containers", json::array()}};
  for (const ContainerRecord& container : file.containers) {
    to["containers"].push_back(ContainerToJson(container));
  }
  return to;
}

absl::StatusOr<PodFile> PodFileFromJson(const std::string& text) {
  try {
    return FileFromJson(json::parse(text));
  } catch (const json::exception& error) {
    return absl::DataLossError(absl::StrCat("not a pod's record: ", error.what()));
  }
}

absl::Status RecordStore::Open() const { return MakeDirectories(directory_, 0711); }

absl::Status RecordStore::Write(const PodFile& file) const {
  const std::string directory = DirectoryOf(file.pod.id);
  const absl::Status made = MakeDirectory(directory, 0700);
  if (!made.ok()) return made;
  // Messages can quote bytes of an image that are no UTF-8.
  const std::string text =
      ToJson(file).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return ReplaceFile(RecordPath(directory), text, 0600);
}

absl::StatusOr<PodFile> RecordStore::Read(const std::string& pod_id) const {
  const std::string path = RecordPath(DirectoryOf(pod_id));
  const absl::StatusOr<std::string> text = ReadFile(path, kSizeLimit);
  if (!text.ok()) return text.status();
  absl::StatusOr<PodFile> file = PodFileFromJson(*text);
  if (!file.ok()) return Annotate(file.status(), path);
  return file;
}

absl::Status RecordStore::Remove(const std::string& pod_id) const {
  return RemoveTree(DirectoryOf(pod_id));
}

absl::StatusOr<std::vector<std::string>> RecordStore::List() const {
  std::vector<std::string> ids;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(directory_, error), end; !error && entry != end;
       entry.increment(error)) {
    std::string name = entry->path().filename();
    if (IsId(name)) ids.push_back(std::move(name));
  }
  if (error) return ErrnoStatus(error.value(), "list " + directory_);
  return ids;
}

}  // namespace bulkhead::pods
