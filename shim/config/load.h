#ifndef BULKHEAD_SHIM_CONFIG_LOAD_H_
#define BULKHEAD_SHIM_CONFIG_LOAD_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "shim/config/config.h"
#include "shim/config/value.h"

namespace bulkhead::config {

inline constexpr char kDefaultFile[] = "/etc/bulkhead/config.toml";
inline constexpr char kDefaultDirectory[] = "/etc/bulkhead/config.d";

// The files that make up a configuration, in the order in which they count: `file` when it is
// there, then the *.toml of `directory`, sorted by name. Neither needs to exist; empty means none.
absl::StatusOr<std::vector<std::string>> FindFiles(const std::string& file,
                                                   const std::string& directory);

// Reads the files over the defaults; a key of a later file replaces an earlier one's, lists as a
// whole. INVALID_ARGUMENT names file, line and key of a mistake: a key that is not known
// (and the nearest that is), a value of another type, a value out of range.
absl::StatusOr<Config> Load(const std::vector<std::string>& files);

// What no single key tells: how they fit together. INVALID_ARGUMENT names one. Load calls it.
absl::Status Check(const Config& config);

// Sets one key, "daemon.socket". INVALID_ARGUMENT names the key.
absl::Status Set(const std::string& key, const Value& value, Config& config);

// Changes `config` by the text of one file, called `name` in errors. On an error it is left partly
// changed.
absl::Status Apply(const std::string& text, const std::string& name, Config& config);

}  // namespace bulkhead::config

#endif  // BULKHEAD_SHIM_CONFIG_LOAD_H_
