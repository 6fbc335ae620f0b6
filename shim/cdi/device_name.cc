#include "shim/cdi/device_name.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"

namespace bulkhead::cdi {
namespace {

bool IsAlphanumeric(char c) { return absl::ascii_isalnum(static_cast<unsigned char>(c)); }

// Letters, digits and `inner`, the latter neither first nor last.
bool IsName(absl::string_view name, absl::string_view inner) {
  return !name.empty() && IsAlphanumeric(name.front()) && IsAlphanumeric(name.back()) &&
         std::all_of(name.begin(), name.end(),
                     [&](char c) { return IsAlphanumeric(c) || absl::StrContains(inner, c); });
}

}  // namespace

absl::Status CheckKind(absl::string_view kind) {
  const size_t slash = kind.find('/');
  if (slash != kind.npos && IsName(kind.substr(0, slash), "_-.") &&
      IsName(kind.substr(slash + 1), "_-.")) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError("is not of the form vendor/class");
}

absl::Status CheckDevice(absl::string_view device) {
  if (IsName(device, "_-.:")) return absl::OkStatus();
  return absl::InvalidArgumentError("is not a device's name");
}

absl::StatusOr<DeviceName> ParseDeviceName(absl::string_view name) {
  const size_t equals = name.find('=');
  if (equals == name.npos || !CheckKind(name.substr(0, equals)).ok() ||
      !CheckDevice(name.substr(equals + 1)).ok()) {
    return absl::InvalidArgumentError("is not of the form vendor/class=device");
  }
  return DeviceName{.kind = std::string(name.substr(0, equals)),
                    .device = std::string(name.substr(equals + 1))};
}

}  // namespace bulkhead::cdi
