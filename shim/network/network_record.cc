#include "shim/network/network_record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/kernel/fd.h"
#include "runtime/kernel/file.h"
#include "runtime/kernel/status.h"

namespace bulkhead::network {
namespace {

using nlohmann::json;

constexpr int kFormat = 1;
constexpr char kSuffix[] = ".json";
constexpr char kUnfinished[] = ".new";

absl::Status WriteFile(const std::string& path, std::string_view text) {
  UniqueFd file(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!file.valid()) return ErrnoStatus(errno, absl::StrCat("create ", path));
  while (!text.empty()) {
    const ssize_t written = write(file.get(), text.data(), text.size());
    if (written < 0) return ErrnoStatus(errno, absl::StrCat("write ", path));
    text.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

// What a crash left of a replacement.
void RemoveUnfinished(const std::string& dir, std::error_code& error) {
  for (std::filesystem::directory_iterator entry(dir, error), end; !error && entry != end;
       entry.increment(error)) {
    std::error_code ignored;
    const std::filesystem::path& path = entry->path();
    if (path.extension() == kUnfinished) std::filesystem::remove(path, ignored);
  }
}

NetworkRecord FromJson(const json& object) {
  NetworkRecord record;
  record.attachment = {.container_id = object.at("containerId"),
                       .netns = object.at("netns"),
                       .interface = object.at("interface"),
                       .args = object.at("args")};
  record.network = {.name = object.at("network"),
                    .cni_version = object.at("cniVersion"),
                    .disable_check = object.at("disableCheck"),
                    .plugins = object.at("plugins")};
  record.capabilities = object.at("capabilities");
  record.result = object.at("result");
  return record;
}

}  // namespace

json ToJson(const NetworkRecord& record) {
  return {{"format", kFormat},
          {"containerId", record.attachment.container_id},
          {"netns", record.attachment.netns},
          {"interface", record.attachment.interface},
          {"args", record.attachment.args},
          {"network", record.network.name},
          {"cniVersion", record.network.cni_version},
          {"disableCheck", record.network.disable_check},
          {"plugins", record.network.plugins},
          {"capabilities", record.capabilities},
          {"result", record.result}};
}

absl::StatusOr<NetworkRecord> ParseNetworkRecord(const std::string& text) {
  try {
    const json object = json::parse(text);
    if (object.at("format") != kFormat) {
      return absl::DataLossError(
          absl::StrCat("network record of the unknown format ", object.at("format").dump()));
    }
    return FromJson(object);
  } catch (const json::exception& error) {
    return absl::DataLossError(absl::StrCat("network record: ", error.what()));
  }
}

absl::StatusOr<NetworkRecordStore> NetworkRecordStore::Open(std::string dir) {
  std::error_code error;
  std::filesystem::create_directories(dir, error);
  if (!error) {
    std::filesystem::permissions(dir, std::filesystem::perms::owner_all, error);
  }
  if (!error) RemoveUnfinished(dir, error);
  if (error) return ErrnoStatus(error.value(), absl::StrCat("create directory ", dir));
  return NetworkRecordStore(std::move(dir));
}

absl::Status NetworkRecordStore::Write(const NetworkRecord& record) const {
  const std::string path = PathOf(record.attachment.container_id);
  const std::string unfinished = absl::StrCat(path, kUnfinished);
  absl::Status status =
      WriteFile(unfinished, ToJson(record).dump(-1, ' ', false, json::error_handler_t::replace));
  if (status.ok() && rename(unfinished.c_str(), path.c_str()) != 0) {
    status = ErrnoStatus(errno, absl::StrCat("rename ", unfinished));
  }
  if (!status.ok()) unlink(unfinished.c_str());
  return status;
}

absl::StatusOr<NetworkRecord> NetworkRecordStore::Read(const std::string& pod_id) const {
  const std::string path = PathOf(pod_id);
  const absl::StatusOr<std::string> text = ReadFile(path);
  if (!text.ok()) return text.status();
  absl::StatusOr<NetworkRecord> record = ParseNetworkRecord(*text);
  if (!record.ok()) return Annotate(record.status(), path);
  return record;
}

absl::Status NetworkRecordStore::Remove(const std::string& pod_id) const {
  const std::string path = PathOf(pod_id);
  if (unlink(path.c_str()) != 0 && errno != ENOENT) {
    return ErrnoStatus(errno, absl::StrCat("remove ", path));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> NetworkRecordStore::List() const {
  std::vector<std::string> ids;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(dir_, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::filesystem::path& path = entry->path();
    if (path.extension() == kSuffix) ids.push_back(path.stem());
  }
  if (error) return ErrnoStatus(error.value(), absl::StrCat("read directory ", dir_));
  std::sort(ids.begin(), ids.end());
  return ids;
}

std::string NetworkRecordStore::PathOf(const std::string& pod_id) const {
  return absl::StrCat(dir_, "/", pod_id, kSuffix);
}

}  // namespace bulkhead::network
