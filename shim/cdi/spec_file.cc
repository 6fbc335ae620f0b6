#include "shim/cdi/spec_file.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/strip.h"
#include "runtime/isolation/json_values.h"
#include "shim/cdi/device_name.h"
#include "shim/cdi/yaml.h"

namespace bulkhead::cdi {
namespace {

using isolation::Below;
using isolation::CheckKeys;
using isolation::Find;
using isolation::OtherKeys;
using isolation::Refuse;
using nlohmann::json;

constexpr absl::string_view kVersions[] = {"0.3.0", "0.4.0", "0.5.0", "0.6.0",
                                           "0.7.0", "0.8.0", "1.0.0", "1.1.0"};

absl::Status CheckVersion(const json& file) {
  const json* version = Find(file, "cdiVersion");
  if (version == nullptr) return Refuse("cdiVersion", "is missing");
  if (!version->is_string()) return Refuse("cdiVersion", *version, "is not a string");
  absl::string_view text = version->get_ref<const std::string&>();
  absl::ConsumePrefix(&text, "v");
  if (std::find(std::begin(kVersions), std::end(kVersions), text) != std::end(kVersions)) {
    return absl::OkStatus();
  }
  return Refuse("cdiVersion", *version,
                "is no version that is known here (0.3.0 to 0.8.0, 1.0.0, 1.1.0)");
}

absl::Status ReadDevice(const json& from, const std::string& place, SpecFile& to) {
  if (absl::Status keys =
          CheckKeys(from, place, {"name", "annotations", "containerEdits"}, OtherKeys::kRefuse);
      !keys.ok()) {
    return keys;
  }
  const json* name = Find(from, "name");
  if (name == nullptr) return Refuse(Below(place, "name"), "is missing");
  if (!name->is_string()) return Refuse(Below(place, "name"), *name, "is not a string");
  if (absl::Status fits = CheckDevice(name->get_ref<const std::string&>()); !fits.ok()) {
    return Refuse(Below(place, "name"), *name, fits.message());
  }
  const json* edits = Find(from, "containerEdits");
  if (edits == nullptr) return Refuse(Below(place, "containerEdits"), "is missing");
  absl::StatusOr<Edits> read = ReadEdits(*edits, Below(place, "containerEdits"));
  if (!read.ok()) return read.status();
  if (!to.devices.emplace(*name, *std::move(read)).second) {
    return Refuse(Below(place, "name"), *name, "is there twice");
  }
  return absl::OkStatus();
}

absl::Status ReadFileEdits(const json& file, SpecFile& to) {
  const json* edits = Find(file, "containerEdits");
  if (edits == nullptr) return absl::OkStatus();
  absl::StatusOr<Edits> read = ReadEdits(*edits, "containerEdits");
  if (!read.ok()) return read.status();
  to.edits = *std::move(read);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<SpecFile> ParseSpecFile(const std::string& text) {
  absl::StatusOr<json> file = ParseYaml(text);
  if (!file.ok()) return file.status();
  absl::Status status = CheckKeys(
      *file, "the file", {"cdiVersion", "kind", "annotations", "devices", "containerEdits"},
      OtherKeys::kRefuse);
  if (status.ok()) status = CheckVersion(*file);
  if (!status.ok()) return status;
  SpecFile out;
  const json* kind = Find(*file, "kind");
  if (kind == nullptr) return Refuse("kind", "is missing");
  if (!kind->is_string()) return Refuse("kind", *kind, "is not a string");
  out.kind = *kind;
  if (absl::Status fits = CheckKind(out.kind); !fits.ok()) {
    return Refuse("kind", *kind, fits.message());
  }
  status = ReadFileEdits(*file, out);
  if (status.ok()) {
    status =
        isolation::ForEach(*file, "devices", "", [&](const json& device, const std::string& place) {
          return ReadDevice(device, place, out);
        });
  }
  if (!status.ok()) return status;
  if (out.devices.empty()) return Refuse("devices", "has none");
  return out;
}

}  // namespace bulkhead::cdi
