#ifndef BULKHEAD_SHIM_CONFIG_KEYS_H_
#define BULKHEAD_SHIM_CONFIG_KEYS_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "shim/config/config.h"
#include "shim/config/value.h"

namespace bulkhead::config {

// One key of the file.
struct Key {
  std::string section;
  std::string name;
  std::string comment;  // What it does, for the default file; one line or several.
  // Checks the value and puts it into the configuration.
  std::function<absl::Status(const Value&, Config&)> read;
  std::function<Value(const Config&)> write;
};

// Every key, in the order of the default file.
std::vector<Key> Keys();

}  // namespace bulkhead::config

#endif  // BULKHEAD_SHIM_CONFIG_KEYS_H_
