#include "shim/ctl/config_commands.h"

#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_join.h"
#include "shim/config/load.h"
#include "shim/config/print.h"

namespace bulkhead::ctl {

absl::Status PrintDefaultConfig(std::ostream& out) {
  out << config::DefaultToml();
  return absl::OkStatus();
}

absl::Status ShowConfig(const config::Flags& flags, std::ostream& out) {
  const absl::StatusOr<config::Config> config = flags.Load();
  if (config.ok()) out << config::ToToml(*config);
  return config.status();
}

absl::Status ValidateConfig(const config::Flags& flags, const std::string& file,
                            std::ostream& out) {
  if (!file.empty()) {
    const absl::Status status = config::Load({file}).status();
    if (status.ok()) out << file << " is valid\n";
    return status;
  }
  const absl::StatusOr<std::vector<std::string>> files = flags.Files();
  if (!files.ok()) return files.status();
  const absl::Status status = flags.Load().status();
  if (!status.ok()) return status;
  out << (files->empty() ? "no configuration file, the defaults are in force"
                         : absl::StrJoin(*files, ", ") + ": valid")
      << "\n";
  return absl::OkStatus();
}

}  // namespace bulkhead::ctl
