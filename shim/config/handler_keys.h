#ifndef BULKHEAD_SHIM_CONFIG_HANDLER_KEYS_H_
#define BULKHEAD_SHIM_CONFIG_HANDLER_KEYS_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "shim/config/config.h"
#include "shim/config/value.h"

namespace bulkhead::config {

// One key of the sections [handlers.NAME].
struct HandlerKey {
  std::string name;
  std::string comment;
  std::function<absl::Status(const Value&, HandlerConfig&)> read;
  std::function<Value(const HandlerConfig&)> write;
};

inline constexpr char kHandlers[] = "handlers";

// What the default file says of all these sections.
std::string HandlersComment();

std::vector<HandlerKey> HandlerKeys();

// The name of a handler is that of a Kubernetes object: a DNS label.
absl::Status CheckHandlerName(const std::string& name);

// What a section, read to its end, lacks or may not say. Names the key.
absl::Status CheckHandler(const std::string& name, const HandlerConfig& handler);

}  // namespace bulkhead::config

#endif  // BULKHEAD_SHIM_CONFIG_HANDLER_KEYS_H_
