#ifndef BULKHEAD_SHIM_CONFIG_FLAGS_H_
#define BULKHEAD_SHIM_CONFIG_FLAGS_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "shim/config/config.h"
#include "shim/config/value.h"

namespace CLI {
class App;
}  // namespace CLI

namespace bulkhead::config {

// The command line's part of the configuration, the same for the daemon and for bulkheadctl: which
// files are read, and the keys that have a flag, which count more than any file.
class Flags {
 public:
  // Adds the options. The object must live until the command line is parsed.
  void AddTo(CLI::App& app);

  // The files that count: the one of --config, else the default one if it is there; then those of
  // --config-dir, else of the default directory unless --config was given.
  absl::StatusOr<std::vector<std::string>> Files() const;
  // Those files under the flags. Errors as of config::Load; of a flag, with its key.
  absl::StatusOr<Config> Load() const;

 private:
  std::string file_;
  std::string directory_;
  std::map<std::string, Value> keys_;
};

}  // namespace bulkhead::config

#endif  // BULKHEAD_SHIM_CONFIG_FLAGS_H_
